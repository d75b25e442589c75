"""What can be said of very many values with a few of them kept: how many differ, and which are frequent."""

from dataclasses import dataclass

import polars as pl

from backend.datasets.profile import MAX_VALUE_LENGTH

HASHES = 2**64


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept of each column; the more columns there are, the less."""

    candidates: int
    hashes: int
    sample: int

    @classmethod
    def of(cls, columns: int) -> "Limits":
        """Give the limits for a table of so many columns."""
        return cls(
            candidates=max(10, min(1000, 100_000 // columns)),
            hashes=max(64, min(1024, 1_000_000 // columns)),
            sample=max(100, min(10_000, 1_000_000 // columns)),
        )


class Different:
    """How many different values there are, told by the smallest of their hashes: exact while they are few."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.smallest = pl.Series(dtype=pl.UInt64)

    def add(self, values: pl.Series) -> None:
        """Take in more values."""
        hashes = values.hash(seed=1)
        if len(self.smallest) == self.keep:
            hashes = hashes.filter(hashes < self.smallest[-1])
        if len(hashes):
            self.smallest = pl.concat([self.smallest, hashes.unique()]).unique().sort().head(self.keep)

    @property
    def is_estimate(self) -> bool:
        """Tell whether there were more than could be kept."""
        return len(self.smallest) == self.keep

    def count(self, at_most: int) -> int:
        """Give how many there are: if the k smallest hashes fill a part of all, so many times k."""
        if not self.is_estimate:
            return len(self.smallest)
        return min(at_most, round((self.keep - 1) * HASHES / max(1, int(self.smallest[-1]))))


class Frequent:
    """The values that may be the most frequent, after Misra and Gries: none that has a share above 1/keep is missed."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.counts = pl.DataFrame(schema={"value": pl.String, "count": pl.UInt32})
        self.lost = 0

    def add(self, values: pl.Series) -> None:
        """Take in more values."""
        both = pl.concat([self.counts, _counted(values)])
        self.counts = both.group_by("value").agg(pl.col("count").sum())
        if len(self.counts) > self.keep:
            ordered = self.counts.sort("count", descending=True)
            least = int(ordered["count"][self.keep])
            self.lost += least
            self.counts = ordered.filter(pl.col("count") > least).with_columns(pl.col("count") - least)

    @property
    def candidates(self) -> pl.Series:
        """Give what has to be counted again, since some counts were given up."""
        return self.counts["value"]


def shortened(values: pl.Series) -> pl.Series:
    """Give values as text that is never long: of a long one the beginning."""
    text = values.dt.to_string("iso") if values.dtype == pl.Duration else values.cast(pl.String)
    long = text.str.len_chars() > MAX_VALUE_LENGTH
    if long.any():
        text = text.set(long, None).fill_null(text.str.slice(0, MAX_VALUE_LENGTH - 1) + "…")
    return text


def _counted(values: pl.Series) -> pl.DataFrame:
    counts = shortened(values).alias("value").value_counts(name="count")
    return counts.with_columns(pl.col("count").cast(pl.UInt32))
