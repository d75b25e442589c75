"""What a profile is: what the API gives, the admin draws and the database keeps."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, Field, model_validator

MAX_TOP = 10
MAX_VALUE_LENGTH = 200
MAX_COLUMNS = 20_000
BINS = 20
CORRELATED = 50
# What a preview holds: enough to recognize a file by and to look for something in it, and little enough to keep.
PREVIEW_ROWS, PREVIEW_COLUMNS = 100, 50
# How the process that reads a file tells that it refuses it, or that it takes too much memory.
REFUSED, TOO_LARGE = 3, 4


class FileProblem(Exception):  # noqa: N818 - it is the file's, and the text is for its owner
    """The file cannot be profiled, for a reason that its owner can understand and mend."""


class Kind(StrEnum):
    """What all values of a column are."""

    EMPTY = "empty"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DURATION = "duration"
    TEXT = "text"


class TopValue(BaseModel):
    """A frequent value, and its share of the values that are not missing."""

    value: str
    count: int
    share: float = 0.0


class Histogram(BaseModel):
    """How values spread between the smallest and the largest, in bins of the same width.

    The ends are numbers: of a date, the seconds since 1970 in UTC; of a duration, its seconds.
    """

    low: float
    high: float
    counts: list[int]


class Column(BaseModel):
    """What was found in a column."""

    name: str
    kind: Kind
    missing: int
    distinct: int | None
    distinct_is_estimate: bool = Field(
        default=False, description="Counted over a sample of hashes, within about 3 percent"
    )
    minimum: str | None = None
    maximum: str | None = None
    mean: float | None = None
    standard_deviation: float | None = None
    first_quartile: float | None = None
    median: float | None = None
    third_quartile: float | None = None
    infinite: int = Field(0, description="Values that are infinite; no other number here takes them in")
    notes: list[str] = Field([], description="What is suspicious, and what was decided for the owner of the file")
    top: list[TopValue] = Field([], description="The most frequent values; none where every value is rare")
    histogram: Histogram | None = None


class Correlation(BaseModel):
    """How two columns of numbers go together, after Pearson."""

    one: str
    other: str
    pearson: float


class Profile(BaseModel):
    """What was found in a file."""

    rows: int
    columns: list[Column]
    encoding: str | None = None
    delimiter: str | None = None
    sampled_rows: int | None = Field(
        None, description="Quartiles and correlations are those of so many random rows; null: of all"
    )
    preview: list[list[str | None]] = Field(
        [], description=f"The first {PREVIEW_ROWS} rows, as text, of the first {PREVIEW_COLUMNS} columns; null: missing"
    )
    correlations: list[Correlation] = Field([], description=f"Of the first {CORRELATED} columns of numbers")

    @model_validator(mode="after")
    def with_shares(self) -> Self:
        """Reckon the shares of values, which profiles that were kept before there were any do not hold."""
        for column in self.columns:
            for value in column.top:
                value.share = value.share or value.count / max(value.count, self.rows - column.missing)
        return self
