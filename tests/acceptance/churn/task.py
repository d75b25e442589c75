"""The task: will a customer leave? Its types are the contract with the core."""

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ml.fields import Integer, Number, Row, Text
from ml.registry import ModelCard

NAME = "churn"
OUTPUTS = 2


class Instance(Row):
    """A customer."""

    months: Annotated[Integer, Field(ge=0)]
    contracts: Integer
    calls: Integer
    charge: Number
    paid: Number
    discount: Number | None = None
    minutes: Number
    data: Number
    age: Number | None
    plan: Literal["basic", "plus", "pro"]
    payment: Literal["card", "invoice"]
    city: Text


# Whatever is served has to answer this one first.
EXAMPLE = Instance(
    months=7,
    contracts=1,
    calls=3,
    charge=19.5,
    paid=136.5,
    discount=0.1,
    minutes=420,
    data=3.5,
    age=44,
    plan="plus",
    payment="card",
    city="Bern",
)


class Prediction(BaseModel):
    """Whether one customer leaves."""

    leaves: bool
    probability: float = Field(ge=0, le=1)


def decode(outputs: npt.NDArray[np.float32], card: ModelCard) -> list[Prediction]:  # noqa: ARG001
    """Rows of two probabilities, of those who stay and of those who leave."""
    return [
        Prediction(leaves=stays < leaves, probability=min(1, leaves))
        for stays, leaves in outputs.tolist()
    ]


def signal(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The number per row whose distribution is watched for drift."""
    return outputs[:, 1].astype(np.float64)
