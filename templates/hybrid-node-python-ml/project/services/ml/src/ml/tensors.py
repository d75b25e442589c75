"""A batch to the tensors that an ONNX file wants, and what it gives back to rows."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.batch import Batch, Tensor, is_text

Array = npt.NDArray[np.float32]

TEXT = "tensor(string)"
NUMBERS: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}
MAPS = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")


@dataclass(frozen=True, slots=True)
class Input:
    """One of the file's inputs, the columns that it takes side by side, and a row's shape in it."""

    name: str
    type: Any
    columns: tuple[str, ...]
    # Where its values begin in a row of these columns.
    start: int
    # None: as it comes, in rows of any length.
    shape: tuple[int, ...] | None

    @property
    def width(self) -> int:
        """How many of a row's values it takes."""
        return math.prod(self.shape or ())

    def take(self, batch: Batch) -> Tensor:
        """The tensor for these instances."""
        if self.shape is None:
            return self._typed(batch.tensors[self.columns[0]])
        parts = [batch.tensors[name].reshape(len(batch), -1) for name in self.columns]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        values = values[:, self.start : self.start + self.width]
        return self._typed(values).reshape(len(batch), *self.shape)

    def _typed(self, values: Tensor) -> Tensor:
        if self.type is not object and issubclass(self.type, np.integer):
            values = np.rint(values) if values.dtype.kind == "f" else values
        return values.astype(self.type, copy=False)


def inputs_of(session: Any, golden: Batch) -> tuple[Input, ...]:  # noqa: ANN401
    """The inputs of a session: who has a column's name takes that; the others share the rest.

    They take it in its order, those of numbers what is numbers and those of strings what is
    strings.
    """
    given = {one.name: one for one in session.get_inputs()}
    named = [_named(one, golden) for name, one in given.items() if name in golden.tensors]
    found = {one.name: one for one in named}
    rest = {name: tensor for name, tensor in golden.tensors.items() if name not in given}
    for name in golden.varying & rest.keys():
        raise ValueError(f"it has no input {name!r}, whose rows are of any length")
    for text in (False, True):
        columns = {name: one for name, one in rest.items() if is_text(one) == text}
        others = [one for one in given.values() if one.name not in found]
        sharing = [one for one in others if (one.type == TEXT) == text]
        found |= {one.name: one for one in _sharing(sharing, columns, text=text)}
    return tuple(found[name] for name in given)


def feed(inputs: tuple[Input, ...], batch: Batch) -> dict[str, Tensor]:
    """The tensors for these instances."""
    return {one.name: one.take(batch) for one in inputs}


def rows_of(output: Any, count: int) -> Array:  # noqa: ANN401
    """An output as so many rows: of whatever rank it was, or a map of each row's classes."""
    if isinstance(output, list):
        # In the order of their keys, as ONNX Runtime sorts them.
        output = [list(row.values()) for row in output]
    return np.asarray(output, dtype=np.float32).reshape(count, -1)


def _named(one: Any, golden: Batch) -> Input:  # noqa: ANN401
    tensor = golden.tensors[one.name]
    if is_text(tensor) != (one.type == TEXT):
        kind = "strings" if is_text(tensor) else "numbers"
        raise ValueError(f"its input {one.name!r} is a {one.type}, the task's are {kind}")
    if one.name in golden.varying:
        return Input(one.name, _type(one), (one.name,), 0, None)
    return _input(one, (one.name,), 0, tensor.size)


def _sharing(given: list[Any], columns: Mapping[str, Tensor], *, text: bool) -> Iterator[Input]:
    """The inputs that share these columns, in their order."""
    total, start, taken = sum(tensor.size for tensor in columns.values()), 0, []
    for one in given:
        made = _input(one, tuple(columns), start, total if len(given) == 1 else None)
        taken.append(made)
        start += made.width
    if start != total:
        names = ", ".join(f"{one.name} {one.width}" for one in taken) or "none"
        kind = "strings" if text else "numbers"
        raise ValueError(f"its inputs ({names}) do not take the task's {total} {kind}")
    yield from taken


def _input(one: Any, columns: tuple[str, ...], start: int, width: int | None) -> Input:  # noqa: ANN401
    """An input of the given columns; its width is known where nothing else takes of them."""
    sizes = [size if isinstance(size, int) else None for size in one.shape[1:]]
    if sizes.count(None) == 1 and width is not None:
        rest = width // math.prod(size for size in sizes if size is not None)
        sizes = [rest if size is None else size for size in sizes]
    if None in sizes:
        raise ValueError(f"its input {one.name!r} has no fixed shape but for its rows")
    shape = tuple(size for size in sizes if size is not None)
    made = Input(one.name, _type(one), columns, start, shape)
    if made.width != width and len(columns) == 1 and one.name == columns[0]:
        raise ValueError(f"its input {one.name!r} is {made.width} wide, the task's {width}")
    return made


def _type(one: Any) -> Any:  # noqa: ANN401
    if one.type == TEXT:
        return object
    if one.type not in NUMBERS:
        raise ValueError(f"its input {one.name!r} is a {one.type}: neither numbers nor strings")
    return NUMBERS[one.type]
