"""What is found in files, and what becomes of files that are not what they should be."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.datasets import csv_file
from backend.datasets.profile import Column, FileProblem, Kind, Profile
from backend.datasets.profiler import profile
from backend.env import MEBIBYTE


def of(tmp_path: Path, content: bytes | str) -> Profile:
    file = tmp_path / "data.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return profile(file, "csv")


def column(tmp_path: Path, *values: str) -> Column:
    return of(tmp_path, "\n".join(["x,y", *(f"{value},1" for value in values)]) + "\n").columns[0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "+3", "007"], Kind.INTEGER),
        (["1", "2.5", "-.5", "1e6"], Kind.NUMBER),
        (["true", "FALSE", "True"], Kind.BOOLEAN),
        (["2026-01-31", "2026-01-31T10:00:00Z", "2026-01-31 10:00"], Kind.DATE),
        (["1", "two"], Kind.TEXT),
        (["nan", "inf"], Kind.TEXT),
        (["1" * 400], Kind.TEXT),
        (["\u0661", "\u0662"], Kind.TEXT),
        (["", "", " "], Kind.EMPTY),
        (["1", "", "2"], Kind.INTEGER),
    ],
)
def test_a_column_has_the_narrowest_kind_that_holds_for_every_value(
    tmp_path: Path, values: list[str], kind: Kind
) -> None:
    assert column(tmp_path, *values).kind is kind


def test_numbers_are_described(tmp_path: Path) -> None:
    found = column(tmp_path, "2", "4", "4", "4", "5", "5", "7", "9", "")
    assert (found.minimum, found.maximum, found.mean, found.missing, found.distinct) == ("2", "9", 5.0, 1, 5)
    assert found.standard_deviation == pytest.approx(2.13809, abs=1e-5)
    assert found.histogram
    assert (found.histogram.low, found.histogram.high, sum(found.histogram.counts)) == (2.0, 9.0, 8)
    assert found.histogram.counts[0] == found.histogram.counts[-1] == 1
    assert (found.top[0].value, found.top[0].count) == ("4", 3)


def test_one_value_alone_is_described_too(tmp_path: Path) -> None:
    found = column(tmp_path, "3", "3")
    assert (found.standard_deviation, found.histogram and found.histogram.counts[0]) == (0.0, 2)


def test_large_numbers_close_together_keep_their_deviation(tmp_path: Path) -> None:
    # The textbook sum of squares loses all digits here.
    rows = [str(10**12 + number % 2) for number in range(1000)]
    assert column(tmp_path, *rows).standard_deviation == pytest.approx(0.50025, abs=1e-4)


def test_dates_and_texts_are_described(tmp_path: Path) -> None:
    dates = column(tmp_path, "2026-03-01", "2025-12-31")
    assert (dates.minimum, dates.maximum) == ("2025-12-31", "2026-03-01")
    texts = column(tmp_path, "b", "a", "b")
    assert [(top.value, top.count) for top in texts.top] == [("b", 2), ("a", 1)]


def test_too_many_different_values_are_not_counted(tmp_path: Path) -> None:
    found = column(tmp_path, *(f"value {number}" for number in range(1500)))
    assert (found.distinct, found.top) == (None, [])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    found = of(tmp_path, "a,b\n1,2\n".replace(",", delimiter))
    assert [(c.name, c.maximum) for c in found.columns] == [("a", "1"), ("b", "2")]


def test_quotes_line_breaks_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    found = of(tmp_path, '\ufeff"a, b","c\nd"\r\n"x ""y""\nz",1\r\n')
    assert [c.name for c in found.columns] == ["a, b", "c\nd"]
    assert found.columns[0].top[0].value == 'x "y"\nz'


def test_short_rows_are_filled_and_nameless_columns_get_a_name(tmp_path: Path) -> None:
    found = of(tmp_path, "a,,c\n1,2,3\n4\n")
    assert [(c.name, c.missing) for c in found.columns] == [("a", 0), ("column_2", 1), ("c", 1)]


def test_a_file_without_rows_has_empty_columns(tmp_path: Path) -> None:
    found = of(tmp_path, "a,b\n")
    assert (found.rows, [c.kind for c in found.columns]) == (0, [Kind.EMPTY, Kind.EMPTY])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n1,2\n", "first line is empty"),
        (b"a,b\n1,2,3\n", "columns"),
        (b"a,a\n1,2\n", "Two columns have the name 'a'"),
        (b"a,b\n\xff\xfe,1\n", "not UTF-8 text, near byte 4"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-8"),
        (b"a,b\n1,\0\n", "binary data"),
        (b'a,b\n"1,2\n3,4\n', "never closed"),
        (b"a,b\n" + b"x" * 5 * csv_file.MAX_RECORD, "longer than"),
        (b'a,b\n"' + b"x\n" * 3 * csv_file.MAX_RECORD + b'",1\n', "longer than"),
        (",".join(f"c{number}" for number in range(1001)).encode() + b"\n", "1001 columns"),
    ],
    ids=["empty", "no header", "ragged", "twice", "latin", "utf-16", "nul", "quote", "line bomb", "quote bomb", "wide"],
)
def test_a_bad_file_is_explained_to_its_owner(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(FileProblem, match=words):
        of(tmp_path, content)


def test_a_character_cut_by_the_end_of_a_chunk_is_whole_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", 3)
    assert of(tmp_path, "a,b\nä€,ü\n").columns[0].top[0].value == "ä€"
    with pytest.raises(FileProblem, match="never closed"):
        of(tmp_path, 'a,b\n"ä\n\n')


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to such a limit")
def test_a_file_larger_than_the_memory_of_the_process_is_profiled(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    rows = "".join(f"{number},{number % 7},{'x' * 1500}{number}\n" for number in range(2000)).encode()
    with file.open("wb") as out:
        out.write(b"id,group,text\n")
        for _ in range(110):
            out.write(rows)
    limit = file.stat().st_size - 10 * MEBIBYTE

    def profile_within(memory: int) -> "subprocess.CompletedProcess[str]":
        code = (
            "import resource, sys; from pathlib import Path;"
            "from backend.datasets.profiler import profile;"
            f"resource.setrlimit(resource.RLIMIT_DATA, ({memory}, {memory}));"
            "print(profile(Path(sys.argv[1]), 'csv').rows)"
        )
        command = [sys.executable, "-c", code, str(file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert limit > 300 * MEBIBYTE
    enough = profile_within(limit)
    assert enough.stdout.strip() == str(110 * 2000), enough.stderr[-2000:]
    assert profile_within(8 * MEBIBYTE).returncode != 0, "the limit above limits nothing"
