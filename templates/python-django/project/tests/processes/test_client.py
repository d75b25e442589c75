"""The client, as a notebook uses it: with a server, a worker and a key."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from backend.client import ApiError, Client
from tests.processes.conftest import Deployment

FRUIT = pl.DataFrame({"name": ["Apple", "Pear", None], "price": [1.5, None, 4.5]})


def test_a_scientist_uploads_finds_and_loads_data(deployment: Deployment, tmp_path: Path) -> None:
    with deployment.server() as server, deployment.worker():
        client = Client(server.url, deployment.member_of("Analysts"))
        assert client.teams()["name"].to_list() == ["Analysts"]
        assert client.find().is_empty()

        fruit = client.upload(FRUIT, name="fruit").wait(240)
        assert client.find(search="FRUIT", status="ready")["name"].to_list() == ["fruit"]
        assert fruit.profile().select("name", "kind", "missing").rows() == [("name", "text", 1), ("price", "number", 1)]
        assert client.datasets("fruit").to_polars().equals(FRUIT)

        file = tmp_path / 'prices "1".csv'
        file.write_text("day;price\n31.01.2026;1,5\n01.02.2026;NA\n")
        client.upload(file, name="fruit")
        newest = client.datasets("fruit").wait(240)
        assert newest.facts["file_name"] == file.name
        assert newest.to_polars()["price"].to_list() == [1.5, None]
        assert client.datasets(fruit.facts["id"]).to_polars().equals(FRUIT)

        file.write_text('a\n"never closed\n')
        with pytest.raises(ValueError, match="never closed"):
            client.upload(file).wait(240)

        newest.delete()
        fruit.delete()
        for name in ("fruit", "my fruit", "../teams"):
            with pytest.raises(LookupError, match=name):
                client.datasets(name)

        with pytest.raises(ValueError, match="needs a name"):
            client.upload(FRUIT)
        with pytest.raises(LookupError, match="One, Two"):
            Client(server.url, deployment.member_of("Two", "One")).upload(FRUIT, name="fruit")
        with pytest.raises(ApiError, match="401: Sign in"):
            Client(server.url, "key_unknown").teams()


def test_a_key_follows_nobody_to_another_address() -> None:
    asked = []

    class SendsOn(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.command, self.path))
            self.send_response(301)
            self.send_header("Location", f"http://localhost:{server.server_port}/moved{self.path}")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the base class looks for this name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), SendsOn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{server.server_port}", "key")
        for method in ("GET", "POST"):
            with pytest.raises(ApiError, match=f"301: .*http://localhost:{server.server_port}/moved/api/teams"):
                client.ask(method, "/teams")
        server.shutdown()
    assert asked == [("GET", "/api/teams"), ("POST", "/api/teams")]


def test_a_key_is_sent_to_a_server_alone() -> None:
    with pytest.raises(ValueError, match="not the address of a server"):
        Client("file:///etc/passwd", "key")
    assert "secret" not in repr(Client("http://localhost", "secret"))
