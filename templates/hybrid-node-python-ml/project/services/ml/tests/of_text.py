"""`python -m tests.of_text`: the command line, with a task of text."""

import sys
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ml.batch import Batch
from ml.registry import ModelCard

NAME = "tests-of-text"
MAX_TOKENS = 5

Instance = Annotated[str, Field(min_length=1, max_length=100)]
EXAMPLE: Instance = "red green"


class Prediction(BaseModel):
    embedding: list[float]


def encode(texts: Sequence[str]) -> Batch:
    rows = [text.split() for text in texts]
    longest = max(map(len, rows))
    if not 0 < longest <= MAX_TOKENS:
        raise ValueError(f"A text has {longest} words: {MAX_TOKENS} is the most")
    words = [row + [""] * (longest - len(row)) for row in rows]
    return Batch({"words": np.asarray(words, dtype=object)}, frozenset({"words"}))


def decode(outputs: npt.NDArray[np.float32], card: ModelCard) -> list[Prediction]:  # noqa: ARG001
    return [Prediction(embedding=row) for row in outputs.tolist()]


def signal(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return np.asarray(outputs.mean(axis=1), dtype=np.float64)


if __name__ == "__main__":
    sys.modules["ml.task"] = sys.modules["__main__"]
    from ml.cli import main

    main()
