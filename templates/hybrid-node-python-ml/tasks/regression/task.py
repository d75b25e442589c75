"""The task: predict a number from a row of numbers. Its types are the contract with the core."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ml.fields import Number
from ml.registry import ModelCard

NAME = "regression"
FEATURES = 10
OUTPUTS = 1

Instance = Annotated[list[Number], Field(min_length=FEATURES, max_length=FEATURES)]
# Whatever is served has to answer this one first.
EXAMPLE: Instance = [0.0] * FEATURES


class Prediction(BaseModel):
    """The predicted value of one row."""

    value: float


def decode(outputs: npt.NDArray[np.float32], card: ModelCard) -> list[Prediction]:  # noqa: ARG001
    """Rows of one value to predictions."""
    return [Prediction(value=value) for value in outputs[:, 0].tolist()]


def signal(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The number per row whose distribution is watched for drift: the predicted value."""
    return outputs[:, 0].astype(np.float64)
