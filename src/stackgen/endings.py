"""How a run ends other than well: signals, and what the machine refuses, as expected failures with their codes."""

import errno
import os
import signal
from types import FrameType

from stackgen.errors import DestinationError, StackgenError

INTERRUPTED = 130
HUNG_UP = 129
_received: list[int] = []
_OUTPUT_GONE = 128 + 13  # as if SIGPIPE had ended it
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM, errno.EFBIG}


def watch() -> None:
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that nothing half-written stays."""
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
        signal.signal(signal.SIGHUP, _hang_up)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _hang_up(_signal: int, _frame: FrameType | None) -> None:
    _received.append(HUNG_UP)  # what waits for a key turns every interrupt into a plain one
    raise KeyboardInterrupt


def code_of_interrupt() -> int:
    """Give the exit code of a run that was interrupted."""
    return _received.pop() if _received else INTERRUPTED


def of_the_machine(error: OSError) -> StackgenError | None:
    """Give the expected failure behind an error of the machine's, None where it may be a bug of ours."""
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return DestinationError("the folder that you are in was deleted", "change to one that exists")
    if error.errno in _MACHINE:
        where = f": {error.filename}" if error.filename else ""
        return DestinationError(f"{error.strerror}{where}", "make room, or choose another place, and try again")
    return None


def _is_nowhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - the question is whether it can be asked
    except OSError:
        return True
    return False


def output_gone() -> int:
    """Give the code of a run whose reader went away, and let Python end without a word about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return _OUTPUT_GONE
