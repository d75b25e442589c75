"""Data sets in the other format: what a copy holds, who gets one, and how long it stays."""

import os
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from backend.audit.models import Action, Entry
from backend.datasets import profiler, tasks
from backend.datasets.files import FilesAwayError
from backend.datasets.frames import to_frame
from backend.datasets.models import COPIES_LAST, Copy, Dataset
from backend.datasets.profile import FileProblem, Kind
from backend.datasets.reader import read
from backend.datasets.rewriter import rewrite
from backend.teams.models import Team
from tests.conftest import Browser
from tests.datasets.conftest import CSV, Api
from tests.datasets.test_frames import COLUMNS

MOST = 10**9
DIGITS = 12345678901234567890123


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(settings: Any) -> Iterator[None]:
    yield
    assert list(Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload")) == []


# --- What it holds ----------------------------------------------------------------------------------------------


def to_parquet(tmp_path: Path, content: bytes) -> pl.DataFrame:
    file, target = tmp_path / "data.csv", tmp_path / "copy"
    file.write_bytes(content)
    rewrite(file, "csv", target, MOST)
    return pl.read_parquet(target)


def test_the_columns_of_a_copy_have_the_types_that_the_profile_tells_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [list(COLUMNS), *zip(*(texts for texts, _ in COLUMNS.values()), strict=True)]
    # A block for each row: what is no whole number is known at the end alone.
    monkeypatch.setattr("backend.datasets.csv_file.BLOCK", 10)
    copy = to_parquet(tmp_path, "\n".join(";".join(row) for row in rows).encode())
    assert copy.to_dict(as_series=False) == {name: values for name, (_, values) in COLUMNS.items()}
    kinds = {
        pl.Int64: {Kind.INTEGER},
        pl.Decimal: {Kind.INTEGER},
        pl.Float64: {Kind.NUMBER},
        pl.Boolean: {Kind.BOOLEAN},
        pl.Date: {Kind.DATE},
        pl.Datetime: {Kind.DATE},
        pl.String: {Kind.TEXT, Kind.EMPTY},
    }
    found = read(tmp_path / "data.csv", "csv").columns
    assert [column.name for column in found if column.kind not in kinds[copy[column.name].dtype.base_type()]] == []
    assert {column.kind for column in found} == set(Kind) - {Kind.DURATION}


def test_a_value_of_the_last_block_decides_for_the_whole_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.datasets.csv_file.BLOCK", 100)
    lines = [f"{number},{number},2026-01-0{number % 9 + 1},{number}" for number in range(1000)]
    content = "\n".join(["real,text,moment,large", *lines, f"0.5,x,2026-01-01 10:00,{DIGITS}"])
    copy = to_parquet(tmp_path, content.encode())
    assert [kind.base_type() for kind in copy.dtypes] == [pl.Float64, pl.String, pl.Datetime, pl.Decimal]
    last = (0.5, "x", datetime.fromisoformat("2026-01-01T10:00"), DIGITS)
    assert (len(copy), copy.row(-1), copy.row(7)[:2]) == (1001, last, (7.0, "7"))


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b"a,b\n", {"a": [], "b": []}),
        (b"a,a\n1,2\n3\n", {"a": [1, 3], "a.1": [2, None]}),
        (f"large\n{10**38}\n".encode(), {"large": [str(10**38)]}),
    ],
)
def test_odd_files_have_copies(tmp_path: Path, content: bytes, columns: dict[str, list[Any]]) -> None:
    assert to_parquet(tmp_path, content).to_dict(as_series=False) == columns


def test_a_table_in_parquet_becomes_the_same_table_in_csv(tmp_path: Path) -> None:
    file, target = tmp_path / "data.parquet", tmp_path / "copy.csv"
    table = pl.DataFrame(
        {
            "whole": [1, None, 3],
            "real": [0.1, 1e300, None],
            "flag": [True, None, False],
            "text": ['a "b"\nc', "", None],
            "day": [date(2026, 1, 31), None, date(1, 1, 1)],
            "long": [timedelta(hours=30), None, timedelta(0)],
            "kind": pl.Series(["x", None, "x"], dtype=pl.Categorical),
            "exact": pl.Series(["1.10", None, "2.20"]).cast(pl.Decimal(10, 2)),
        }
    )
    pl.concat([table] * 2_000, rechunk=True).write_parquet(file, row_group_size=100)
    rewrite(file, "parquet", target, MOST)
    text, back = target.read_text(), pl.read_csv(target)
    assert (len(back), back.columns) == (6_000, table.columns)
    assert back.head(3).drop("text").to_dict(as_series=False) == {
        "whole": [1, None, 3],
        "real": [0.1, 1e300, None],
        "flag": [True, None, False],
        "day": ["2026-01-31", None, "0001-01-01"],
        "long": ["P1DT6H", None, "PT0S"],
        "kind": ["x", None, "x"],
        "exact": [1.1, None, 2.2],
    }
    assert [text.count(value) for value in (',"a ""b""\nc",', ',"",', "whole,real")] == [2_000, 2_000, 1]


def test_columns_that_are_not_read_at_once_stay_in_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, target = tmp_path / "data.csv", tmp_path / "copy.parquet"
    table = pl.DataFrame({f"c{n}": [f"{row} of {n}" if n % 2 else row + n for row in range(500)] for n in range(7)})
    table.write_csv(file)
    monkeypatch.setattr("backend.datasets.engine.COLUMNS_AT_ONCE", 3)
    monkeypatch.setattr("backend.datasets.csv_file.BLOCK", 5_000)
    monkeypatch.setattr("backend.datasets.engine.BYTES_PER_COLUMN", 1)
    rewrite(file, "csv", target, MOST)
    assert pl.read_parquet(target).equals(table)
    assert to_frame(file, "csv").equals(table)


def test_what_csv_has_no_place_for_is_said(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    pl.DataFrame({"a": [1], "many": [[1]], "raw": [b"x"]}).write_parquet(file)
    with pytest.raises(FileProblem, match="lists, structures or bytes of many, raw"):
        rewrite(file, "parquet", tmp_path / "copy", MOST)
    pl.DataFrame({"far": pl.Series([10**17]).cast(pl.Datetime("ms"))}).write_parquet(file)
    with pytest.raises(FileProblem, match="cannot be written in the other format"):
        rewrite(file, "parquet", tmp_path / "copy", MOST)
    pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}).write_parquet(file)
    rewrite(file, "parquet", tmp_path / "copy", MOST)
    assert (tmp_path / "copy").read_text() == "a\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to such limits")
def test_a_copy_is_made_in_bounded_memory_and_is_no_larger_than_it_may_be(tmp_path: Path) -> None:
    file, csv, again = tmp_path / "data.parquet", tmp_path / "copy.csv", tmp_path / "again.parquet"
    number = pl.int_range(400_000, eager=True)
    # 400 MB, in one row group.
    table = pl.DataFrame({f"c{n}": number.hash(n).cast(pl.String).str.pad_end(200, "x") for n in range(5)})
    table.with_columns(n=number).write_parquet(file, row_group_size=len(number))
    profiler.rewrite(file, "parquet", csv, MOST)
    assert csv.stat().st_size > 400_000_000
    profiler.rewrite(csv, "csv", again, MOST)
    assert pl.scan_parquet(again).select(pl.col("n").sum(), pl.col("c4").hash().sum()).collect().row(0) == (
        number.sum(),
        table["c4"].hash().sum(),
    )
    for source, file_format in ((file, "parquet"), (csv, "csv")):
        with pytest.raises(FileProblem, match="would be larger than 1000000 bytes"):
            profiler.rewrite(source, file_format, tmp_path / "large", 1_000_000)
        assert (tmp_path / "large").stat().st_size <= 1_000_000
    file.unlink()
    pl.DataFrame({"x": ["y" * 400_000_000]}).write_parquet(file)
    with pytest.raises(FileProblem, match="more than 300 MiB of memory"):
        profiler.rewrite(file, "parquet", csv, MOST)


# --- Who gets one -----------------------------------------------------------------------------------------------


def test_a_copy_is_asked_for_made_and_given(
    api: Api, viewer: Api, dataset: Dataset, run_tasks: Callable[[], int]
) -> None:
    path = f"/datasets/{dataset.pk}/copy"
    assert (api("GET", path).status_code, api("GET", f"{path}/file").status_code) == (404, 404)
    asked = viewer("POST", path)
    assert (asked.status_code, asked.json()["status"], asked.json()["format"]) == (202, "making", "parquet")
    early = api("GET", f"{path}/file")
    assert (early.status_code, early.json()["detail"]) == (409, "The copy is not ready yet.")
    # Who asks twice has it made once.
    assert api("POST", path).json() == asked.json()
    assert run_tasks() == 1
    made = api("GET", path).json()
    assert (made["status"], made["size"] > 100) == ("ready", True)
    assert (api("POST", path).json(), run_tasks()) == (made, 0)
    file = viewer("GET", f"{path}/file")
    content = b"".join(file.streaming_content)
    assert (len(content), file["Content-Disposition"]) == (made["size"], 'attachment; filename="fruit.parquet"')
    table = pl.read_parquet(content)
    assert table.row(0) == ("Apple", 1.5, True, date(2026, 1, 1))
    assert table.dtypes == [pl.String, pl.Float64, pl.Boolean, pl.Date]
    part = viewer("GET", f"{path}/file", Range="bytes=0-3", **{"If-Range": file["ETag"]})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, b"PAR1")
    original = viewer("GET", f"/datasets/{dataset.pk}/file")
    assert (b"".join(original.streaming_content), original["ETag"] == file["ETag"]) == (CSV, False)
    entries = [(entry.action, entry.actor, entry.details) for entry in Entry.objects.all()]
    assert (Action.COPIED, "vi@example.com", {"format": "parquet"}) in entries
    assert (Action.DOWNLOADED, "vi@example.com", {"format": "parquet"}) in entries


def test_a_parquet_file_is_had_as_csv(api: Api, team: Team, tmp_path: Path, run_tasks: Callable[[], int]) -> None:
    file = tmp_path / "data.parquet"
    pl.DataFrame({"a": [1, 2]}).write_parquet(file)
    path = f"/datasets/{api.upload(team, file.read_bytes(), 'data.parquet').json()['id']}/copy"
    assert api("POST", path).json()["detail"] == "The profile is not ready yet."
    run_tasks()
    assert api("POST", path).json()["format"] == "csv"
    run_tasks()
    csv = api("GET", f"{path}/file")
    assert (b"".join(csv.streaming_content), csv["Content-Disposition"]) == (
        b"a\n1\n2\n",
        'attachment; filename="data.csv"',
    )


def test_why_there_is_no_copy_is_said_and_it_can_be_asked_for_again(
    api: Api, browser: Browser, dataset: Dataset, run_tasks: Callable[[], int], settings: Any
) -> None:
    path = f"/datasets/{dataset.pk}/copy"
    settings.MAX_TEAM_BYTES = dataset.size + 10
    api("POST", path)
    run_tasks()
    failed = api("GET", path).json()
    assert (failed["status"], failed["problem"][-41:]) == ("failed", "bytes, and the team has room for 10 more.")
    assert api("GET", f"{path}/file").json()["detail"] == failed["problem"]
    assert not default_storage.exists(Copy.objects.get().stored_name)
    settings.MAX_TEAM_BYTES = 10**9
    assert (api("POST", path).json()["status"], run_tasks()) == ("making", 1)
    made = api("GET", path).json()
    assert (made["status"], made["problem"]) == ("ready", "")
    # What it takes is the team's.
    settings.MAX_TEAM_BYTES = dataset.size + made["size"] + dataset.size - 1
    assert api.upload(dataset.team).status_code == 409
    settings.MAX_TEAM_BYTES += 1
    assert api.upload(dataset.team).status_code == 202


def test_a_copy_that_fails_for_good_is_said_to(
    api: Api, dataset: Dataset, run_tasks: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the rewriter ended with 1")

    monkeypatch.setattr("backend.datasets.profiler.rewrite", broken)
    path = f"/datasets/{dataset.pk}/copy"
    api("POST", path)
    now = timezone.now()
    for attempt in range(3):
        monkeypatch.setattr("django.utils.timezone.now", partial(datetime.__add__, now, timedelta(hours=attempt)))
        run_tasks()
    assert api("GET", path).json()["problem"] == tasks.NO_COPY


def test_a_page_has_the_other_format(browser: Browser, dataset: Dataset, run_tasks: Callable[[], int]) -> None:
    page = f"/datasets/{dataset.pk}/"
    assert "Have it written as Parquet" in browser.open(page).content.decode()
    asked = browser.send(f"{page}copy/").content.decode()
    assert ("data-live" in asked, "The Parquet file is being written" in asked) == (True, True)
    assert "Have it written" not in asked
    run_tasks()
    ready = browser.open(page).content.decode()
    assert (f"/api/datasets/{dataset.pk}/copy/file" in ready, "data-live" in ready) == (True, False)
    assert "Write a copy" in browser.open("/tasks/").content.decode()
    Copy.objects.get().set_failed("Too <odd>.")
    failed = browser.open(page).content.decode()
    assert ("Too &lt;odd&gt;." in failed, "Have it written as Parquet" in failed) == (True, True)


# --- How long it stays ------------------------------------------------------------------------------------------


def test_a_copy_goes_after_a_day_and_with_its_data_set(
    api: Api, dataset: Dataset, run_tasks: Callable[[], int], django_capture_on_commit_callbacks: Any
) -> None:
    def names() -> list[str]:
        return default_storage.listdir("datasets")[1]

    path = f"/datasets/{dataset.pk}/copy"
    original, copied = f"{dataset.pk}.csv", f"{dataset.pk}.parquet"
    api("POST", path)
    run_tasks()
    assert {original, copied} <= set(names())
    assert (tasks.remove_orphans.call(), copied in names()) == (0, True)
    Copy.objects.update(asked_at=timezone.now() - COPIES_LAST - timedelta(seconds=1))
    assert tasks.remove_orphans.call() == 1
    assert (Copy.objects.count(), original in names(), copied in names()) == (0, True, False)
    api("POST", path)
    run_tasks()
    with django_capture_on_commit_callbacks(execute=True):
        assert api("DELETE", f"/datasets/{dataset.pk}").status_code == 204
    assert (Copy.objects.count(), {original, copied} & set(names())) == (0, set())


def test_a_copy_whose_file_cannot_be_deleted_is_known_until_it_can(
    api: Api, dataset: Dataset, run_tasks: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_name: str) -> None:
        raise FilesAwayError("no bucket")

    api("POST", f"/datasets/{dataset.pk}/copy")
    run_tasks()
    Copy.objects.update(asked_at=timezone.now() - COPIES_LAST - timedelta(seconds=1))
    with monkeypatch.context() as patched:
        patched.setattr(default_storage, "delete", away)
        with pytest.raises(FilesAwayError):
            tasks.remove_orphans.call()
    assert (Copy.objects.count(), tasks.remove_orphans.call(), Copy.objects.count()) == (1, 1, 0)


def test_a_copy_of_what_was_deleted_meanwhile_is_not_kept(
    api: Api, dataset: Dataset, run_tasks: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = profiler.rewrite

    def deleted_meanwhile(*about: Any) -> None:
        original(*about)
        Dataset.objects.get(pk=dataset.pk).delete()

    monkeypatch.setattr("backend.datasets.profiler.rewrite", deleted_meanwhile)
    api("POST", f"/datasets/{dataset.pk}/copy")
    assert run_tasks() == 1
    assert not default_storage.exists(f"datasets/{dataset.pk}.parquet")
    assert (Copy.objects.count(), tasks.make_copy.call(str(dataset.pk))) == (0, "deleted")


def test_a_copy_is_moved_to_its_place(
    api: Api, dataset: Dataset, run_tasks: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[Path] = []
    rename = os.rename

    def note(old: str, new: str) -> None:
        moved.append(Path(new))
        rename(old, new)

    monkeypatch.setattr("django.core.files.move.os.rename", note)
    api("POST", f"/datasets/{dataset.pk}/copy")
    run_tasks()
    kept = Path(default_storage.path(Copy.objects.get().stored_name))
    assert moved == [kept]
    assert kept.stat().st_mode & 0o777 == 0o640
