"""What a profile is, and how it grows batch by batch, so that its size never depends on the file's."""

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel

MAX_DISTINCT = 1000
MAX_TOP = 10
MAX_VALUE_LENGTH = 200
BINS = 20


class FileProblem(Exception):  # noqa: N818 - it is the file's, and the text is for its owner
    """The file cannot be profiled, for a reason that its owner can understand and mend."""


class Kind(StrEnum):
    """What all values of a column are."""

    EMPTY = "empty"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TEXT = "text"


class TopValue(BaseModel):
    """A frequent value."""

    value: str
    count: int


class Histogram(BaseModel):
    """How numbers spread between the smallest and the largest, in bins of the same width."""

    low: float
    high: float
    counts: list[int]


class Column(BaseModel):
    """What was found in a column. `distinct` is null where there are too many different values to count."""

    name: str
    kind: Kind
    missing: int
    distinct: int | None
    minimum: str | None = None
    maximum: str | None = None
    mean: float | None = None
    standard_deviation: float | None = None
    top: list[TopValue] = []
    histogram: Histogram | None = None


class Profile(BaseModel):
    """What was found in a file."""

    rows: int
    columns: list[Column]


@dataclass
class Facts:
    """What is known of a column after some of its rows; two of them add up to what is known after both."""

    rows: int = 0
    missing: int = 0
    integers: int = 0
    booleans: int = 0
    dates: int = 0
    numbers: int = 0
    low: float = math.inf
    high: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    first: str | None = None
    last: str | None = None
    values: "Counter[str] | None" = field(default_factory=Counter)

    def add(self, other: "Facts") -> None:
        """Take in what is known of more rows."""
        count = self.numbers + other.numbers
        if other.numbers:
            # Chan's way to join two means and sums of squares, which stays exact where plain sums do not.
            delta = other.mean - self.mean
            self.mean += delta * other.numbers / count
            self.squares += other.squares + delta * delta * self.numbers * other.numbers / count
        self.numbers = count
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.first = min((text for text in (self.first, other.first) if text is not None), default=None)
        self.last = max((text for text in (self.last, other.last) if text is not None), default=None)
        for name in ("rows", "missing", "integers", "booleans", "dates"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.values = _joined(self.values, other.values)

    @property
    def kind(self) -> Kind:
        """The narrowest kind that holds for every value."""
        present = self.rows - self.missing
        if present == 0:
            return Kind.EMPTY
        counts = {
            Kind.INTEGER: self.integers,
            Kind.NUMBER: self.numbers,
            Kind.BOOLEAN: self.booleans,
            Kind.DATE: self.dates,
        }
        return next((kind for kind, count in counts.items() if count == present), Kind.TEXT)

    @property
    def span(self) -> tuple[float, float] | None:
        """Where a histogram begins and ends; None without numbers."""
        return (self.low, self.high) if self.kind in {Kind.INTEGER, Kind.NUMBER} else None

    def column(self, name: str, counts: list[int] | None) -> Column:
        """Give the finished column."""
        kind = self.kind
        numeric = kind in {Kind.INTEGER, Kind.NUMBER}
        column = Column(
            name=name,
            kind=kind,
            missing=self.missing,
            distinct=None if self.values is None else len(self.values),
            top=[TopValue(value=value, count=count) for value, count in _most_common(self.values)],
        )
        if numeric:
            column.minimum, column.maximum = (_plain(number, kind) for number in (self.low, self.high))
            column.mean = self.mean
            column.standard_deviation = math.sqrt(self.squares / (self.numbers - 1)) if self.numbers > 1 else 0.0
            column.histogram = Histogram(low=self.low, high=self.high, counts=counts or [])
        elif kind is Kind.DATE:
            column.minimum, column.maximum = self.first, self.last
        return column


def bin_of(number: float, low: float, high: float) -> int:
    """Give the bin of a histogram that a number falls into."""
    width = (high - low) / BINS
    return min(int((number - low) / width), BINS - 1) if width else 0


def _joined(one: "Counter[str] | None", other: "Counter[str] | None") -> "Counter[str] | None":
    if one is None or other is None:
        return None
    one.update(other)
    return one if len(one) <= MAX_DISTINCT else None


def _most_common(values: "Counter[str] | None") -> list[tuple[str, int]]:
    ordered = sorted((values or {}).items(), key=lambda item: (-item[1], item[0]))
    return ordered[:MAX_TOP]


def _plain(number: float, kind: Kind) -> str:
    return str(int(number)) if kind is Kind.INTEGER else repr(number)
