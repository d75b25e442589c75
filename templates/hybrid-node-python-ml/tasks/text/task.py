"""The task: embed texts, so that like ones stand beside each other.

Its types are the contract with the core.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ml.batch import Batch
from ml.registry import ModelCard

# What `tokens` does belongs to the model: another way to part texts needs another name, and a
# model that was registered for this one is then refused.
NAME = "text"
MAX_TOKENS = 256
INPUT = "words"

Instance = Annotated[str, Field(min_length=1, max_length=2000)]
# Whatever is served has to answer this one first.
EXAMPLE: Instance = "Scale each column to the range between zero and one."

_WORD = re.compile(r"[^\W_]+")


class Prediction(BaseModel):
    """The embedding of one text."""

    embedding: list[float]


def tokens(text: str) -> list[str]:
    """The words of a text, of which the model's file holds those that it knows."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def encode(texts: Sequence[str]) -> Batch:
    """The words of each text, filled up with empty ones to the longest."""
    rows = [tokens(text) for text in texts]
    for place, row in enumerate(rows):
        if not row:
            raise ValueError(f"Text {place} has no words")
        if len(row) > MAX_TOKENS:
            raise ValueError(f"Text {place} has {len(row)} words: {MAX_TOKENS} is the most")
    words = np.full((len(rows), max(map(len, rows))), "", dtype=object)
    for place, row in enumerate(rows):
        words[place, : len(row)] = row
    return Batch({INPUT: words}, frozenset({INPUT}))


def decode(outputs: npt.NDArray[np.float32], card: ModelCard) -> list[Prediction]:  # noqa: ARG001
    """Rows of an embedding to predictions."""
    return [Prediction(embedding=row) for row in outputs.tolist()]


def signal(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The number per row whose distribution is watched for drift: every embedding is of length 1,
    so it is the mean of its numbers.
    """
    mean: npt.NDArray[np.float64] = outputs.astype(np.float64).mean(axis=1)
    return mean
