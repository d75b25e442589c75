"""The task: map a tensor to a tensor. Its types are the contract with the core."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ml.registry import ModelCard

NAME = "tensor"
FEATURES = 64

FLOAT32_MAX = float(np.finfo(np.float32).max)
Feature = Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX, allow_inf_nan=False)]


class Prediction(BaseModel):
    """The embedding of one row."""

    embedding: list[float]


def decode(outputs: npt.NDArray[np.float32], card: ModelCard) -> list[Prediction]:  # noqa: ARG001
    """Rows of an embedding to predictions."""
    return [Prediction(embedding=row) for row in outputs.tolist()]


def signal(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The number per row whose distribution is watched for drift: the embedding's length."""
    length: npt.NDArray[np.float64] = np.linalg.norm(outputs.astype(np.float64), axis=1)
    return length
