"""The parameters of a run, from params.toml."""

import tomllib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A table in which a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Strict):
    """How the data set is split."""

    seed: int = Field(ge=0)
    test_share: float = Field(gt=0, lt=1)


class Gates(Strict):
    """What a model must reach to be registered."""

    metric: str
    minimum: float
    parity: float = Field(gt=0, description="Largest difference between training and ONNX")


class Params(Strict):
    """One run, completely described."""

    name: str = Field(pattern="^[a-z][a-z0-9-]*$")
    data: Data
    model: dict[str, float | int | str | list[int]]
    gates: Gates

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and validate the file."""
        return cls.model_validate(tomllib.loads(path.read_text("utf-8")))
