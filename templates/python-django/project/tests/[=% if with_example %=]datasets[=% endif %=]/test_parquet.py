"""Parquet files, good and bad."""

import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backend.datasets import profiler
from backend.datasets.engine import ParquetTable
from backend.datasets.profile import (
    MAX_COLUMNS,
    PREVIEW_COLUMNS,
    Column,
    FileProblem,
    Kind,
    Profile,
)
from backend.datasets.reader import read
from backend.teams.models import Team
from tests.datasets.conftest import Api


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small table with a column of each kind."""
    file = tmp_path / "data.parquet"
    pl.DataFrame(
        {
            "whole": [1, 2, None],
            "number": [0.5, 1.5, 2.5],
            "flag": [True, False, None],
            "text": ["a", "b", "b"],
            "day": pl.Series(["2026-01-01", None, "2026-01-03"]).str.to_date(),
            "nested": [[1], [2, 3], None],
        }
    ).write_parquet(file)
    return file


def of(tmp_path: Path, **columns: pl.Series | list[Any]) -> dict[str, Column]:
    file = tmp_path / "data.parquet"
    pl.DataFrame(columns).write_parquet(file)
    return {column.name: column for column in read(file, "parquet").columns}


def test_a_table_is_profiled_like_the_same_table_in_csv(table: Path) -> None:
    found = {column.name: column for column in read(table, "parquet").columns}
    assert [(found[name].kind, found[name].missing) for name in ("whole", "number", "flag", "text", "day")] == [
        (Kind.INTEGER, 1),
        (Kind.NUMBER, 0),
        (Kind.BOOLEAN, 1),
        (Kind.TEXT, 0),
        (Kind.DATE, 1),
    ]
    as_csv = table.with_suffix(".csv")
    pl.read_parquet(table).drop("nested").write_csv(as_csv)
    assert read(as_csv, "csv").columns == [column for name, column in found.items() if name != "nested"]


def test_types_decide_and_not_how_a_value_looks(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        double=[1.5, math.nan, math.inf, 1e100, -1e-120],
        digits=["1", "2", "3", "4", "NA"],
        large=pl.Series([2**64 - 1, 2**63, 1, 2, 3], dtype=pl.UInt64),
        decimal=pl.Series(["1.10", "2.20", None, "3", "4"]).cast(pl.Decimal(10, 2)),
        duration=[timedelta(hours=1), timedelta(days=2), None, timedelta(0), timedelta(seconds=1)],
        moment=pl.Series([datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]).dt.convert_time_zone(
            "Asia/Tokyo"
        ),
        category=pl.Series(["a", "b", "a", None, "a"], dtype=pl.Categorical),
        nothing=pl.Series([None] * 5, dtype=pl.Null),
    )
    assert {name: (column.kind.value, column.missing) for name, column in found.items()} == {
        "double": ("number", 1),
        "digits": ("text", 0),
        "large": ("integer", 0),
        "decimal": ("number", 1),
        "duration": ("duration", 1),
        "moment": ("date", 0),
        "category": ("text", 1),
        "nothing": ("empty", 5),
    }
    assert (found["double"].infinite, found["double"].maximum, found["large"].maximum) == (1, "1e+100", str(2**64 - 1))
    assert (found["duration"].maximum, found["moment"].minimum) == ("2 days, 0:00:00", "2026-01-01")


def test_a_nul_in_a_text_or_a_name_is_shown(api: Api, team: Team, tmp_path: Path, run_tasks: Callable[[], int]) -> None:
    file = tmp_path / "data.parquet"
    pl.DataFrame({"a\0b": ["x\0y", "x\0y"]}).write_parquet(file)
    uploaded = api.upload(team, file.read_bytes(), "data.parquet").json()
    run_tasks()
    profile = api("GET", f"/datasets/{uploaded['id']}/profile").json()
    column = profile["columns"][0]
    assert (column["name"], column["top"][0]["value"], profile["preview"]) == ("a␀b", "x␀y", [["x␀y"]] * 2)


def _in_a_process(file: Path) -> Profile:
    return profiler.profile(file, "parquet")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to such a limit")
def test_long_texts_are_read_in_bounded_memory_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "texts.parquet"
    pl.DataFrame({"x": ["y" * 100_000 + str(number % 5) for number in range(4_000)]}).write_parquet(file)
    assert file.stat().st_size < 1_000_000
    found = _in_a_process(file)
    assert (found.rows, found.columns[0].distinct) == (4_000, 5)
    pl.DataFrame({"x": ["y" * 400_000_000]}).write_parquet(file)
    with pytest.raises(FileProblem, match="more than 300 MiB of memory: write shorter values or smaller row groups"):
        _in_a_process(file)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to such a limit")
def test_a_large_table_is_profiled_within_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "large.parquet"
    part = pl.DataFrame({f"c{n}": [(row * 7919 + n) % 1_000_003 for row in range(500_000)] for n in range(4)})
    pl.concat([part.select(pl.all() + n) for n in range(4)]).write_parquet(file, compression="uncompressed")
    assert _in_a_process(file).rows == 2_000_000


def test_a_wide_table_is_profiled_and_one_that_is_too_wide_refused(tmp_path: Path) -> None:
    file = tmp_path / "widest.parquet"
    # As many columns as there may be take half a minute.
    width, rows = MAX_COLUMNS // 5, 12
    pl.DataFrame({f"c{n}": range(n, n + rows) for n in range(width)}).write_parquet(file)
    # Each read of a wide table begins with all of its columns.
    reads = islice(ParquetTable(file).parts(list(range(width))), 1_000)
    assert len(list(reads)) < 1_000
    found = read(file, "parquet")
    assert [len(row) for row in found.preview] == [PREVIEW_COLUMNS] * rows
    assert (found.rows, found.preview[-1][-1]) == (rows, str(PREVIEW_COLUMNS + rows - 2))
    assert [column.maximum for column in found.columns] == [str(n + rows - 1) for n in range(width)]
    assert [column.median for column in found.columns] == [n + (rows - 1) / 2 for n in range(width)]
    pl.DataFrame({f"c{n}": [n] for n in range(MAX_COLUMNS + 1)}).write_parquet(file)
    with pytest.raises(FileProblem, match="20001 columns"):
        read(file, "parquet")


def test_a_table_is_uploaded(api: Api, team: Team, table: Path) -> None:
    assert api.upload(team, table.read_bytes(), "data.parquet").status_code == 202
    assert api.upload(team, table.read_bytes(), "data.csv").status_code == 415


def test_a_damaged_file_is_explained(table: Path) -> None:
    whole = table.read_bytes()
    for damaged in (whole[:-20], b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", whole[:4] + b"\xff" * 50 + whole[54:]):
        table.write_bytes(damaged)
        with pytest.raises(FileProblem):
            read(table, "parquet")


def test_a_few_bytes_that_stand_for_millions_of_values_are_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.parquet"
    pl.DataFrame({"x": pl.repeat(0, 20_000_000, eager=True)}).write_parquet(bomb)
    assert bomb.stat().st_size < 100_000
    with pytest.raises(FileProblem, match="unpacks to 20000000 values"):
        read(bomb, "parquet")
