"""What counts as lost: told from files before and after alone, without knowing how an update came about."""

from pathlib import Path

import pytest

from stackgen.proof import Loss, Proof

TEMPLATE = b"one\ntwo\nthree\n"


def losses(
    folder: Path, had: dict[str, bytes], has: dict[str, bytes], named: dict[str, list[bytes]] | None = None
) -> list[Loss]:
    project, template, after = folder / "project", folder / "template", folder / "after"
    for place, files in ((project, had), (template, {"file": TEMPLATE}), (after, has)):
        place.mkdir()
        for name, content in files.items():
            (place / name).write_bytes(content)
    return list(Proof(project, template, had).losses(after, had | has, named or {}))


@pytest.mark.parametrize(
    ("had", "has"),
    [
        (b"one\nmine\ntwo\nthree\n", b"ONE\nmine\nTWO\n"),
        (b"one\r\nmine\r\ntwo\r\n", b"mine\n"),
        (b"one\nmine", b"mine\nmore\n"),
        (b"one\n\n\n \ntwo\n", b"one\n"),
        (b"two\ntwo\n", b"two\n"),
        (TEMPLATE, b""),
        (b"caf\xe9\n", b"<<<<<<< yours\ncaf\xe9\n=======\n"),
        (b"\0mine\n", b"\0mine\n"),
        (b"mine\n" * 2000 + b"\0\n", b"ONE\n" + b"mine\n" * 2000 + b"\0\n"),
        (b"one\n" + b"\n" * 8000 + b"\0\n", b"ONE\n\0\n"),
    ],
)
def test_nothing_is_lost_while_every_line_of_ones_own_is_there(tmp_path: Path, had: bytes, has: bytes) -> None:
    assert losses(tmp_path, {"file": had}, {"file": has}) == []


@pytest.mark.parametrize(
    ("had", "has", "line", "text"),
    [
        (b"one\nmine\ntwo\n", b"one\ntwo\n", 2, "mine"),
        (b"one\nmine\ntwo\nmine\n", b"mine\n", 2, "mine"),
        (b"two\ntwo\n", b"one\n", 1, "two"),
        (b"caf\xe9\n", b"caf\n", 1, "caf\\xe9"),
        (b"mine \n", b"mine\n", 1, "mine "),
    ],
)
def test_a_line_that_is_gone_is_named_with_its_place(
    tmp_path: Path, had: bytes, has: bytes, line: int, text: str
) -> None:
    assert losses(tmp_path, {"file": had}, {"file": has})[0] == Loss("file", line, text)


def test_what_is_no_text_may_not_change_at_all(tmp_path: Path) -> None:
    assert losses(tmp_path, {"file": b"\0mine\nsecond\n"}, {"file": b"\0mine\nother\n"}) != []


def test_a_file_that_went_is_looked_for_whole_in_one_that_came(tmp_path: Path) -> None:
    had = {"file": b"one\nmine\nalso mine\n"}
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    assert losses(tmp_path / "good", had, {"moved": b"mine\nalso mine\n", "other": b""}) == []
    assert losses(tmp_path / "bad", had, {"first": b"mine\n", "second": b"also mine\n"}) != []


def test_a_file_that_the_user_renamed_may_lose_the_templates_lines_only(tmp_path: Path) -> None:
    had = {"renamed": b"one\ntwo\nmine\n"}
    assert losses(tmp_path, had, {"renamed": b"ONE\nmine\n"}) == []


def test_a_line_that_the_report_names_is_not_lost(tmp_path: Path) -> None:
    had = {"file": b"one\nmine\n"}
    assert losses(tmp_path, had, {"file": b"one\n"}, {"file": [b"mine"]}) == []


def test_what_git_keeps_otherwise_than_it_stands_there_is_compared_as_it_is_kept(tmp_path: Path) -> None:
    for place, content in (("project", b"MINE\nYOURS\n"), ("template", TEMPLATE), ("after", b"+mine\n")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "file").write_bytes(content)
    proof = Proof(
        tmp_path / "project", tmp_path / "template", ["file"], lambda _, content: content.lower().removeprefix(b"+")
    )
    assert list(proof.losses(tmp_path / "after", ["file"], {})) == [Loss("file", 2, "yours")]
