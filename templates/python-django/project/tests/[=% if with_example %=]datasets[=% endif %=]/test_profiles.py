"""What is found in files, and what becomes of files that are not what they should be."""

import sys
from pathlib import Path

import pytest

from backend.datasets import csv_file, profiler
from backend.datasets.forms import MISSING
from backend.datasets.profile import Column, FileProblem, Kind, Profile
from backend.datasets.reader import read


def of(tmp_path: Path, content: bytes | str) -> Profile:
    file = tmp_path / "data.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(file, "csv")


def column(tmp_path: Path, *values: str) -> Column:
    return of(tmp_path, "\n".join(["x,y", *(f"{value},1" for value in values)]) + "\n").columns[0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "+3", "007"], Kind.INTEGER),
        (["1", "2.5", "-.5", "1e6"], Kind.NUMBER),
        (["true", "FALSE", "True"], Kind.BOOLEAN),
        (["2026-01-31", "2026-01-31T10:00:00Z", "2026-01-31 10:00"], Kind.DATE),
        (["2026/01/31", "2026/02/01 10:00"], Kind.DATE),
        (["31.01.2026", "01.02.2026"], Kind.DATE),
        (["31/01/2026", "01/02/2026"], Kind.DATE),
        (["01/31/2026", "02/01/2026"], Kind.DATE),
        (["Jan 31 2026", "Feb 1 2026"], Kind.DATE),
        (["2023-19-39", "2023-01-01"], Kind.TEXT),
        (["31/01/2026", "01/31/2026"], Kind.TEXT),
        (["01/31/26", "0/0/0"], Kind.TEXT),
        (["1", "two"], Kind.TEXT),
        (["nan", "inf"], Kind.NUMBER),
        (["1e999", "-Infinity", "2"], Kind.NUMBER),
        (["1" * 39, "two"], Kind.TEXT),
        (["\u0661", "\u0662"], Kind.TEXT),
        (["", "", " "], Kind.EMPTY),
        (["1", "", "2"], Kind.INTEGER),
        *((["1", missing, "2"], Kind.INTEGER) for missing in MISSING),
        (["NA", "NULL"], Kind.EMPTY),
        (["x", "NA"], Kind.TEXT),
    ],
)
def test_a_column_has_the_narrowest_kind_that_holds_for_every_value(
    tmp_path: Path, values: list[str], kind: Kind
) -> None:
    assert column(tmp_path, *values).kind is kind


def test_the_first_rows_are_shown_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In several parts.
    monkeypatch.setattr("backend.datasets.csv_file.BLOCK", 5_000)
    monkeypatch.setattr("backend.datasets.engine.BYTES_PER_COLUMN", 1)
    names = ",".join(f"c{number}" for number in range(60))
    rows = [",".join([str(row), "NA", "", "x" * 300, *["1"] * 56]) for row in range(120)]
    found = of(tmp_path, "\n".join([names, *rows])).preview
    assert ([row[0] for row in found], {len(row) for row in found}) == ([str(row) for row in range(100)], {50})
    assert found[0][1:4] == ["NA", None, "x" * 199 + "…"]
    assert of(tmp_path, "a,b\n").preview == []


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


def test_many_different_values_are_estimated_and_the_frequent_ones_counted(tmp_path: Path) -> None:
    values = [word for number in range(50_000) for word in (f"value {number}", "often" if number % 3 else "seldom")]
    found = column(tmp_path, *values)
    assert found.distinct_is_estimate
    assert found.distinct == pytest.approx(50_002, rel=0.1)
    assert [(top.value, top.count) for top in found.top] == [("often", 33_333), ("seldom", 16_667)]
    assert found.top[0].share == pytest.approx(1 / 3, abs=1e-4)
    few = column(tmp_path, *(str(number % 700) for number in range(2_000)))
    assert (few.distinct, few.distinct_is_estimate) == (700, False)


def test_quartiles_are_exact_for_a_small_file_and_close_for_a_large_one(tmp_path: Path) -> None:
    small = of(tmp_path, "x\n" + "".join(f"{number}\n" for number in (1, 2, 3, 4, 10)))
    assert small.sampled_rows is None
    found = small.columns[0]
    assert (found.first_quartile, found.median, found.third_quartile) == (2.0, 3.0, 4.0)
    large = of(tmp_path, "x\n" + "".join(f"{number * 7919 % 100_003}\n" for number in range(100_003)))
    assert large.sampled_rows == 10_000
    assert large.columns[0].median == pytest.approx(50_001, rel=0.05)
    assert large.columns[0].mean == pytest.approx(50_001)


def test_columns_that_go_together_are_told(tmp_path: Path) -> None:
    rows = "".join(f"{n},{2 * n + 1},{-n},{n * 7919 % 101},word,1\n" for n in range(1, 200))
    found = {(each.one, each.other): each.pearson for each in of(tmp_path, f"a,b,c,d,e,f\n{rows}").correlations}
    assert found["a", "b"] == pytest.approx(1)
    assert found["a", "c"] == pytest.approx(-1)
    assert abs(found["a", "d"]) < 0.2
    assert not [pair for pair in found if "e" in pair or "f" in pair]


def test_large_integers_keep_every_digit(tmp_path: Path) -> None:
    for least, most in ((2**53 + 1, 2**63 - 1), (2**63 + 1, 2**64 - 1), (-(10**37), 10**37 + 1)):
        found = column(tmp_path, str(least), str(most))
        assert (found.kind, found.minimum, found.maximum) == (Kind.INTEGER, str(least), str(most))


def test_moments_with_offsets_are_compared_as_instants(tmp_path: Path) -> None:
    found = column(tmp_path, "2026-01-01T12:00:00+09:00", "2026-01-01T05:00:00Z", "2026-01-01T01:00:00-0500")
    assert (found.kind, found.minimum, found.maximum) == (Kind.DATE, "2026-01-01T03:00:00", "2026-01-01T06:00:00")


def test_dates_have_a_histogram_over_their_range(tmp_path: Path) -> None:
    found = column(tmp_path, "2026-01-01", "2026-01-02", "2026-01-21")
    assert found.histogram
    assert (found.histogram.low, found.histogram.high) == (1767225600.0, 1768953600.0)
    assert (found.histogram.counts[0], found.histogram.counts[1], found.histogram.counts[-1]) == (1, 1, 1)


def test_infinite_values_are_counted_and_left_out(tmp_path: Path) -> None:
    found = column(tmp_path, "1", "inf", "3", "-inf")
    assert (found.infinite, found.minimum, found.maximum, found.mean, found.median) == (2, "1.0", "3.0", 2.0, 2.0)
    assert found.notes == ["2 values are infinite; they are left out of every number."]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["1", "NA", "NA"], "2 times NA, which counts as missing."),
        (["same", "same"], "All values are the same."),
        (["1", "2", "3", "x"], "3 of 4 values are numbers, and the others are not."),
        (["01067", "80331"], "1 values begin with a zero: codes rather than numbers?"),
        (["01/02/2026"], "Read as month/day/year; day/month/year would be possible, too."),
        ([f"id {number}" for number in range(60)], "Nearly every value is different: an identifier?"),
    ],
)
def test_what_is_suspicious_is_told(tmp_path: Path, values: list[str], note: str) -> None:
    assert note in column(tmp_path, *values).notes
    assert column(tmp_path, "1.5", "2.5", "3.5").notes == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    found = of(tmp_path, "a,b\n1,2\n".replace(",", delimiter))
    assert [(c.name, c.maximum) for c in found.columns] == [("a", "1"), ("b", "2")]


def test_quotes_line_breaks_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    found = of(tmp_path, '\ufeff"a, b","c\nd"\r\n"x ""y""\nz",1\r\n')
    assert [c.name for c in found.columns] == ["a, b", "c\nd"]
    assert found.columns[0].top[0].value == 'x "y"\nz'


def test_a_line_may_end_as_on_an_old_mac(tmp_path: Path) -> None:
    found = of(tmp_path, "a,b\r1,2\r3,4\r")
    assert (found.rows, [c.maximum for c in found.columns]) == (2, ["3", "4"])


def test_a_letter_that_only_unicode_calls_a_line_break_is_a_letter(tmp_path: Path) -> None:
    found = of(tmp_path, "a\u2028b,c\x0bd\n1,2\n")
    assert [(c.name, c.maximum) for c in found.columns] == [("a\u2028b", "1"), ("c\x0bd", "2")]


@pytest.mark.parametrize(
    ("encoding", "called"),
    [
        ("latin-1", "windows-1252"),
        ("cp1252", "windows-1252"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_other_encodings_are_found_and_told(tmp_path: Path, encoding: str, called: str) -> None:
    found = of(tmp_path, "größe,ort\n1,Köln\n2,Paris\n".encode(encoding))
    assert found.encoding == called
    assert [(c.name, c.maximum or c.top[0].value) for c in found.columns] == [("größe", "2"), ("ort", "Köln")]


def test_excel_may_name_the_delimiter_and_germans_write_decimals_with_commas(tmp_path: Path) -> None:
    found = of(tmp_path, "sep=;\r\nprice;name\r\n1,5;a\r\n2;b\r\n,25;c\r\n")
    assert found.delimiter == ";"
    assert (found.columns[0].kind, found.columns[0].minimum, found.columns[0].maximum) == (Kind.NUMBER, "0.25", "2.0")
    assert found.columns[0].notes == ["Commas stand for decimal points."]
    assert [c.kind for c in of(tmp_path, 'sep=|\n"a,b"|c,d,e\n1|2\n').columns] == [Kind.INTEGER] * 2


def test_columns_of_the_same_name_and_without_one_get_their_own(tmp_path: Path) -> None:
    found = of(tmp_path, "a,a,,a.1,a,column_3\n1,2,3,4,5,6\n")
    assert [c.name for c in found.columns] == ["a", "a.2", "column_3.1", "a.1", "a.3", "column_3"]
    assert [c.maximum for c in found.columns] == ["1", "2", "3", "4", "5", "6"]


def test_empty_lines_are_no_rows(tmp_path: Path) -> None:
    found = of(tmp_path, '\n\na,b\n\n1,2\n\r\n\n"x\n\ny",4\n\n')
    assert (found.rows, [c.name for c in found.columns], found.columns[0].missing) == (2, ["a", "b"], 0)
    assert "x\n\ny" in [top.value for top in found.columns[0].top]


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
        (b"\n\n", "no header"),
        (b"a,b\n1,2,3\n", "columns"),
        (b"\xef\xbb\xbfa,b\n\xff\xfe,1\n", "begins as UTF-8"),
        (b"a,b\n1,\0\n", "binary data"),
        (b'a,b\n"1,2\n3,4\n', "never closed"),
        (b"a,b\n" + b"x" * 5 * csv_file.MAX_RECORD, "longer than"),
        (b'a,b\n"' + b"x\n" * 3 * csv_file.MAX_RECORD + b'",1\n', "longer than"),
        (b"c," * 20_000 + b"c\n", "20001 columns"),
    ],
    ids=["empty", "no header", "ragged", "mark", "nul", "quote", "line bomb", "quote bomb", "wide"],
)
def test_a_bad_file_is_explained_to_its_owner(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(FileProblem, match=words):
        of(tmp_path, content)


def test_a_character_cut_by_the_end_of_a_chunk_is_whole_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", 3)
    assert of(tmp_path, "a,b\nä€,ü\n").columns[0].top[0].value == "ä€"
    with pytest.raises(FileProblem, match="never closed"):
        of(tmp_path, 'a,b\n"ä\n\n')


def test_a_row_may_be_short_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", 3)  # each row is the first of a block
    found = of(tmp_path, "a,b,c\n## part one\n1,2,3\n4\n5,6\n")
    assert (found.rows, [each.missing for each in found.columns]) == (4, [0, 2, 3])


def test_a_value_that_goes_on_behind_its_quotation_mark_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="behind its closing quotation mark"):
        of(tmp_path, '"a" "b"\n"one" 2\n')


def test_a_number_is_counted_once_however_it_is_written(tmp_path: Path) -> None:
    for values, distinct in (
        (["1", "01", "+1", "2"], 2),
        (["0", "-0", "0.0", "-0.0", "1e0", "1"], 2),
        (["9007199254740993", "9007199254740992"], 2),
        (["-9007199254740993", "-9007199254740992"], 2),
        (["1", "01", "one"], 3),
    ):
        assert column(tmp_path, *values).distinct == distinct, values
    assert of(tmp_path, "x;y\n1,50;1\n1,5;2\n").columns[0].distinct == 1


def test_a_file_of_two_thousand_columns_is_profiled(tmp_path: Path) -> None:
    header = ",".join(f"c{number}" for number in range(2_000))
    row = ",".join(str(number) for number in range(2_000))
    found = of(tmp_path, f"{header}\n{row}\n{row}\n")
    assert (found.rows, len(found.columns), found.columns[-1].maximum) == (2, 2_000, "1999")


def test_columns_that_are_not_read_at_once_are_profiled_as_if_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ",".join(f"c{number}" for number in range(7))
    rows = [",".join(str((row * 31 + n * 7) % 11) for n in range(7)) for row in range(2_000)]
    text = "\n".join([names, *rows, "1,2", "text,,,,,,3"])  # one row is short
    monkeypatch.setattr("backend.datasets.csv_file.BLOCK", 5_000)
    monkeypatch.setattr("backend.datasets.engine.BYTES_PER_COLUMN", 1)
    whole = of(tmp_path, text)
    assert (whole.rows, whole.columns[6].missing, whole.columns[0].kind) == (2_002, 1, Kind.TEXT)
    monkeypatch.setattr("backend.datasets.engine.COLUMNS_AT_ONCE", 3)
    assert of(tmp_path, text) == whole
    with pytest.raises(FileProblem, match="more values than"):
        of(tmp_path, f"{names}\n1,2,3,4,5,6,7,8\n")


def test_a_file_that_takes_too_much_memory_or_time_is_refused_and_the_worker_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(b"a,b\n" + b"1,2\n" * 100_000)
    assert profiler.profile(file, "csv").rows == 100_000
    file.write_bytes(b"a,b\n1,2,3\n")
    with pytest.raises(FileProblem, match="more values than"):
        profiler.profile(file, "csv")
    file.unlink()
    with pytest.raises(RuntimeError, match="No such file"):
        profiler.profile(file, "csv")
    file.write_bytes(b"a,b\n" + b"1,2\n" * 1_000_000)
    monkeypatch.setattr(profiler, "SECONDS", 0.1)
    with pytest.raises(FileProblem, match="takes longer than"):
        profiler.profile(file, "csv")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to such a limit")
@pytest.mark.parametrize(("shape", "mebibytes"), [("long", 310), ("wide", 24), ("wider", 2), ("many values", 24)])
def test_a_large_file_is_profiled_within_the_limit(tmp_path: Path, shape: str, mebibytes: int) -> None:
    rows = {
        "long": "".join(f"{number},{number % 7},{'x' * 1500}{number}\n" for number in range(2000)),
        "wide": "".join(",".join(str((row * 7919 + n) % 9973) for n in range(1000)) + "\n" for row in range(700)),
        "wider": "".join(",".join(f"text {row * n:09} of it" for n in range(5000)) + "\n" for row in range(10)),
        "many values": "".join(f"{number * 48271 % 999983},{number * 69621 % 999979}\n" for number in range(250_000)),
    }[shape].encode()
    file = tmp_path / "large.csv"
    with file.open("wb") as out:
        out.write(b"c," * (rows.partition(b"\n")[0].count(b",")) + b"c\n")
        while out.tell() < mebibytes * 1024 * 1024:
            out.write(rows)
    found = profiler.profile(file, "csv")
    assert found.rows % rows.count(b"\n") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to such a limit")
def test_the_limit_limits_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(b"a,b\n" + b"1,2\n" * 1_000_000)
    monkeypatch.setattr(profiler, "MEBIBYTES", 40)
    with pytest.raises(FileProblem, match="more than 40 MiB of memory: write shorter values or fewer columns"):
        profiler.profile(file, "csv")


def test_a_profile_of_before_there_were_shares_tells_them() -> None:
    column = {"name": "fruit", "kind": "text", "missing": 1, "distinct": 2}
    kept = {"rows": 5, "columns": [column | {"top": [{"value": "fig", "count": 3}, {"value": "kiwi", "count": 1}]}]}
    assert [each.share for each in Profile.model_validate(kept).columns[0].top] == [0.75, 0.25]
