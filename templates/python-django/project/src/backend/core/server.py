"""gunicorn's worker with threads, none of which waits for a request to arrive.

gunicorn gives a connection to a thread at once, and the thread waits for the request: as many half-sent requests as
there are threads, and nobody is answered any more, not even a probe. Here the loop that accepts connections collects
requests, too, and a thread gets one that is there. What is too large to be collected is read by its thread, and a few
threads never take such a request. Nor does the loop wait, as gunicorn's does, for clients to close what has ended.
"""

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from gunicorn.http.wsgi import FileWrapper
from gunicorn.workers.gthread import TConn, ThreadWorker

from backend.metrics.requests import waiting

MOST_COLLECTED = 64 * 1024
# For a request that is collected to be whole, and for a client to send something or to take a piece of its answer.
PATIENCE_SECONDS = 30.0
PIECE = 64 * 1024
# For a large request to get a thread.
LONGEST_WAIT_SECONDS = 60.0
# What a client still sends is taken for so long before its connection is closed, or it might lose the answer.
CLOSING_SECONDS = 2.0
SPARE_THREADS = 2
UNAVAILABLE = b"503 Service Unavailable"
# A longer number is no length, and for thousands of digits int() raises an error.
MOST_DIGITS = 18
# It takes blanks together with the value: a pattern that tells them apart takes seconds for a line of 60,000 blanks.
LENGTH = re.compile(rb"(?im)^content-length[ \t]*:([^\n]*)")
OF_UNKNOWN_LENGTH = re.compile(rb"(?im)^(?:transfer-encoding|expect)[ \t]*:")


class State(Enum):
    """How much of a request is there."""

    PART = auto()
    WHOLE = auto()
    LARGE = auto()
    TOO_LARGE = auto()


def state_of(received: bytes) -> tuple[State, int]:
    """Tell whether to wait for more, and with how many bytes the request is whole: 0 for as long as nobody knows.

    What the request means, the parser decides, and it refuses a length that is no number.
    """
    head, end, body = received.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not end:
        return (State.PART if len(received) < MOST_COLLECTED else State.TOO_LARGE), 0
    # Who sends `Expect` wants to be answered before the body.
    if OF_UNKNOWN_LENGTH.search(head):
        return State.LARGE, 0
    length = 0
    if announced := LENGTH.search(head):
        digits = announced[1].strip(b" \t\r")
        if not digits.isdigit() or len(digits) > MOST_DIGITS:
            return State.LARGE, 0
        length = int(digits)
    enough = len(received) - len(body) + length
    if len(received) >= enough:
        return State.WHOLE, enough
    return (State.PART if length <= MOST_COLLECTED else State.LARGE), enough


@dataclass
class Arriving:
    """What has come of a request so far, how many bytes it has if that is known, and until when it is waited for."""

    received: bytes
    enough: int = 0
    until: float = field(default_factory=lambda: time.monotonic() + PATIENCE_SECONDS)


class Pieces:
    """An answer, cut so small that a client which goes on taking it has the time for each piece."""

    def __init__(self, answer: Iterable[bytes]) -> None:
        self.answer = answer

    def __iter__(self) -> Iterator[bytes]:
        """Give the pieces."""
        for part in self.answer:
            for start in range(0, len(part), PIECE):
                yield part[start : start + PIECE]

    def close(self) -> None:
        """End the answer."""
        if close := getattr(self.answer, "close", None):
            close()


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn is not typed
    """Named in gunicorn.conf.py. Everything but `handle_request` runs in the loop."""

    wsgi: Callable[..., Iterable[bytes]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arriving: dict[TConn, Arriving] = {}
        self.large: set[TConn] = set()
        # With the time until which each waits.
        self.waiting: deque[tuple[TConn, float]] = deque()
        self.closing: dict[TConn, float] = {}
        self.most_large = max(1, self.cfg.threads - SPARE_THREADS)

    def load_wsgi(self) -> None:
        """Load the application, and have its answers cut into pieces; a file is sent piece by piece already."""
        super().load_wsgi()
        application = self.wsgi

        def in_pieces(*request: Any) -> Iterable[bytes]:
            answer = application(*request)
            return answer if isinstance(answer, FileWrapper) else Pieces(answer)

        self.wsgi = in_pieces

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - gunicorn's own signature
        """Accept connections, or none for now; when the server stops, nobody waits for its end to be turned away."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()

    def enqueue_req(self, conn: TConn) -> None:
        """Collect the next request of a connection."""
        if self.cfg.is_ssl:  # only the parser can read it
            super().enqueue_req(conn)
            return
        # Behind one request, the next may have been read already.
        self.arriving[conn] = Arriving(conn.parser.unreader.take_buffered() if conn.parser else b"")
        self._watch(conn, self._receive)
        self._receive(conn)

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        """Let the next large request begin, and close the connection unless another request may come."""
        self.large.discard(conn)
        self._begin_large()
        if fs.cancelled() or fs.exception() or fs.result() or self.cfg.is_ssl:
            super().finish_request(conn, fs)
        else:
            self._close_when_read(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request, and give up a client that is silent in the middle of it."""
        conn.sock.settimeout(PATIENCE_SECONDS)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Give up requests that do not become whole or wait in vain, and when the server stops, idle connections."""
        super().murder_pending()
        now = time.monotonic()
        for conn, request in list(self.arriving.items()):
            if not request.received and (request.until < now or not self.alive):
                self._refuse(conn)
            elif request.until < now:
                self._refuse(conn, b"408 Request Timeout")
        while self.waiting and self.waiting[0][1] < now:
            conn, _ = self.waiting.popleft()
            self.log.warning("A large request has waited for a thread too long, and is answered with 503.")
            _send(conn, UNAVAILABLE)
            self._close_when_read(conn)
        for conn in [conn for conn, until in self.closing.items() if until < now]:
            self._end(conn)
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        waiting().set(len(self.waiting))

    def _watch(self, conn: TConn, callback: Callable[[TConn], None]) -> None:
        conn.sock.setblocking(False)  # noqa: FBT003 - the socket's own signature
        self.poller.register(conn.sock, selectors.EVENT_READ, lambda _sock: callback(conn))

    def _receive(self, conn: TConn) -> None:
        request = self.arriving[conn]
        new = _read(conn)
        request.received += new or b""
        if new != b"" and len(request.received) < request.enough:
            return
        state, request.enough = state_of(request.received)
        if state is State.TOO_LARGE:
            self._refuse(conn, b"431 Request Header Fields Too Large")
        elif state is not State.PART:
            self._hand_over(conn, is_large=state is State.LARGE)
        elif new == b"":
            self._refuse(conn)

    def _hand_over(self, conn: TConn, *, is_large: bool) -> None:
        self.poller.unregister(conn.sock)
        request = self.arriving.pop(conn)
        conn.data_ready = True
        conn.init()
        conn.parser.unreader.unread(request.received)
        if is_large:
            self.waiting.append((conn, time.monotonic() + LONGEST_WAIT_SECONDS))
            self._begin_large()
        else:
            super().enqueue_req(conn)

    def _begin_large(self) -> None:
        while self.waiting and len(self.large) < self.most_large:
            conn, _ = self.waiting.popleft()
            self.large.add(conn)
            super().enqueue_req(conn)

    def _refuse(self, conn: TConn, status: bytes = b"") -> None:
        self.poller.unregister(conn.sock)
        del self.arriving[conn]
        if status:
            _send(conn, status)
        self._close(conn)

    def _make_room(self) -> None:
        """End the oldest connection that has not sent a whole request.

        With as many connections as it may have, gunicorn accepts nobody, not even a probe. The newest one is spared:
        it may be a probe whose request is on its way.
        """
        if len(self.arriving) > 1:
            self._refuse(next(iter(self.arriving)))
        elif self.keepalived_conns:
            self.keepalived_conns[0].timeout = 0
            self.murder_keepalived()
        elif self.waiting:
            conn, _ = self.waiting.popleft()
            _send(conn, UNAVAILABLE)
            self._close(conn)

    def _close_when_read(self, conn: TConn) -> None:
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # the client was faster
            self._close(conn)
            return
        self.closing[conn] = time.monotonic() + CLOSING_SECONDS
        self._watch(conn, self._drain)

    def _drain(self, conn: TConn) -> None:
        if _read(conn) == b"":
            self._end(conn)

    def _end(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        del self.closing[conn]
        self._close(conn)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()


def _send(conn: TConn, status: bytes) -> None:
    """Answer at once, or not at all."""
    conn.sock.setblocking(False)  # noqa: FBT003
    with suppress(OSError):
        conn.sock.send(b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status)


def _read(conn: TConn) -> bytes | None:
    """Give what has come: None for nothing yet, nothing for the end."""
    try:
        received: bytes = conn.sock.recv(MOST_COLLECTED)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    return received
