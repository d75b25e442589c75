"""The operations on data sets against their description, about some that are there."""

import pytest
from schemathesis import checks

from backend.accounts.models import User
from backend.datasets.models import Dataset
from tests.datasets.conftest import Api
from tests.test_schema import OPERATIONS, REFUSES_MORE, ask_everything

# What a schema cannot say: that a part has the length which its place in the file leaves it.
REFUSES_PARTS = {"PUT /api/uploads/{upload_id}/parts/{number}": [checks.positive_data_acceptance]}


@pytest.mark.parametrize(
    "label", [label for label in OPERATIONS if "/api/datasets" in label or "/api/uploads" in label]
)
def test_every_answer_is_one_that_is_announced(label: str, ada: User, api: Api, dataset: Dataset) -> None:
    file = {"team_id": str(dataset.team_id), "file_name": "fruit.csv", "size": 1000}
    upload = api("POST", "/uploads", file).json()["id"]
    known = {"dataset_id": str(dataset.pk), "team_id": str(dataset.team_id), "upload_id": upload}
    ask_everything(label, ada, known, (REFUSES_MORE | REFUSES_PARTS).get(label, ()))
