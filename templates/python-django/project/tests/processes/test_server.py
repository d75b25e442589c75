"""The server as it is in production: stopped under load, cut off from its database, and traced."""

import gzip
import shutil
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.processes.conftest import SERVER, Deployment, free_port, wait_for


def test_a_server_told_to_stop_answers_every_request_it_has_taken(deployment: Deployment) -> None:
    failed: list[str] = []
    answered: list[int] = []
    with deployment.server() as server:
        host, port = urlsplit(server.url).netloc.split(":")
        stopping = threading.Event()

        def ask() -> None:
            while not stopping.is_set():
                try:
                    connection = socket.create_connection((host, int(port)), timeout=10)
                except OSError:
                    continue  # refused: the server takes no more, which is what a load balancer understands
                with connection:
                    connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    try:
                        answer = connection.recv(65536)
                    except OSError as error:
                        answer = str(error).encode()
                    (answered.append(1) if answer.startswith(b"HTTP/1.1 200") else failed.append(repr(answer[:80])))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answered) > 50)
        code = server.stop()
        stopping.set()
        for thread in threads:
            thread.join()
    assert code == 0
    # A connection that waits in the kernel's queue at the last moment was never taken.
    assert len(failed) <= len(threads), failed
    assert len(answered) > 50


def test_a_database_that_goes_and_comes_back_is_found_again(deployment: Deployment, tmp_path: Path) -> None:
    with (
        _breakable_database(deployment, tmp_path) as (environment, breakable),
        deployment.server(**environment) as server,
    ):
        assert server.status("/readyz") == 200
        assert server.status("/api/me") == 401
        breakable.set()
        wait_for(lambda: server.status("/readyz") == 503)
        wait_for(lambda: _with_key(server.url) == 503)
        assert server.status("/livez") == 200
        breakable.clear()
        wait_for(lambda: server.status("/readyz") == 200)
        assert _with_key(server.url) == 401
        assert server.stop() == 0


def test_a_span_arrives_at_the_collector(deployment: Deployment) -> None:
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        with deployment.server(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_SERVICE_NAME="traced") as server:
            assert server.status("/api/me") == 401
            assert server.stop() == 0
        wait_for(lambda: received, 15)
        collector.shutdown()
    spans = b"".join(received)
    assert b"traced" in spans
    assert b"GET api/me" in spans


def _with_key(url: str) -> int:
    request = urllib.request.Request(f"{url}/api/me", headers={"Authorization": "Bearer key_unknown"})
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


class Wire:
    """A wire to PostgreSQL that can be cut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target, self.port, self.cut = target, free_port(), threading.Event()
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

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
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _close(end: socket.socket) -> None:
    """Close a socket that another thread may be reading."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    _close(other)


class Folder:
    """A folder with a database file that can be taken away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set(self) -> None:
        """Take it away."""
        self.folder.rename(self.folder.with_suffix(".away"))

    def clear(self) -> None:
        """Bring it back."""
        self.folder.with_suffix(".away").rename(self.folder)


@contextmanager
def _breakable_database(deployment: Deployment, tmp_path: Path) -> Iterator[tuple[dict[str, str], Wire | Folder]]:
    if not SERVER:
        folder = tmp_path / "database"
        shutil.copytree(deployment.environment["DATA_DIR"], folder)
        yield {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"}, Folder(folder)
        return
    url = urlsplit(deployment.environment["DATABASE_URL"])
    wire = Wire((url.hostname or "localhost", url.port or 5432))
    through = url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{wire.port}").geturl()
    yield {"DATABASE_URL": through}, wire
    wire.set()
    wire.listener.close()
