"""Writes a table of at least MEGABYTES: `write_table.py PATH MEGABYTES [COLUMNS]`. The same every time.

It has eight columns of all kinds, or as many columns of numbers as are asked for; the end of the path tells the format.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

ROWS = 50_000
MISSING = 3
COUNTRIES = [f"country {number}" for number in range(50)]


def rows(start: int) -> pl.DataFrame:
    """Give some rows, beginning with the one of this number."""
    number = pl.int_range(start, start + ROWS, eager=True).alias("id")
    random = [number.hash(seed) for seed in range(7)]
    return pl.DataFrame(
        {
            "id": number,
            "at": pl.Series((random[0] % 100_000_000).cast(pl.Int64) * 1_000_000).cast(pl.Datetime("us")),
            "country": pl.Series(COUNTRIES).gather((random[1] % 50).cast(pl.UInt32)),
            "price": (random[2] % 1_000_000).cast(pl.Float64) / 100,
            "quantity": (random[3] % 100).cast(pl.Int64),
            "paid": random[4] % 2 == 0,
            "email": "user" + random[5].cast(pl.String) + "@example.com",
            "note": "left at the door of number " + (random[6] % 100_000).cast(pl.String),
        }
    ).with_columns(
        price=pl.when(random[3] % 20 != 0).then("price"),
        note=pl.when(random[4] % 10 >= MISSING).then("note"),
    )


def wide(start: int, columns: int) -> pl.DataFrame:
    """Give rows of so many numbers, fewer the more there are."""
    number = pl.int_range(start, start + max(1, 20 * ROWS // columns), eager=True)
    return pl.DataFrame({f"c{n}": (number.hash(n) % 1_000_000).cast(pl.Float64) / 100 for n in range(columns)})


def write_csv(path: Path, size: float, parts: Iterator[pl.DataFrame]) -> None:
    with path.open("wb") as file:
        for number, part in enumerate(parts):
            part.write_csv(file, include_header=number == 0, datetime_format="%Y-%m-%dT%H:%M:%S")
            if file.tell() >= size:
                return


def write_parquet(path: Path, size: float, parts: Iterator[pl.DataFrame]) -> None:
    first = next(parts)
    first.write_parquet(path)
    count = max(1, round(size / path.stat().st_size))

    def some(*_: object) -> Iterator[pl.DataFrame]:
        yield first
        for _, part in zip(range(count - 1), parts, strict=False):
            yield part

    register_io_source(some, schema=first.schema).sink_parquet(path)


def main() -> None:
    path, size, columns = Path(sys.argv[1]), float(sys.argv[2]) * 1e6, int((*sys.argv, 0)[3])

    def parts() -> Iterator[pl.DataFrame]:
        start = 0
        while True:
            part = wide(start, columns) if columns else rows(start)
            yield part
            start += len(part)

    (write_csv if path.suffix == ".csv" else write_parquet)(path, size, parts())


main()
