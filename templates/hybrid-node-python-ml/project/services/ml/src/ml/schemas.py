"""Requests and responses shared by every task."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ml.signature import SIGNATURE, Instance
from ml.task import Prediction

MAX_INSTANCES = 256
# From 1 to MAX_INSTANCES, for headers.
ROWS_PATTERN = "(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-6])"
# Whatever is larger than this fits no contract; None where the contract sets no limit.
MAX_BODY_BYTES = SIGNATURE.longest and MAX_INSTANCES * SIGNATURE.longest + 1024
MAX_FIELDS = 8


def _show_the_example(schema: dict[str, Any]) -> None:
    """Name the golden example, where it tells more than numbers in a row would."""
    if SIGNATURE.is_named or SIGNATURE.schema.get("type") == "string":
        schema["examples"] = [{"instances": [SIGNATURE.as_json(SIGNATURE.example)]}]


class Asked(BaseModel):
    """The body of a request."""

    # Strict: what the contract calls a number is one, not "1" and not true, as the API has it too.
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def refuse_a_flood(cls, body: object) -> object:
        """Refuse many unknown fields as one error: naming each would hold up everybody else."""
        if isinstance(body, dict) and len(body) > MAX_FIELDS:
            raise ValueError(f"Unknown fields: there are {len(body)} fields")
        return body


class PredictRequest(Asked):
    """One or more rows of features."""

    model_config = ConfigDict(json_schema_extra=_show_the_example)

    instances: list[Instance] = Field(min_length=1, max_length=MAX_INSTANCES)


class ModelReference(BaseModel):
    """Which model answered."""

    name: str
    version: str


class PredictResponse(BaseModel):
    """One prediction per instance, in the same order."""

    predictions: list[Prediction]
    model: ModelReference


class ModelDescription(ModelReference):
    """The model in service."""

    task: str
    sha256: str
    features: int
    outputs: int
    labels: list[str]
    metrics: dict[str, float]


class Live(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """Predictions can be answered."""

    status: str = "ok"
    model: ModelReference
