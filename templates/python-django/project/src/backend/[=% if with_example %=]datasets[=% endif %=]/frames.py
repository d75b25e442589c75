"""A file as a polars frame, whose columns have the kinds that the profile tells of."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from backend.datasets.engine import CsvTable, table
from backend.datasets.forms import FORMS, MISSING


def to_frame(path: Path, file_format: str) -> pl.DataFrame:
    """Read all of a file into memory."""
    opened = table(path, file_format)
    if not isinstance(opened, CsvTable):
        return pl.read_parquet(path, glob=False)
    return pl.DataFrame(list(_columns(opened)))


def _columns(opened: CsvTable) -> Iterator[pl.Series]:
    texts: list[list[pl.Series]] = [[] for _ in opened.names]
    for _, part in opened.parts(list(range(len(texts)))):
        for values in part:
            texts[int(values.name)].append(values)
    for name, parts in zip(opened.names, texts, strict=True):
        yield understood(pl.concat(parts) if parts else pl.Series(dtype=pl.String)).alias(name)


def understood(text: pl.Series) -> pl.Series:
    """Give a column of a CSV file as what all of its values are; as text, where they are nothing narrower."""
    values, missing = without_missing(text)
    present = values.drop_nulls()
    if not len(present):
        return values
    for form in FORMS:
        if form.fits(present) is None:
            continue
        found = form.parse(values)
        whole_days = isinstance(found.dtype, pl.Datetime) and bool((found.dt.truncate("1d") == found).all())
        return found.cast(pl.Date) if whole_days else found
    return text.set(missing, None)


def without_missing(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Give values without the blanks around them, null where one is missing, and which those are."""
    stripped = text.str.strip_chars()
    missing = (stripped == "") | stripped.is_in(MISSING)
    return stripped.set(missing, None), missing
