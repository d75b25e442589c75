"""`python -m backend.tasks.alive FILE`: is the worker alive that keeps this file? Quick, as it loads no Django."""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path


def until(path: Path, lease: timedelta) -> None:
    """Say that the worker lives for a lease from now: the file's time is the end of it."""
    end = time.time() + lease.total_seconds()
    path.touch()
    os.utime(path, (end, end))


def is_alive(path: Path) -> bool:
    """Tell whether the worker has been heard of within its lease; it has not before it is ready to work."""
    return path.exists() and path.stat().st_mtime > time.time()


if __name__ == "__main__":
    sys.exit(0 if is_alive(Path(sys.argv[1])) else 1)
