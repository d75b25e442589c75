"""A batch: what the model is given for some instances at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A tensor for each input, by name: of numbers or of strings, with a row for each instance.

    Tensors named in `varying` have rows of any length, filled up to the longest with zeros or
    empty strings; all others have the same width in every batch.
    """

    tensors: Mapping[str, Tensor]
    varying: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        lengths = {name: len(tensor) for name, tensor in self.tensors.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"the tensors of a batch have as many rows as each other: {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    @property
    def width(self) -> int:
        """How many values the longest of its rows of any length has; 1 where all are fixed."""
        return max((self.tensors[name].shape[1] for name in self.varying), default=1)

    @property
    def size(self) -> int:
        """What the model has to do: a row each, or all tokens and what they are filled up with."""
        return len(self) * self.width

    def __getitem__(self, rows: slice) -> Self:
        return self._with({name: tensor[rows] for name, tensor in self.tensors.items()})

    def split(self, size: int) -> Iterator[Self]:
        """Batches of so many instances, and one with the rest."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def repeated(self, count: int) -> Self:
        """The first instance, so many times."""
        rows = np.zeros(count, dtype=np.intp)
        return self._with({name: tensor[rows] for name, tensor in self.tensors.items()})

    @classmethod
    def concat(cls, batches: Sequence[Self]) -> Self:
        """The instances of all, in their order."""
        first = batches[0]
        if len(batches) == 1:
            return first
        if any(batch.tensors.keys() != first.tensors.keys() for batch in batches):
            raise ValueError("batches of other inputs do not go together")
        return first._with({name: _joined(name, batches) for name in first.tensors})

    def tokens(self) -> int:
        """How many values its rows of any length have, without what they are filled up with."""
        counts = (np.count_nonzero(self.tensors[name]) for name in self.varying)
        return int(max(counts, default=0))

    def _with(self, tensors: Mapping[str, Tensor]) -> Self:
        return type(self)(tensors, self.varying)


def is_text(tensor: Tensor) -> bool:
    """Whether it holds strings: an array of Python's own."""
    return tensor.dtype == object


def widened(tensor: Tensor, width: int) -> Tensor:
    """The rows, filled up to so many values."""
    fill: Any = "" if is_text(tensor) else 0
    missing = [(0, 0)] * tensor.ndim
    missing[1] = (0, width - tensor.shape[1])
    return np.pad(tensor, missing, constant_values=fill)


def _joined(name: str, batches: Sequence[Batch]) -> Tensor:
    tensors = [batch.tensors[name] for batch in batches]
    if name in batches[0].varying:
        width = max(tensor.shape[1] for tensor in tensors)
        tensors = [widened(tensor, width) for tensor in tensors]
    return np.concatenate(tensors)
