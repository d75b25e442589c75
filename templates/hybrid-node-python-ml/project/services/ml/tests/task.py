"""The task of the tests: one of three classes, from a row of numbers."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ml.fields import Number
from ml.registry import ModelCard

NAME = "tests"
FEATURES = 12

Instance = Annotated[list[Number], Field(min_length=FEATURES, max_length=FEATURES)]
EXAMPLE: Instance = [0.0] * FEATURES


class Prediction(BaseModel):
    label: str
    outputs: list[float]


def decode(outputs: npt.NDArray[np.float32], card: ModelCard) -> list[Prediction]:
    return [
        Prediction(label=card.labels[best] if card.labels else "", outputs=row)
        for best, row in zip(outputs.argmax(axis=1).tolist(), outputs.tolist(), strict=True)
    ]


def signal(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return np.asarray(outputs.argmax(axis=1), dtype=np.float64)
