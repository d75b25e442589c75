"""The client, as a notebook uses it: with a server, a worker and a key."""

import json
import threading
import uuid
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.request import Request

import polars as pl
import pytest

from backend.accounts.models import ApiKey
from backend.client import ApiError, Client
from tests.datasets.bucket import Server
from tests.processes.conftest import ALIAS, Deployment

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

        table = pl.read_parquet(newest.save(tmp_path / "prices.parquet", "parquet", 240))
        assert table.rows() == [(date(2026, 1, 31), 1.5), (date(2026, 2, 1), None)]
        # Whose key only reads has it while it is kept.
        known = ApiKey.objects.using(ALIAS).filter(digest=ApiKey.hash(client.key))
        known.update(read_only=True)
        assert newest.save(tmp_path / "again.parquet", "parquet").read_bytes()[:4] == b"PAR1"
        with pytest.raises(ApiError, match="403: This key only reads"):
            fruit.save(tmp_path / "fruit.csv", "csv")
        known.update(read_only=False)
        assert newest.save(tmp_path / "prices.csv", "csv").read_bytes() == file.read_bytes()
        assert fruit.save(tmp_path / "fruit.csv", "csv", 240).read_text() == "name,price\nApple,1.5\nPear,\n,4.5\n"
        with pytest.raises(ValueError, match="csv or parquet, not as 'xlsx'"):
            fruit.save(tmp_path / "fruit.xlsx", "xlsx")

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


def test_an_upload_goes_on_after_the_end_of_its_server(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fruit.csv"
    file.write_bytes(b"name,price\n" + b"Apple,1.5\n" * 2_000_000)
    key, large = deployment.member_of("Analysts"), {"MAX_UPLOAD_MIB": "32"}
    monkeypatch.setattr("backend.client.PAUSES", (0.1,))
    with deployment.server(**large) as server:
        send = Client._send  # noqa: SLF001 - nothing else lies between two parts

        def send_one(client: Client, part: dict[str, Any], content: BinaryIO) -> None:
            send(client, part, content)
            server.stop()

        monkeypatch.setattr(Client, "_send", send_one)
        with pytest.raises(OSError, match="refused"):
            Client(server.url, key).upload(file)
        monkeypatch.setattr(Client, "_send", send)
    with deployment.server(**large) as server:
        uploaded = Client(server.url, key).upload(file)
        assert uploaded.save(tmp_path / "again").read_bytes() == file.read_bytes()
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        parts = [line["path"][-1] for line in lines if line.get("method") == "PUT"]
        assert (uploaded.facts["size"], parts) == (20_000_011, ["2", "3"])


def test_parts_go_to_a_bucket_that_is_never_told_the_key(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = Server()
    try:
        known = buckets.bucket(f"files-{uuid.uuid4()}")
        environment = {
            "FILES_BUCKET_URL": f"{known['endpoint']}/{known['name']}",
            "FILES_BUCKET_REGION": known["region"],
            "FILES_BUCKET_KEY": known["key"],
            "FILES_BUCKET_SECRET": known["secret"],
        }
        with deployment.server(**environment) as server, deployment.worker(**environment):
            seen: list[Request] = []

            def note(*args: Any, **named: Any) -> Request:
                seen.append(Request(*args, **named))
                return seen[-1]

            monkeypatch.setattr("backend.client.Request", note)
            fruit = Client(server.url, deployment.member_of("Analysts")).upload(FRUIT, name="in a bucket").wait(240)
            assert fruit.to_polars().equals(FRUIT)
            (part,) = [request for request in seen if request.method == "PUT"]
            assert part.full_url.startswith(f"{environment['FILES_BUCKET_URL']}/datasets/{fruit.facts['id']}.parquet?")
            assert not part.has_header("Authorization")
            assert not list((Path(deployment.environment["DATA_DIR"]) / "uploads").iterdir())
            fruit.delete()

            send = Client._send  # noqa: SLF001 - nothing else lies between two parts

            def removed_meanwhile(client: Client, part: dict[str, Any], content: BinaryIO) -> None:
                monkeypatch.setattr(Client, "_send", send)
                send(client, part, content)
                buckets.remove_parts(known["name"])

            monkeypatch.setattr(Client, "_send", removed_meanwhile)
            again = Client(server.url, deployment.member_of("Others")).upload(FRUIT, name="begun anew").wait(240)
            assert again.to_polars().equals(FRUIT)
    finally:
        buckets.stop()


def test_a_server_that_breaks_down_is_asked_again_and_one_that_refuses_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.client.PAUSES", (0.0, 0.0))
    asked: list[Exception | str] = []

    def answer_with(*answers: Exception | str) -> Any:
        asked[:] = []

        def attempt() -> str:
            asked.append(answers[len(asked)])
            if isinstance(asked[-1], Exception):
                raise asked[-1]
            return asked[-1]

        return Client("http://localhost", "key")._patiently(attempt)  # noqa: SLF001 - what all of an upload goes through

    assert answer_with(ApiError(503, "soon"), TimeoutError(), "done") == "done"
    for answers in ((ApiError(422, "no"), "done"), (ApiError(503, "soon"),) * 3):
        with pytest.raises(ApiError):
            answer_with(*answers)
        assert len(asked) == (1 if answers[-1] == "done" else 3)
