"""What gunicorn's processes share: the port for Prometheus, and a folder with the numbers of each.

Any process may answer, and tells the numbers of all. A process has a place in the folder, which its successor takes:
so a counter goes on where a process has ended, and there are only as many files as there were processes at a time.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

listener: socket.socket | None = None
folder: Path | None = None
place = 0


def listen(host: str, port: int) -> socket.socket:
    """Open the port."""
    try:
        opened = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        msg = f"METRICS_PORT: {error}"
        raise ImproperlyConfigured(msg) from None
    # When several processes see somebody come, only one of them gets him, and the others must not wait.
    opened.settimeout(0)
    return opened


def begin(host: str, port: int) -> None:
    """Open the port and the folder, before there are processes that share them."""
    global listener, folder  # noqa: PLW0603 - gunicorn has its hooks called as functions
    listener = listen(host, port)
    # prometheus_client has no other way to be told.
    folder = Path(tempfile.mkdtemp(prefix="metrics-"))
    os.environ.update(PROMETHEUS_MULTIPROC_DIR=str(folder))


def free_place(taken: Iterable[int]) -> int:
    """Give the first place that no process has."""
    places = set(taken)
    return next(number for number in range(len(places) + 1) if number not in places)


def take(given: int) -> None:
    """Write to this place from now on."""
    global place  # noqa: PLW0603
    place = given


def leave(left: int) -> None:
    """Forget what was so only while the process at this place lived."""
    for file in folder.glob(f"gauge_live*_{left}.db") if folder else ():
        file.unlink(missing_ok=True)


def end() -> None:
    """Remove the folder."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
