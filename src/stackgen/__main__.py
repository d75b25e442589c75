"""`python -m stackgen` is `stackgen`."""

import os
import signal
from types import FrameType

HUNG_UP = 129
INTERRUPTED = 130
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def main() -> None:
    """Run the command of this process; there is nothing to tidy until all is imported, and a signal ends it at once."""
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, _leave)
    from stackgen import cli

    cli.main()


def _leave(number: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, b"stackgen: interrupted, nothing was left behind\n")
    finally:
        os._exit(HUNG_UP if number == getattr(signal, "SIGHUP", None) else INTERRUPTED)


if __name__ == "__main__":
    main()
