"""Rows of features to the tensors that an ONNX file wants, and what it gives back to rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

NUMBERS: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
MAPS = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")


@dataclass(frozen=True, slots=True)
class Input:
    """One of the inputs, and the shape that a row has in it."""

    name: str
    type: Any
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """How many of a row's numbers it takes."""
        return math.prod(self.shape)

    def take(self, rows: Array) -> npt.NDArray[Any]:
        """The tensor for these rows, which have its width."""
        if issubclass(self.type, np.integer):
            rows = np.rint(rows)
        return rows.astype(self.type, copy=False).reshape(len(rows), *self.shape)


def inputs_of(session: Any, features: int) -> tuple[Input, ...]:  # noqa: ANN401
    """The inputs of a session: they share the features of a row, in their order."""
    given = session.get_inputs()
    inputs = tuple(_input(one, features if len(given) == 1 else None) for one in given)
    if sum(one.width for one in inputs) != features:
        names = ", ".join(f"{one.name} {one.width}" for one in inputs)
        raise ValueError(f"its inputs ({names}) do not take the task's {features} features")
    return inputs


def feed(inputs: tuple[Input, ...], rows: Array) -> dict[str, npt.NDArray[Any]]:
    """The tensors for these rows."""
    tensors, start = {}, 0
    for one in inputs:
        tensors[one.name] = one.take(rows[:, start : start + one.width])
        start += one.width
    return tensors


def rows_of(output: Any, count: int) -> Array:  # noqa: ANN401
    """An output as so many rows: of whatever rank it was, or a map of each row's classes."""
    if isinstance(output, list):
        # In the order of their keys, as ONNX Runtime sorts them.
        output = [list(row.values()) for row in output]
    return np.asarray(output, dtype=np.float32).reshape(count, -1)


def _input(one: Any, features: int | None) -> Input:  # noqa: ANN401
    if one.type not in NUMBERS:
        raise ValueError(f"its input {one.name!r} is a {one.type}, the features are numbers")
    sizes = [size if isinstance(size, int) else None for size in one.shape[1:]]
    if sizes.count(None) == 1 and features is not None:
        rest = features // math.prod(size for size in sizes if size is not None)
        sizes = [rest if size is None else size for size in sizes]
    if None in sizes:
        raise ValueError(f"its input {one.name!r} has no fixed shape but for its rows")
    shape = tuple(size for size in sizes if size is not None)
    return Input(one.name, NUMBERS[one.type], shape)
