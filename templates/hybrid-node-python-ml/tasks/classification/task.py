"""The task: classify rows of numbers. Its types are the contract with the core."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ml.fields import Number
from ml.registry import ModelCard

NAME = "classification"
FEATURES = 64

Instance = Annotated[list[Number], Field(min_length=FEATURES, max_length=FEATURES)]
# Whatever is served has to answer this one first.
EXAMPLE: Instance = [0.0] * FEATURES


class Prediction(BaseModel):
    """The most likely class of one row."""

    label: str
    confidence: float = Field(ge=0, le=1, description="The probability of the label")
    probabilities: list[float] = Field(
        description="One per class, in the order of the model's labels"
    )


def decode(outputs: npt.NDArray[np.float32], card: ModelCard) -> list[Prediction]:
    """Rows of probabilities to predictions."""
    probabilities = np.clip(outputs, 0, 1).tolist()
    best = outputs.argmax(axis=1).tolist()
    return [
        Prediction(label=card.labels[index], confidence=row[index], probabilities=row)
        for index, row in zip(best, probabilities, strict=True)
    ]


def signal(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The number per row whose distribution is watched for drift: the predicted class."""
    return np.asarray(outputs.argmax(axis=1), dtype=np.float64)
