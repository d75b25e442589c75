"""A wire to PostgreSQL that can be cut, or let nothing through."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Wire:
    """Leads to the server of a URL, and has a URL of its own."""

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        self.target = (there.hostname or "localhost", there.port or 5432)
        self.listener = socket.create_server(("127.0.0.1", 0))
        user, _, _ = there.netloc.rpartition("@")
        self.url = there._replace(netloc=f"{user}@127.0.0.1:{self.listener.getsockname()[1]}").geturl()
        self.cut, self.stuck = threading.Event(), threading.Event()
        # What somebody sends who is to get no answer any more.
        self.stuck_at: bytes | None = None
        self.open: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Let everybody in."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut it for good."""
        self.set()
        self.listener.close()

    def set(self) -> None:
        """Cut it."""
        self.cut.set()
        for end in self.open:
            _close(end)
        self.open.clear()

    def clear(self) -> None:
        """Mend it."""
        self.cut.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.cut.is_set():
                near.close()
                continue
            far = socket.create_connection(self.target)
            self.open += [near, far]
            if self.cut.is_set():  # in this very moment
                self.set()
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if self.stuck_at and self.stuck_at in data:
                    self.stuck.set()
                while self.stuck.is_set() and not self.cut.is_set():
                    time.sleep(0.05)
                other.sendall(data)
        _close(other)


def _close(end: socket.socket) -> None:
    """Close a socket that another thread may be reading."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
