"""Finds the same facts with polars alone: `polars_profile.py eager|streaming PATH` prints them as JSON."""

import json
import sys

import polars as pl

BINS, TOP, MAX_DISTINCT, NARROW = 20, 10, 1000, 100


def facts(table: pl.LazyFrame, schema: pl.Schema, engine: str) -> dict[str, dict[str, object]]:
    """Give each column's facts, from aggregates of the whole table at once."""
    wanted = [pl.len().alias("rows")]
    for name, kind in schema.items():
        column = pl.col(name)
        wanted += [column.null_count().alias(f"{name} missing"), column.n_unique().alias(f"{name} distinct")]
        wanted += [column.min().alias(f"{name} low"), column.max().alias(f"{name} high")]
        if kind.is_numeric():
            wanted += [column.mean().alias(f"{name} mean"), column.std().alias(f"{name} deviation")]
    row = table.select(wanted).collect(engine=engine).row(0, named=True)
    return {
        name: {"rows": row["rows"]}
        | {key.rpartition(" ")[2]: value for key, value in row.items() if key.rpartition(" ")[0] == name}
        for name in schema
    }


def spreads(table: pl.LazyFrame, schema: pl.Schema, known: dict[str, dict[str, object]], engine: str) -> None:
    """Count the numbers into bins and the frequent values, where there are few different ones."""
    tables: list[pl.LazyFrame] = []
    for name, kind in schema.items():
        if kind.is_numeric():
            low, width = known[name]["low"], (known[name]["high"] - known[name]["low"]) / BINS
            place = ((pl.col(name) - low) / width).cast(pl.Int64).clip(0, BINS - 1)
            tables.append(table.select(place).drop_nulls().group_by(name).len())
        if known[name]["distinct"] <= MAX_DISTINCT:
            tables.append(table.select(name).drop_nulls().group_by(name).len().top_k(TOP, by="len"))
    pl.collect_all(tables, engine=engine)


def scan(path: str) -> pl.LazyFrame:
    return pl.scan_parquet(path) if path.endswith(".parquet") else pl.scan_csv(path, try_parse_dates=True)


def main() -> None:
    engine, path = sys.argv[1:]
    if engine == "eager":
        table, engine = scan(path).collect().lazy(), "in-memory"
    else:
        table = scan(path)
    schema = table.collect_schema()
    known = facts(table, schema, engine)
    # With thousands of columns, each of these would read the file once more.
    if len(schema) <= NARROW:
        spreads(table, schema, known, engine)
    print(json.dumps(known, default=str))


main()
