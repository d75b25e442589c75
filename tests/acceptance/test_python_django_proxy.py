"""The proxy that docs/deploy.md of a python-django project describes, run as it stands there."""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import processes
import pytest

# nginx is not among what the other tests need.
pytestmark = [pytest.mark.release]
BODY = b"x" * 1_000_000
AROUND = """\
{user}
daemon off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {example}
  }}
}}
"""


class Behind(ThreadingHTTPServer):
    """What stands behind the proxy: it keeps what it is told."""

    arrived: list[str]
    seen: list[tuple[str, str, str, int]]


class Keeps(BaseHTTPRequestHandler):
    server: Behind

    def do_GET(self) -> None:
        self.server.arrived.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = (self.path, self.headers["X-Forwarded-For"], self.headers["X-Forwarded-Proto"], len(body))
        self.server.seen.append(told)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - the base class's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def behind() -> Iterator[Behind]:
    """A server for the proxy."""
    with Behind(("127.0.0.1", 0), Keeps) as server:
        server.arrived, server.seen = [], []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(render: Callable[..., Path], behind: Behind, tmp_path: Path) -> Iterator[int]:
    """The port of nginx with the project's example, which leads to that server."""
    nginx = shutil.which("nginx") or pytest.fail("nginx is not installed: apt-get install nginx-light")
    text = (render("python-django") / "docs/deploy.md").read_text(encoding="utf-8")
    example = re.search(r"```nginx\n(.*?)```", text, re.DOTALL)
    assert example, "docs/deploy.md has no example any more"
    assert "http://127.0.0.1:8000;" in example[1]
    leading = example[1].replace("127.0.0.1:8000", f"127.0.0.1:{behind.server_port}")
    port = processes.free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = tmp_path / "nginx.conf"
    config.write_text(AROUND.format(user=user, folder=tmp_path, port=port, example=leading), encoding="utf-8")
    process = subprocess.Popen([nginx, "-e", "stderr", "-c", str(config)], cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, "nginx has ended"
            assert time.monotonic() < deadline, "nginx does not listen"
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def test_the_proxy_of_the_docs_keeps_a_slow_upload_until_it_is_whole(proxy: int, behind: Behind) -> None:
    head = b"POST /api/datasets HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n"
    with socket.create_connection(("127.0.0.1", proxy), timeout=60) as slow:
        slow.sendall(head + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:500_000])
        with urllib.request.urlopen(f"http://127.0.0.1:{proxy}/livez", timeout=60) as answer:
            assert answer.status == 200
        assert behind.arrived == ["/livez"]
        slow.sendall(BODY[500_000:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
    assert behind.seen[1:] == [("/api/datasets", "127.0.0.1", "http", len(BODY))]


def test_the_proxy_of_the_docs_lets_the_largest_upload_through_and_nothing_larger(proxy: int) -> None:
    for size, status in ((1025 * 1024 * 1024 + 1, b"413"), (1024 * 1024 * 1024 + 65_536, b"100")):
        with socket.create_connection(("127.0.0.1", proxy), timeout=60) as connection:
            head = b"POST /api/datasets HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % size)
            assert connection.recv(65536)[9:12] == status
