"""Writes a table of at least MEGABYTES: `write_csv.py PATH MEGABYTES`. The same every time, eight columns."""

import sys
from pathlib import Path

import polars as pl

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
        at=pl.col("at").dt.to_string("%Y-%m-%dT%H:%M:%S"),
    )


def main() -> None:
    path, size = Path(sys.argv[1]), float(sys.argv[2]) * 1e6
    with path.open("wb") as file:
        start = 0
        while file.tell() < size:
            rows(start).write_csv(file, include_header=start == 0)
            start += ROWS


main()
