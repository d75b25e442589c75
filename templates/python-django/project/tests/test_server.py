"""The server's worker by itself: what it makes of the bytes that come, and how its loop treats those who are slow."""

import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from backend.core import server
from backend.core.server import MOST_COLLECTED, State, Worker, state_of
from backend.metrics import registry
from tests.processes.conftest import wait_for

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(length: bytes, *, more: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length:" + length + b"\r\n" + more + b"\r\n"


FIVE = len(post(b" 5")) + 5
TWO_LENGTHS = post(b" 5", more=b"Content-Length: 7\r\n")
STATES = {
    "nothing": (b"", State.PART, 0),
    "half a head": (GET[:-2], State.PART, 0),
    "no body": (GET, State.WHOLE, len(GET)),
    "empty lines before it": (b"\r\n\r\n" + GET, State.WHOLE, 4 + len(GET)),
    "empty lines before a body": (b"\r\n" + post(b" 5") + b"abcd", State.PART, 2 + FIVE),
    "nothing but empty lines": (b"\r\n" * MOST_COLLECTED, State.TOO_LARGE, 0),
    "a large head": (GET[:-2] + b"x" * MOST_COLLECTED, State.TOO_LARGE, 0),
    "half a body": (post(b" 5") + b"abcd", State.PART, FIVE),
    "a body": (post(b"\t5") + b"abcde", State.WHOLE, FIVE),
    "blanks on both sides": (post(b" 5 \t") + b"abcde", State.WHOLE, 2 + FIVE),
    "the next request behind a body": (post(b" 5") + b"abcde" + GET, State.WHOLE, FIVE),
    "the largest that is collected": (post(b" 65536"), State.PART, len(post(b" 65536")) + 65_536),
    "a large one": (post(b" 65537"), State.LARGE, len(post(b" 65537")) + 65_537),
    "two lengths": (TWO_LENGTHS + b"abcd", State.PART, len(TWO_LENGTHS) + 5),
    "who waits to be asked": (post(b" 5", more=b"Expect: 100-continue\r\n"), State.LARGE, 0),
    "in chunks": (b"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n5\r\nabc", State.LARGE, 0),
    # The parser refuses these.
    "no length": (post(b""), State.LARGE, 0),
    "less than nothing": (post(b" -1"), State.LARGE, 0),
    "thousands of digits": (post(b" " + b"9" * 5_000), State.LARGE, 0),
    "thousands of blanks": (post(b" 1" + b" " * 60_000 + b"x"), State.LARGE, 0),
}


@pytest.mark.parametrize(("received", "state", "enough"), STATES.values(), ids=STATES)
def test_how_much_of_a_request_is_there(received: bytes, state: State, enough: int) -> None:
    started = time.process_time()
    assert state_of(received) == (state, enough)
    assert time.process_time() - started < 5


def answer_its_body(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class Running:
    """A worker whose loop runs in a thread, with one thread for large requests."""

    def __init__(self, application: Callable[..., Iterable[bytes]], connections: int = 1_000) -> None:
        config = Config()
        config.set("threads", 3)
        config.set("keepalive", 75)
        config.set("worker_connections", connections)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        app = SimpleNamespace(wsgi=lambda: application)
        self.worker = Worker(1, os.getppid(), [self.listener], app, 30, config, Logger(config))
        self.worker.tpool = self.worker.get_thread_pool()
        self.worker.poller = selectors.DefaultSelector()
        self.worker.method_queue.init()
        self.worker.load_wsgi()
        self.opened: list[socket.socket] = []
        self.thread = threading.Thread(target=self.worker.run)
        self.thread.start()

    def connect(self, start: bytes = b"") -> socket.socket:
        client = socket.create_connection(self.address, timeout=60)
        self.opened.append(client)
        client.sendall(start)
        return client

    def stop(self) -> None:
        for client in self.opened:
            client.close()
        self.worker.handle_exit(None, None)
        self.thread.join(60)
        self.worker.tmp.close()


@contextmanager
def running(*how: Any) -> Iterator[Running]:
    started = Running(*how)
    try:
        yield started
    finally:
        started.stop()


def received(client: socket.socket) -> bytes:
    """Read to the end."""
    return b"".join(iter(lambda: client.recv(65_536), b""))


CLOSE = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
LARGE = post(b" 5", more=b"Expect: 100-continue\r\nConnection: close\r\n")


def test_a_length_that_is_none_is_refused_and_the_next_request_answered() -> None:
    with running(answer_its_body) as loop:
        for name in ("no length", "less than nothing", "thousands of digits", "thousands of blanks"):
            assert received(loop.connect(STATES[name][0]))[9:12] in {b"400", b"431"}, name
        assert received(loop.connect(CLOSE)).startswith(b"HTTP/1.1 200")


def test_a_large_request_that_waits_too_long_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LONGEST_WAIT_SECONDS", 0.2)
    with running(answer_its_body) as loop:
        first = loop.connect(LARGE)
        assert first.recv(64).startswith(b"HTTP/1.1 100")
        waits = loop.connect(LARGE + b"abc")
        assert received(waits).startswith(b"HTTP/1.1 503")
        waits.close()
        # The one that was read meanwhile is answered, and so is the next.
        first.sendall(b"abcde")
        assert received(first).endswith(b"\r\n\r\nabcde")
        assert received(loop.connect(LARGE + b"abcde")).endswith(b"\r\n\r\nabcde")


@pytest.mark.django_db
@pytest.mark.usefixtures("ask_here")
def test_large_requests_that_wait_are_told_to_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody is given up meanwhile, however slow the machine is.
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 600.0)
    monkeypatch.setattr(server, "LONGEST_WAIT_SECONDS", 600.0)

    def until(told: str) -> None:
        wait_for(lambda: f"\nhttp_requests_waiting {told}\n" in registry.scrape().decode())

    with running(answer_its_body) as loop:
        until("0.0")
        clients = [loop.connect(LARGE) for _ in range(3)]
        until("2.0")
        for client in clients:
            client.sendall(b"abcde")
            assert received(client).endswith(b"abcde")
        until("0.0")


@pytest.mark.parametrize("start", [b"", GET[:-2], LARGE], ids=["nothing", "half a head", "large"])
def test_as_many_idle_connections_as_there_may_be_keep_nobody_out(start: bytes) -> None:
    with running(answer_its_body, 4) as loop:
        for _ in range(20):
            loop.connect(start)
        for _ in range(3):
            assert received(loop.connect(CLOSE)).startswith(b"HTTP/1.1 200")


def test_connections_that_are_kept_alive_make_room() -> None:
    with running(answer_its_body, 4) as loop:
        kept = loop.connect(GET)
        assert kept.recv(4_096).startswith(b"HTTP/1.1 200")
        # The answer is there a moment before the loop knows that the request has ended.
        wait_for(lambda: loop.worker.keepalived_conns)
        for _ in range(3):
            loop.connect(LARGE)
        assert received(kept) == b""
        assert received(loop.connect(CLOSE)).startswith(b"HTTP/1.1 200")


def test_a_server_that_stops_turns_new_connections_away_and_answers_those_it_has() -> None:
    def refused() -> bool:
        try:
            loop.connect()
        except OSError:
            return True
        return False

    with running(answer_its_body) as loop:
        client = loop.connect(LARGE)
        assert client.recv(64).startswith(b"HTTP/1.1 100")
        loop.worker.handle_exit(None, None)
        wait_for(refused)
        client.sendall(b"abcde")
        assert received(client).endswith(b"abcde")


def test_a_client_that_takes_a_large_answer_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    large = b"x" * 1_500_000

    def answer(_environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", str(len(large)))])
        return [large]

    def taken_in_twice(patience: float) -> int:
        """Take an answer in twice the time that the server has for a piece of it."""
        monkeypatch.setattr(server, "PATIENCE_SECONDS", patience)
        with running(answer) as loop:
            client = socket.socket()
            for end, buffer in ((loop.listener, socket.SO_SNDBUF), (client, socket.SO_RCVBUF)):
                end.setsockopt(socket.SOL_SOCKET, buffer, 32_768)
            client.settimeout(60)
            client.connect(loop.address)
            client.sendall(CLOSE)
            taken = 0
            while part := client.recv(32_768):
                taken += len(part)
                time.sleep(2 * patience * len(part) / len(large))
            client.close()
        return taken

    # A machine may stand still for longer than the shortest; who is cut off has too little time with any.
    assert any(taken_in_twice(patience) > len(large) for patience in (0.7, 3.0, 12.0))
