"""The task: map a tensor to a tensor. Its types are the contract with the core."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ml.fields import Number
from ml.registry import ModelCard

NAME = "tensor"
FEATURES = 64

Instance = Annotated[list[Number], Field(min_length=FEATURES, max_length=FEATURES)]
# Whatever is served has to answer this one first.
EXAMPLE: Instance = [0.0] * FEATURES


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
