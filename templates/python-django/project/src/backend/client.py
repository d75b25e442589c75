"""The API for those who work with the data: `Client(url, key).datasets("fruit").to_polars()`.

It needs the packages of this project and none of its settings, so it runs wherever a notebook does.
"""

import io
import json
import secrets
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPRedirectHandler, Request, build_opener

import polars as pl

from backend.datasets.frames import to_frame

PIECE = 1024 * 1024
PAGE = 100
TIMEOUT_SECONDS = 60.0


class ApiError(Exception):
    """What the API has refused, and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class StaysHere(HTTPRedirectHandler):
    """Follows nobody: urllib would send the key along to any host, and make an upload a mere question."""

    def redirect_request(self, *_: Any) -> None:
        """Leave the answer as it is, which makes it an error."""


@dataclass(frozen=True)
class Client:
    """A connection to a server; `key` is made on its page "API keys"."""

    url: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no address of a server, before the key is sent anywhere."""
        if not self.url.startswith(("https://", "http://")):
            msg = f"{self.url!r} is not the address of a server: write it as in https://data.example.com"
            raise ValueError(msg)

    def teams(self) -> pl.DataFrame:
        """List one's teams, with one's role in each."""
        return pl.DataFrame(list(self.all("/teams")))

    def find(self, search: str = "", status: str = "", *, newest: bool = False) -> pl.DataFrame:
        """List the data sets of one's teams, the newest first; `search` is a part of the name.

        With `newest`, of several versions (uploads of one team with one name) only the newest.
        """
        given = _given(search=search, status=status, newest="true" if newest else "")
        found = list(self.all("/datasets", **given))
        return pl.DataFrame(found, infer_schema_length=None)

    def datasets(self, name: str) -> "Dataset":
        """Find a data set by its name or its id; of several with one name, the newest."""
        for facts in self.all("/datasets", search=name[:200]):
            if facts["name"] == name:
                return Dataset(self, facts)
        try:
            return Dataset(self, self.ask("GET", f"/datasets/{uuid.UUID(name)}"))
        except (ApiError, ValueError):
            msg = f"None of your teams has a data set named {name!r}."
            raise LookupError(msg) from None

    def upload(self, table: pl.DataFrame | Path | str, name: str = "", team: str = "") -> "Dataset":
        """Upload a frame or a file for a team; `team` may be left out where one may upload for one team alone."""
        if not isinstance(table, pl.DataFrame):
            path = Path(table)
            with path.open("rb") as file:
                return self._upload(file, path.stat().st_size, path.name, name, team)
        if not name:
            raise ValueError("A frame needs a name.")
        content = io.BytesIO()
        table.write_parquet(content)
        size = content.tell()
        content.seek(0)
        return self._upload(content, size, "frame.parquet", name, team)

    def ask(self, method: str, path: str) -> Any:
        """Send a request without a body, and give the answer."""
        with self._open(path, method) as answer:
            return json.load(answer) if answer.status != 204 else None

    def save(self, path: str, target: BinaryIO) -> None:
        """Write what the API gives to a file."""
        with self._open(path) as answer:
            shutil.copyfileobj(answer, target, PIECE)

    def all(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Give the items of a list, page by page."""
        offset = 0
        while True:
            page = self.ask("GET", f"{path}?{urlencode({**query, 'limit': PAGE, 'offset': offset})}")
            yield from page["items"]
            offset += PAGE
            if offset >= page["count"]:
                return

    def _upload(self, file: BinaryIO, size: int, file_name: str, name: str, team: str) -> "Dataset":
        boundary = secrets.token_hex(16)
        fields = {"team_id": self._team(team), **_given(name=name)}
        part = f"--{boundary}\r\nContent-Disposition: form-data; name="
        quoted = file_name.replace("\\", "\\\\").replace('"', '\\"')
        texts = [f'{part}"{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
        before = "".join([*texts, f'{part}"file"; filename="{quoted}"\r\n\r\n']).encode()
        after = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(before) + size + len(after)),
        }
        pieces = iter(lambda: file.read(PIECE), b"")
        body = (piece for part in ((before,), pieces, (after,)) for piece in part)
        with self._open("/datasets", "POST", body, headers) as answer:
            return Dataset(self, json.load(answer))

    def _team(self, named: str) -> str:
        teams = [team for team in self.all("/teams") if team["role"] != "viewer"]
        found = [team for team in teams if not named or named in {team["name"], team["id"]}]
        if len(found) != 1:
            names = ", ".join(sorted(team["name"] for team in teams)) or "none"
            msg = f"Say for which team, by `team`. Those you may upload for: {names}."
            raise LookupError(msg)
        return str(found[0]["id"])

    def _open(
        self, path: str, method: str = "GET", body: Iterator[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        url = f"{self.url.rstrip('/')}/api{path}"
        known = {"Authorization": f"Bearer {self.key}"} | (headers or {})
        try:
            request = Request(url, body, known, method=method)  # noqa: S310 - the scheme has been checked
            return build_opener(StaysHere).open(request, timeout=TIMEOUT_SECONDS)
        except HTTPError as error:
            with error:
                raise ApiError(error.code, _reason(error)) from None


@dataclass(frozen=True)
class Dataset:
    """A data set; `facts` are what the API tells of it."""

    client: Client = field(repr=False)
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.facts["name"])

    def wait(self, seconds: float = 600.0) -> "Dataset":
        """Wait until a worker has read it, and raise the reason if the file cannot be read."""
        end = time.monotonic() + seconds
        pause = 0.1
        while True:
            facts = self.client.ask("GET", self._path)
            if facts["status"] == "ready":
                return Dataset(self.client, facts)
            if facts["status"] == "failed":
                raise ValueError(facts["problem"])
            if time.monotonic() > end:
                msg = f"{self.name} is still {facts['status']} after {seconds:g} seconds: does a worker run?"
                raise TimeoutError(msg)
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)

    def to_polars(self) -> pl.DataFrame:
        """Load all of it: the columns have the kinds that the profile tells of, and what counts as missing is null."""
        with tempfile.TemporaryDirectory() as folder:
            path = self.save(Path(folder) / "file")
            return to_frame(path, self.facts["format"])

    def save(self, path: Path | str) -> Path:
        """Save the file as it was uploaded."""
        target = Path(path)
        with target.open("wb") as file:
            self.client.save(f"{self._path}/file", file)
        return target

    def versions(self) -> "list[Dataset]":
        """Give what its team has uploaded under its name, the newest first; itself is among them."""
        return [Dataset(self.client, facts) for facts in self.client.all(f"{self._path}/versions")]

    def profile(self) -> pl.DataFrame:
        """Give what the worker has found in each column; wait for it with `wait`."""
        columns = self.client.ask("GET", f"{self._path}/profile")["columns"]
        rows = [{key: value for key, value in column.items() if key not in {"top", "histogram"}} for column in columns]
        return pl.DataFrame(rows, infer_schema_length=None)

    def delete(self) -> None:
        """Delete it, with its file; editors may."""
        self.client.ask("DELETE", self._path)

    @property
    def _path(self) -> str:
        return f"/datasets/{self.facts['id']}"


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _reason(error: HTTPError) -> str:
    if moved := error.headers.get("Location"):
        return f"The server sends on to {urljoin(error.url, moved)}: if you trust it, give that server as `url`."
    try:
        problem = json.load(error)
        wrong = [f"{each['field']}: {each['message']}" for each in problem.get("errors") or []]
        return " ".join([problem.get("detail") or problem["title"], *wrong])
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(error.reason)
