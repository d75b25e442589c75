"""Keys that a person types while nothing is asked: not shown then, and kept for the next question."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stackgen import endings


@contextmanager
def kept() -> Iterator[None]:
    """Let keys wait unseen, and as they are, until something reads them; Ctrl-C still ends the run."""
    if sys.platform == "win32" or not _at_a_terminal():
        yield
        return
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    incoming, outgoing, control, local, *rest = before
    silent = [incoming & ~termios.ICRNL, outgoing, control, local & ~(termios.ECHO | termios.ICANON), *rest]
    try:
        termios.tcsetattr(terminal, termios.TCSANOW, silent)
        yield
    finally:
        with endings.undisturbed(), suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def forget() -> None:
    """Drop the keys that wait."""
    if sys.platform != "win32" and _at_a_terminal():
        import termios

        with suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
