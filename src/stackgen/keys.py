"""Keys that a person types while nothing is asked: not shown then, and kept for the next question."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stackgen import endings


@contextmanager
def kept() -> Iterator[None]:
    """Let keys wait unseen, and as they are, until something reads them; Ctrl-C still ends the run."""
    if sys.platform == "win32" or not _at_a_terminal() or _in_background():
        yield
        return
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    incoming, outgoing, control, local, *rest = before
    silent = [incoming & ~termios.ICRNL, outgoing, control, local & ~(termios.ECHO | termios.ICANON), *rest]
    try:
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, silent)
        yield
    finally:
        # The terminal may be gone, or the shell's again.
        with endings.undisturbed(), suppress(termios.error):
            if not _in_background():
                termios.tcsetattr(terminal, termios.TCSANOW, before)


def forget() -> None:
    """Drop the keys that wait."""
    if sys.platform != "win32" and _at_a_terminal() and not _in_background():
        import termios

        with suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _in_background() -> bool:
    """Tell whether the terminal is another's: whoever sets it then is stopped."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp()
    except OSError:  # it belongs to no session, or to another one
        return False
