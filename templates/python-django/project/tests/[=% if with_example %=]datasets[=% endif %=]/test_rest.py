"""Data sets beside what all parts share: limits, scopes, teams, metrics."""

from typing import Any

import pytest
from django.test import Client

from backend.accounts.models import ApiKey, Scope, User
from backend.datasets.models import Dataset
from backend.teams.models import Team
from tests.datasets.conftest import CSV, Api
from tests.test_metrics import samples
from tests.test_site import Body


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"), [("/api/datasets", 401), ("/datasets/new/", 302), ("/admin/datasets/dataset/add/", 302)]
)
def test_a_file_of_somebody_with_a_forged_cookie_is_refused_unread(path: str, status: int) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["sessionid"] = "a" * 32
    client.cookies["csrftoken"] = "b" * 32
    body = Body()
    extra: dict[str, Any] = {"CONTENT_TYPE": "multipart/form-data; boundary=x", "CONTENT_LENGTH": "1000000"}
    answer = client.generic("POST", path, b"", **extra | {"wsgi.input": body})
    assert (answer.status_code, body.reads) == (status, 0)


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["datasets:read"], [200, 403, 403]),
        (["datasets:write"], [200, 202, 403]),
        (["datasets:read", "teams:write"], [200, 403, 200]),
        (["teams:write"], [403, 403, 200]),
    ],
)
def test_a_key_opens_what_its_scopes_name(ada: User, team: Team, scopes: list[str], expected: list[int]) -> None:
    program = Api(ApiKey.issue(ada, "k", scopes=map(Scope, scopes))[1])
    asked = [program("GET", "/datasets"), program.upload(team), program("GET", "/teams")]
    assert [answer.status_code for answer in asked] == expected


def test_a_team_that_owns_data_is_not_deleted(api: Api, team: Team) -> None:
    api.upload(team)
    refused = api("DELETE", f"/teams/{team.pk}")
    assert refused.status_code == 409
    assert "data sets" in refused.json()["detail"]


@pytest.mark.usefixtures("offered", "ask_here")
def test_data_sets_are_told_by_state_and_size(dataset: Dataset) -> None:
    now = samples()
    assert {state: now[f'datasets{{state="{state}"}}'] for state in ("pending", "profiling", "ready", "failed")} == {
        "pending": 0,
        "profiling": 0,
        "ready": 1,
        "failed": 0,
    }
    assert now["datasets_bytes"] == len(CSV)
