"""Requests and responses shared by every task."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ml.task import FEATURES, Feature, Prediction

MAX_INSTANCES = 256

Instance = Annotated[list[Feature], Field(min_length=FEATURES, max_length=FEATURES)]


class PredictRequest(BaseModel):
    """One or more rows of features."""

    model_config = ConfigDict(extra="forbid")

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
