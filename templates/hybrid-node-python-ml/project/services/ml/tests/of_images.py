"""`python -m tests.of_images`: the command line, with a task of images of 2 by 2 grey pixels."""

import re
import sys
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from ml.batch import Batch
from ml.fields import Octets
from ml.registry import ModelCard

NAME = "tests-of-images"
MOST = 50

Instance = Annotated[bytes, Octets(MOST)]
EXAMPLE: Instance = b"P5 2 2 255\n\x00\x01\x02\xff"


class Prediction(BaseModel):
    embedding: list[float]


def encode(images: Sequence[bytes]) -> Batch:
    """The pixels of files in the format PGM."""
    pixels = []
    for place, image in enumerate(images):
        if not (found := re.fullmatch(rb"P5 2 2 255\n(.{4})", image, re.DOTALL)):
            raise ValueError(f"Instance {place} is no PGM of 2 by 2 pixels")
        pixels.append(np.frombuffer(found[1], np.uint8))
    return Batch({"pixels": np.stack(pixels).astype(np.float32).reshape(-1, 1, 2, 2)})


def decode(outputs: npt.NDArray[np.float32], card: ModelCard) -> list[Prediction]:  # noqa: ARG001
    return [Prediction(embedding=row) for row in outputs.tolist()]


def signal(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return np.asarray(outputs.mean(axis=1), dtype=np.float64)


if __name__ == "__main__":
    sys.modules["ml.task"] = sys.modules["__main__"]
    from ml.cli import main

    main()
