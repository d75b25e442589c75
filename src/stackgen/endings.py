"""How a run ends other than well: signals, and what the machine refuses, as expected failures with their codes."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from stackgen.errors import DestinationError, StackgenError

INTERRUPTED = 130
HUNG_UP = 129
_received: list[int] = []
_at_a_prompt: list[Callable[[], None]] = []
_shelters: list[int] = []
_finished: list[str] = []
_OUTPUT_GONE = 128 + 13  # as if SIGPIPE had ended it
_FULL = {errno.ENOSPC, errno.EDQUOT}
_SMALL_FILE = 1 << 16
_STREAMS = 3
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM, errno.EFBIG}
_PLACE = {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR}


def hold_streams() -> None:
    """Let standard streams that are closed be empty ones, so that no file is opened in their place."""
    with suppress(OSError):
        while (opened := os.open(os.devnull, os.O_RDWR)) < _STREAMS:
            pass
        os.close(opened)


def watch() -> None:
    """Let SIGTERM and SIGHUP end the run as Ctrl-C does, so that nothing half-written stays."""
    for number in _signals():
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, _interrupt)


def over() -> None:
    """Let no signal come between the end of the run, whose code is known by now, and the end of the process."""
    for number in _signals():
        signal.signal(number, signal.SIG_IGN)


def _signals() -> Iterator[signal.Signals]:
    return (getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _received.append(HUNG_UP if number == getattr(signal, "SIGHUP", None) else INTERRUPTED)
    if _shelters:
        return
    if not _at_a_prompt:
        raise KeyboardInterrupt
    _at_a_prompt[-1]()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep a signal that comes meanwhile until the end, so that what is done within is done whole; it is to be short.

    People press Ctrl-C more than once, and the second one comes while the first one's work is tidied up.
    """
    _shelters.append(len(_received))
    try:
        yield
    finally:
        if len(_received) > _shelters.pop() and not _shelters:
            raise KeyboardInterrupt


@contextmanager
def told_to(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` for a signal that comes meanwhile, and raise the `KeyboardInterrupt` afterwards.

    An event loop cannot be left by an exception that a signal raises anywhere in it: in a callback of the garbage
    collector's, Python prints it and goes on.
    """
    _at_a_prompt.append(stop)
    try:
        _raise_if_received()  # an exception that was lost in the same way before
        yield
    finally:
        _at_a_prompt.remove(stop)
        _raise_if_received()


def _raise_if_received() -> None:
    if _received:
        raise KeyboardInterrupt


def begin() -> None:
    """Forget what an earlier run in this process has finished."""
    _finished.clear()


def finish(what: str) -> None:
    """Remember, as a sentence, what stays as it is even if the run cannot tell of it any more."""
    _finished.append(what)


def finished() -> str:
    """Give what this run has finished, an empty string where it is nothing."""
    return "; ".join(_finished)


def code_of_interrupt() -> int:
    """Give the exit code of a run that was interrupted."""
    if _received:
        return _received[0]
    return HUNG_UP if _terminal_is_gone() else INTERRUPTED


def is_interrupted() -> bool:
    """Tell whether a signal has come, or is about to: what fails from then on has that for its reason."""
    return bool(_received) or _terminal_is_gone()


def _terminal_is_gone() -> bool:
    """Tell whether a stream was a terminal's that is closed; it fails a moment before the signal comes that says so."""
    if sys.platform == "win32":
        return False
    import termios

    for stream in range(_STREAMS):
        try:
            termios.tcgetattr(stream)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                return True
    return False


def of_the_machine(error: OSError) -> StackgenError | None:
    """Give the expected failure behind an error of the machine's, None where it may be a bug of ours."""
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return DestinationError("the folder that you are in was deleted", "change to one that exists")
    if is_of_temporary_files(error):
        return no_room_for_temporary_files()
    if error.errno in _MACHINE:
        return _refused(error, "make room, or choose another place, and try again")
    return _refused(error, "choose another place, and try again") if error.errno in _PLACE else None


def _refused(error: OSError, hint: str) -> DestinationError:
    where = f": {str(error.filename)[:100]}" if error.filename else ""
    return DestinationError(f"{error.strerror}{where}", hint)


def no_room_for_temporary_files() -> DestinationError:
    """Give the failure of a full TMPDIR, which no folder that the user named is the reason of."""
    from tempfile import gettempdir  # slow to import, as shutil below

    message = f"{gettempdir()}, where temporary files go, is full"
    return DestinationError(message, "make room there, or name another folder in TMPDIR")


def is_of_temporary_files(error: OSError) -> bool:
    """Tell whether the disk that is full is the one of temporary files: it has no room for even a small one."""
    import shutil
    from tempfile import gettempdir

    if error.errno not in _FULL:
        return False
    with suppress(OSError):
        return shutil.disk_usage(gettempdir()).free < _SMALL_FILE
    return False


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
