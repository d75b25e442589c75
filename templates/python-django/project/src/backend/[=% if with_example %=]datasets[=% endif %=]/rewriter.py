"""A file in the other format: `python -m backend.datasets.rewriter FILE FORMAT TARGET BYTES MEBIBYTES SECONDS`.

The process is bounded as the one that makes the profile (`reader.py`), and so is what it writes.
"""

import errno
import os
import sys
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", str(min(4, os.cpu_count() or 1)))

import polars as pl
from polars.io.plugins import register_io_source

from backend.datasets.engine import FIRST_ROWS, CsvTable, ParquetTable
from backend.datasets.facts import Facts
from backend.datasets.frames import without_missing
from backend.datasets.profile import FileProblem, Kind
from backend.datasets.reader import in_plain_words, within
from backend.datasets.sketches import Limits

# Of a row group, as it was in the CSV file: all of one is in memory while it is written.
GROUP_BYTES = 16 * 1024 * 1024
LARGEST = 2**63 - 1
DIGITS = 38
KINDS: dict[Kind, pl.DataType] = {Kind.BOOLEAN: pl.Boolean(), Kind.INTEGER: pl.Int64(), Kind.NUMBER: pl.Float64()}


def rewrite(path: Path, file_format: str, target: Path, most: int) -> None:
    """Write a file in the other format."""
    try:
        (_to_parquet if file_format == "csv" else _to_csv)(path, target)
    except (pl.exceptions.PolarsError, OSError) as error:
        if os.strerror(errno.EFBIG) in str(error):
            msg = f"Written in the other format, the file would be larger than {most} bytes."
            raise FileProblem(msg) from None
        if isinstance(error, OSError):
            raise
        raise in_plain_words(error) from None
    except pl.exceptions.PanicException as panic:  # a year that nobody can write down
        msg = f"The file has a value that cannot be written in the other format: {str(panic)[:200]}."
        raise FileProblem(msg) from None


def _to_parquet(path: Path, target: Path) -> None:
    """Give each column the type that the profile tells of, for which all of the file is read before."""
    opened = CsvTable(path)
    columns = [Facts(Limits.of(len(opened.names))) for _ in opened.names]
    every = list(range(len(columns)))
    for _, part in opened.parts(every):
        for values in part:
            columns[int(values.name)].learn(values)
    kinds = [_kind(facts) for facts in columns]

    def parts(*_asked: object) -> Iterator[pl.DataFrame]:
        for _, together in groupby(opened.parts(every), key=itemgetter(0)):
            cells = [
                _cells(text, columns[position], kinds[position]).alias(opened.names[position])
                for _, part in together
                for position, text in zip(map(int, part.columns), part, strict=True)
            ]
            yield pl.DataFrame(cells)

    table = register_io_source(parts, schema=dict(zip(opened.names, kinds, strict=True)))
    rows = max(facts.rows for facts in columns)
    table.sink_parquet(target, row_group_size=max(1, rows * GROUP_BYTES // path.stat().st_size))


def _kind(facts: Facts) -> pl.DataType:
    if facts.kind is Kind.DATE:
        return pl.Date() if facts.whole_days else pl.Datetime("us")
    if facts.kind is Kind.INTEGER and (most := max(-facts.lowest["integer"], facts.highest["integer"])) > LARGEST:
        # Parquet has no whole numbers of that size; others than polars read them as decimals.
        return pl.Decimal(DIGITS, 0) if most < 10**DIGITS else pl.String()
    return KINDS.get(facts.kind, pl.String())


def _cells(text: pl.Series, facts: Facts, kind: pl.DataType) -> pl.Series:
    values, missing = without_missing(text)
    if isinstance(kind, pl.String) or facts.form is None:
        return text.set(missing, None)
    return facts.form.parse(values).cast(kind)


def _to_csv(path: Path, target: Path) -> None:
    opened = ParquetTable(path)
    if unwritable := [name for name, kind in opened.schema.items() if kind.is_nested() or isinstance(kind, pl.Binary)]:
        msg = f"CSV has no place for the lists, structures or bytes of {', '.join(unwritable)}."
        raise FileProblem(msg[:1000])
    kinds = opened.schema.items()
    cells = [
        pl.col(name).dt.to_string("iso") if isinstance(kind, pl.Duration) else pl.col(name) for name, kind in kinds
    ]
    with target.open("wb") as file:
        opened.table.select(cells).head(0).collect().write_csv(file)
        for _, part in opened.slices(cells, max(1, FIRST_ROWS // len(cells))):
            part.write_csv(file, include_header=False)


def _keep_to(most: int) -> None:
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 - Windows has none

        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def main() -> int:
    """Write the file, or why it cannot be written."""
    path, file_format, target, most, mebibytes, seconds = sys.argv[1:]
    _keep_to(int(most))

    def work() -> str:
        rewrite(Path(path), file_format, Path(target), int(most))
        return ""

    return within(int(mebibytes), int(seconds), work)


if __name__ == "__main__":
    sys.exit(main())
