"""What the tests of data sets share: files, and programs that upload them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from backend.datasets.models import Dataset
from backend.teams.models import Team
from tests import conftest

CSV = b"name,price,sold,day\nApple,1.5,true,2026-01-01\nPear,,false,2026-01-02\nFig,4.5,true,\n"


class Api(conftest.Api):
    """A program that uploads."""

    def upload(self, team: Team, content: bytes = CSV, file_name: str = "fruit.csv", **fields: Any) -> Any:
        """Send a form with a file."""
        file = SimpleUploadedFile(file_name, content)
        data = {"team_id": str(team.pk), "file": file, **fields}
        return self.client.post("/api/datasets", data, headers=self.headers)


def _uploading(program: conftest.Api) -> Api:
    found = Api()
    found.client, found.headers = program.client, program.headers
    return found


@pytest.fixture
def api(api: conftest.Api) -> Api:
    """Ada's program."""
    return _uploading(api)


@pytest.fixture
def stranger(stranger: conftest.Api) -> Api:
    """The program of somebody who belongs to no team of Ada's."""
    return _uploading(stranger)


@pytest.fixture
def viewer(viewer: conftest.Api) -> Api:
    """The program of a member who may only look."""
    return _uploading(viewer)


@pytest.fixture
def editor(editor: conftest.Api) -> Api:
    """The program of a member who may change data sets."""
    return _uploading(editor)


@pytest.fixture
def dataset(api: Api, team: Team, run_tasks: Callable[[], int]) -> Dataset:
    """An uploaded and profiled data set."""
    uploaded = api.upload(team)
    assert uploaded.status_code == 202, uploaded.content
    run_tasks()
    return Dataset.objects.get(pk=uploaded.json()["id"])
