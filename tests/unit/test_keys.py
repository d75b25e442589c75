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
        monkeypatch.setattr(keys, "_in_background", lambda: False)  # whoever started the tests may be
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


BACKGROUND = """
import os, signal, sys, time
from stackgen import keys
if os.fork():
    ended = os.WIFEXITED(os.wait3(os.WUNTRACED)[1])
    os._exit(0 if ended else 1)
os.setpgid(0, 0)
with keys.kept():
    pass
"""


def test_in_the_background_it_goes_on() -> None:
    """Whoever sets a terminal from the background is stopped, as by `stackgen new --yes &`."""
    child, person = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", BACKGROUND])  # noqa: S606
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        os.close(person)
