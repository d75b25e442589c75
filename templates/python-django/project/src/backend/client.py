"""The API for those who work with the data: `Client(url, key).datasets("fruit").to_polars()`.

It needs the packages of this project and none of its settings, so it runs wherever a notebook does.
"""

import hashlib
import io
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPRedirectHandler, Request, build_opener

import polars as pl

from backend.datasets.formats import FORMATS
from backend.datasets.frames import to_frame

PIECE = 64 * 1024
PAGE = 100
TIMEOUT_SECONDS = 60.0
# Between attempts to send a part, when nothing gets through.
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


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
        """Upload a frame or a file for a team; `team` may be left out where one may upload for one team alone.

        What breaks off is tried again for a while; after that, the same call goes on where it was.
        """
        if not isinstance(table, pl.DataFrame):
            path = Path(table)
            with path.open("rb") as file:
                about = path.stat()
                # With the same fingerprint the server goes on with what has come of the file.
                known = {"file_name": path.name, "size": about.st_size, "fingerprint": str(about.st_mtime_ns)}
                return self._upload(file, known | _given(name=name), team)
        if not name:
            raise ValueError("A frame needs a name.")
        content = io.BytesIO()
        table.write_parquet(content)
        digest = hashlib.sha256(content.getbuffer()).hexdigest()
        known = {"file_name": "frame.parquet", "size": content.tell(), "fingerprint": digest, "name": name}
        return self._upload(content, known, team)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request, with a body of JSON or none, and give the answer."""
        sent = None if body is None else json.dumps(body).encode()
        with self._open(f"/api{path}", method, sent, {"Content-Type": "application/json"} if sent else None) as answer:
            return json.load(answer) if answer.status != 204 else None

    def save(self, path: str, target: BinaryIO) -> None:
        """Write what the API gives to a file."""
        with self._open(f"/api{path}") as answer:
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

    def _upload(self, file: BinaryIO, known: dict[str, Any], team: str) -> "Dataset":
        wanted = known | {"team_id": self._team(team)}
        try:
            return self._send_all(file, wanted)
        except ApiError as error:
            if error.status != 404:
                raise
            # What had come of it was removed meanwhile, such as by a rule of the bucket.
            return self._send_all(file, wanted)

    def _send_all(self, file: BinaryIO, wanted: dict[str, Any]) -> "Dataset":
        upload = self._patiently(lambda: self.ask("POST", "/uploads", wanted))
        path = f"/uploads/{upload['id']}"
        while upload["missing"]:
            for part in upload["missing"]:
                self._patiently(partial(self._send, part, file))
            upload = self._patiently(lambda: self.ask("GET", path))
        return Dataset(self, self._patiently(lambda: self.ask("POST", f"{path}/finish")))

    def _send(self, part: dict[str, Any], file: BinaryIO) -> None:
        file.seek(part["first"])
        left = part["bytes"]
        # Small pieces, since the limit of time is one for each.
        pieces = (file.read(min(PIECE, left - at)) for at in range(0, left, PIECE))
        headers = {"Content-Length": str(left), "Content-Type": "application/octet-stream"}
        self._open(part["url"], "PUT", pieces, headers).close()

    def _patiently(self, attempt: Callable[[], Any]) -> Any:
        """Try again where the connection or the server breaks down."""
        for pause in PAUSES:
            try:
                return attempt()
            except ApiError as error:
                if error.status < 500:
                    raise
            except OSError:
                pass
            time.sleep(pause)
        return attempt()

    def _team(self, named: str) -> str:
        teams = [team for team in self.all("/teams") if team["role"] != "viewer"]
        found = [team for team in teams if not named or named in {team["name"], team["id"]}]
        if len(found) != 1:
            names = ", ".join(sorted(team["name"] for team in teams)) or "none"
            msg = f"Say for which team, by `team`. Those you may upload for: {names}."
            raise LookupError(msg)
        return str(found[0]["id"])

    def _open(
        self,
        path: str,
        method: str = "GET",
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        # A bucket has an address of its own, and is not told the key.
        url, known = path, headers or {}
        if path.startswith("/"):
            url, known = f"{self.url.rstrip('/')}{path}", {"Authorization": f"Bearer {self.key}"} | known
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
        return Dataset(self.client, self._until_ready(self._path, seconds))

    def to_polars(self) -> pl.DataFrame:
        """Load all of it: the columns have the kinds that the profile tells of, and what counts as missing is null."""
        with tempfile.TemporaryDirectory() as folder:
            path = self.save(Path(folder) / "file")
            return to_frame(path, self.facts["format"])

    def save(self, path: Path | str, written_as: str = "", seconds: float = 600.0) -> Path:
        """Save the file as it was uploaded, or as "csv" or "parquet".

        A worker writes the one that was not uploaded, and it is kept for a day. Whose key only reads can have it while
        it is kept.
        """
        target, source = Path(path), f"{self._path}/file"
        if written_as and written_as not in FORMATS:
            msg = f"A file is written as {' or '.join(FORMATS)}, not as {written_as!r}."
            raise ValueError(msg)
        if written_as not in {"", self.facts["format"]}:
            self._have_copied(seconds)
            source = f"{self._path}/copy/file"
        with target.open("wb") as file:
            self.client.save(source, file)
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

    def _have_copied(self, seconds: float) -> None:
        path = f"{self._path}/copy"
        try:
            there = self.client.ask("GET", path)["status"] != "failed"
        except ApiError as error:
            if error.status != 404:
                raise
            there = False
        if not there:
            self.client.ask("POST", path)
        self._until_ready(path, seconds)

    def _until_ready(self, path: str, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        pause = 0.1
        while True:
            facts: dict[str, Any] = self.client.ask("GET", path)
            if facts["status"] == "ready":
                return facts
            if facts["status"] == "failed":
                raise ValueError(facts["problem"])
            if time.monotonic() > end:
                msg = f"{self.name} is still {facts['status']} after {seconds:g} seconds: does a worker run?"
                raise TimeoutError(msg)
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)


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
