"""What is typed while nothing is asked."""

import os
import pty
import sys
import termios
from collections.abc import Iterator

import pytest

from stackgen import keys


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Give the other end of the terminal that standard input is."""
    person, terminal = pty.openpty()
    with os.fdopen(terminal, closefd=True) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield person
    os.close(person)


def settings() -> list[object]:
    return list(termios.tcgetattr(sys.stdin.fileno()))


def test_keys_are_kept_as_they_are_and_not_shown(person: int) -> None:
    os.set_blocking(person, False)
    with keys.kept():
        os.write(person, b"my-shop\r\x15")
        assert os.read(sys.stdin.fileno(), 100) == b"my-shop\r\x15"
    with pytest.raises(BlockingIOError):
        os.read(person, 100)


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("end", [None, KeyboardInterrupt, OSError])
def test_the_terminal_is_as_it_was_however_it_ends(end: type[BaseException] | None) -> None:
    before = settings()
    try:
        with keys.kept():
            assert settings() != before
            if end:
                raise end
    except (KeyboardInterrupt, OSError):
        pass
    assert settings() == before


def test_keys_can_be_dropped(person: int) -> None:
    with keys.kept():
        os.write(person, b"\r\r")
        keys.forget()
        os.write(person, b"n")
        assert os.read(sys.stdin.fileno(), 100) == b"n"


def test_where_there_is_no_terminal_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with keys.kept():
        keys.forget()
