"""A file as a frame: the same kinds as in its profile, and nothing lost."""

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from backend.datasets.frames import to_frame
from backend.datasets.profile import Kind
from backend.datasets.reader import read

KINDS = {
    pl.Int64: Kind.INTEGER,
    pl.Int128: Kind.INTEGER,
    pl.Float64: Kind.NUMBER,
    pl.Boolean: Kind.BOOLEAN,
    pl.Date: Kind.DATE,
    pl.Datetime: Kind.DATE,
}
MORNING = datetime.fromisoformat("2026-01-31T08:00:00")
COLUMNS: dict[str, tuple[list[str], list[object]]] = {
    "whole": (["1", "NA", "-3"], [1, None, -3]),
    "large": (["12345678901234567890123", "", "2"], [12345678901234567890123, None, 2]),
    "real": (["1.5", "NaN", "2"], [1.5, None, 2.0]),
    "comma": (["1,5", "", "2"], [1.5, None, 2.0]),
    "truth": (["true", "False", "NULL"], [True, False, None]),
    "day": (["31.01.2026", "01.02.2026", ""], [date(2026, 1, 31), date(2026, 2, 1), None]),
    "moment": (["2026-01-31T10:00:00+02:00", "2026-02-01", ""], [MORNING, MORNING + timedelta(hours=16), None]),
    "text": ([" padded ", "N/A", "3"], [" padded ", None, "3"]),
    "nothing": (["", "NA", ""], [None, None, None]),
}


def test_the_columns_of_a_csv_file_have_the_kinds_that_the_profile_tells_of(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    rows = [list(COLUMNS), *zip(*(texts for texts, _ in COLUMNS.values()), strict=True)]
    file.write_text("\n".join(";".join(row) for row in rows), encoding="utf-16")
    frame = to_frame(file, "csv")
    assert frame.to_dict(as_series=False) == {name: values for name, (_, values) in COLUMNS.items()}
    for column in read(file, "csv").columns:
        if column.kind is Kind.EMPTY:
            assert frame[column.name].null_count() == len(frame)
        else:
            assert KINDS.get(frame[column.name].dtype.base_type(), Kind.TEXT) is column.kind, column.name


def test_a_file_of_several_blocks_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.datasets.csv_file.BLOCK", 100)
    file = tmp_path / "data.csv"
    file.write_text("number\n" + "".join(f"{number}\n" for number in range(1000)))
    assert to_frame(file, "csv")["number"].to_list() == list(range(1000))


def test_a_header_without_rows_is_a_frame_without_rows(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("one,two\n")
    assert to_frame(file, "csv").shape == (0, 2)


def test_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    frame = pl.DataFrame({"number": [1, None], "names": [["a"], []], "day": [date(2026, 1, 31), None]})
    # A name that would be a pattern of names is one all the same.
    frame.write_parquet(tmp_path / "data[1].parquet")
    assert to_frame(tmp_path / "data[1].parquet", "parquet").equals(frame)
