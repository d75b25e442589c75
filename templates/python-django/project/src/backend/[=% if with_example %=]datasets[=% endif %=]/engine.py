"""The reading of files with polars: CSV and Parquet, a few megabytes at a time."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from backend.datasets import csv_file
from backend.datasets.forms import Form
from backend.datasets.profile import MAX_COLUMNS, FileProblem, Kind

PARQUET_MAGIC = b"PAR1"
FIRST_ROWS = 1_000
# Of the columns of a file, before several are read at once.
MOST_READS = 200
MAX_ROWS = 250_000
WIDE_BYTES = 8 * 1024 * 1024
BYTES_PER_COLUMN = 16 * 1024
# Of a CSV file: each column of a part takes tens of kilobytes, however few its values are.
COLUMNS_AT_ONCE = 250
BATCH_BYTES = 8 * 1024 * 1024
MAX_CELLS_PER_BYTE = 100
ALWAYS_ALLOWED_CELLS = 10_000_000

# The first row of a part of some columns, and that part.
Part = tuple[int, pl.DataFrame]


class CsvTable:
    """A CSV file: every value is text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layout = csv_file.layout(path)
        self.names = self.layout.names
        self.known: list[Form | None] = [None] * len(self.names)

    def parts(self, columns: list[int]) -> Iterator[Part]:
        """Give the rows of one block after the other, some columns at a time, each named by its position."""
        # polars' own streams run ahead of the one who reads them, and end up holding the whole file.
        schema = {str(position): pl.String for position in range(len(self.names))}
        row = rows = 0
        for block in self._blocks():
            for start in range(0, len(columns), COLUMNS_AT_ONCE):
                part = pl.read_csv(
                    block,
                    columns=columns[start : start + COLUMNS_AT_ONCE],
                    schema=schema,
                    has_header=False,
                    separator=self.layout.delimiter,
                    raise_if_empty=False,
                    missing_columns="insert",  # polars allows every row to be short, but not the first of a block
                )
                yield row, part
                rows = len(part)
            row += rows

    def _blocks(self) -> Iterator[bytes]:
        """Join blocks of a wide table: each column costs something for every block, however few rows there are."""
        enough = min(WIDE_BYTES, len(self.names) * BYTES_PER_COLUMN)
        waiting: list[bytes] = []
        for block in csv_file.rows(self.path, self.layout):
            waiting.append(block)
            if sum(map(len, waiting)) >= enough:
                yield b"".join(waiting)
                waiting.clear()
        if waiting:
            yield b"".join(waiting)


class ParquetTable:
    """A Parquet file: its columns have types."""

    def __init__(self, path: Path) -> None:
        _check_ends(path)
        self.table = pl.scan_parquet(path, glob=False)
        self.schema = self.table.collect_schema()
        self.names = csv_file.unique(self.schema.names())
        self.known: list[Form | None] = [_form_of(kind) for kind in self.schema.dtypes()]
        self.rows = int(self.table.select(pl.len()).collect().item())
        cells = self.rows * len(self.names)
        if not self.names:
            raise FileProblem("The file has no columns.")
        if len(self.names) > MAX_COLUMNS:
            msg = f"The file has {len(self.names)} columns; at most {MAX_COLUMNS} can be profiled."
            raise FileProblem(msg)
        # A few bytes can stand for billions of equal values.
        if cells > ALWAYS_ALLOWED_CELLS and cells > MAX_CELLS_PER_BYTE * path.stat().st_size:
            msg = f"The file unpacks to {cells} values, too many for its size."
            raise FileProblem(msg)

    def parts(self, columns: list[int]) -> Iterator[Part]:
        """Give one column after the other, a part of its rows at a time: few at first, until their size is known.

        Of a wide table some columns at once: to begin a read takes the longer, the more columns there are.
        """
        names = self.schema.names()
        together = 1 + len(names) // MOST_READS
        for start in range(0, len(columns), together):
            some = columns[start : start + together]
            cells = [_cell(names[column], self.schema[names[column]]).alias(str(column)) for column in some]
            yield from self.slices(cells, max(1, FIRST_ROWS // together))

    def slices(self, cells: list[pl.Expr], rows: int) -> Iterator[Part]:
        """Give some columns, so many rows at first, and then as many as are a few megabytes."""
        row = 0
        while row < self.rows:
            part = self.table.select(cells).slice(row, rows).collect()
            yield row, part
            row += len(part)
            fitting = BATCH_BYTES * len(part) // max(1, sum(map(_bytes, part)))
            rows = max(1, min(MAX_ROWS, fitting, rows * 16))


def table(path: Path, file_format: str) -> CsvTable | ParquetTable:
    """Open a file."""
    return CsvTable(path) if file_format == "csv" else ParquetTable(path)


def _bytes(values: pl.Series) -> int:
    # Equal long texts share their letters until something is done with them.
    text = int(values.str.len_bytes().sum()) if values.dtype == pl.String else 0
    return max(text, int(values.estimated_size()))


def _form_of(kind: pl.DataType) -> Form:
    if kind.is_integer():
        return _as_it_is(Kind.INTEGER)
    if kind.is_numeric():
        return _as_it_is(Kind.NUMBER)
    if isinstance(kind, pl.Boolean):
        return _as_it_is(Kind.BOOLEAN)
    if isinstance(kind, pl.Date | pl.Datetime):
        return _as_it_is(Kind.DATE)
    if isinstance(kind, pl.Duration):
        return _as_it_is(Kind.DURATION)
    return _as_it_is(Kind.TEXT)


def _as_it_is(kind: Kind) -> Form:
    return Form(kind.value, kind, lambda values: values)


def _cell(name: str, kind: pl.DataType) -> pl.Expr:
    """Give a column as something that can be counted and compared."""
    cell = pl.col(name)
    if isinstance(kind, pl.Date | pl.Datetime):
        # Nobody can write the others down.
        cell = pl.when(cell.dt.year().is_between(1, 9999)).then(cell)
    if kind.is_nested() or isinstance(kind, pl.Binary | pl.Object):
        return pl.when(cell.is_not_null()).then(pl.lit(f"({kind.base_type()})"))
    if isinstance(kind, pl.Datetime):
        in_utc = cell.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if kind.time_zone else cell
        return in_utc.cast(pl.Datetime("us"))
    if kind.is_decimal():
        return cell.cast(pl.Float64)
    if kind.is_float() or kind.is_integer() or isinstance(kind, pl.Boolean | pl.Date | pl.Duration):
        return cell
    return cell.cast(pl.String)


def _check_ends(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(0, path.stat().st_size - 4))
        end = file.read(4)
    if start != PARQUET_MAGIC or end != PARQUET_MAGIC:
        raise FileProblem("This is not a Parquet file, or a part of it is missing.")
