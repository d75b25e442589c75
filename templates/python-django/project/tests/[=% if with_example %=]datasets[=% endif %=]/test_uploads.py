"""Uploads that go on where they broke off, into a folder and into a bucket, and what else is done in a bucket."""

import io
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from backend.accounts.models import ApiKey, User
from backend.core.middleware import SecurityHeaders
from backend.datasets import tasks, uploads
from backend.datasets.files import BrokeOffError, Folder, files
from backend.datasets.models import UPLOADS_LAST, Dataset, Upload
from backend.teams.models import Membership, Role, Team
from tests.datasets.bucket import Server
from tests.datasets.conftest import CSV, Api

# The smallest part that a bucket takes, but for the last one.
PART = 5 * 1024 * 1024
AWAY = "http://127.0.0.1:9"
HEAD = b"name,price\n"
ROWS = HEAD + b"Apple,1.5\n" * ((2 * PART + 1000 - len(HEAD)) // 10)


@pytest.fixture(scope="session")
def buckets() -> Iterator[Server]:
    """A server with buckets."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _nothing_is_there(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT, settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "files", tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    settings.PART_BYTES, settings.MAX_UPLOAD_BYTES = PART, 4 * PART


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> str:
    """Where files lie."""
    if request.param == "bucket":
        request.getfixturevalue("bucket")
    return str(request.param)


@pytest.fixture
def bucket(buckets: Server, settings: Any) -> dict[str, str]:
    """An empty bucket, which holds the files of the test."""
    known = buckets.bucket(f"files-{uuid.uuid4()}")
    settings.STORAGES = in_bucket(settings, known)
    return known


def in_bucket(settings: Any, known: dict[str, str]) -> dict[str, Any]:
    """Give the settings of files that lie in a bucket."""
    return {**settings.STORAGES, "default": {"BACKEND": "backend.datasets.bucket.Bucket", "OPTIONS": known}}


def begin(api: Api, team: Team, content: bytes = ROWS, **more: Any) -> Any:
    wanted = {"team_id": str(team.pk), "file_name": "fruit.csv", "size": len(content), "fingerprint": "today", **more}
    return api("POST", "/uploads", wanted)


def send(api: Api, part: dict[str, Any], content: bytes = ROWS) -> None:
    piece = content[part["first"] : part["first"] + part["bytes"]]
    if part["url"].startswith("/"):
        sent = api.client.put(part["url"], piece, content_type="application/octet-stream", headers=api.headers)
        assert sent.status_code == 204, sent.content
        return
    answer: HTTPResponse
    kind = {"Content-Type": "application/octet-stream"}
    with urllib.request.urlopen(urllib.request.Request(part["url"], piece, kind, method="PUT"), timeout=60) as answer:
        assert answer.status == 200


def whole(api: Api, team: Team, content: bytes = ROWS, **more: Any) -> Any:
    upload = begin(api, team, content, **more).json()
    for part in upload["missing"]:
        send(api, part, content)
    return api("POST", f"/uploads/{upload['id']}/finish")


def stored() -> list[str]:
    """Give the names of the files that are kept."""
    try:
        return sorted(files().listdir("datasets")[1])
    except FileNotFoundError:
        return []


def numbers(upload: dict[str, Any]) -> list[int]:
    return [part["number"] for part in upload["missing"]]


@pytest.mark.parametrize("moment", ["before its parts are made a file", "before it is kept"])
def test_of_two_who_finish_an_upload_at_once_both_get_the_same_data_set(
    place: str, api: Api, team: Team, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    upload = begin(api, team).json()
    for part in upload["missing"]:
        send(api, part)
    path, answers = f"/uploads/{upload['id']}/finish", []
    where, what = (files().__class__, "finish") if moment.endswith("file") else (uploads, "check_start")
    go_on = getattr(where, what)

    def other_first(*arguments: Any) -> Any:
        monkeypatch.setattr(where, what, go_on)
        answers.append(api("POST", path))
        return go_on(*arguments)

    monkeypatch.setattr(where, what, other_first)
    answers.append(api("POST", path))
    assert [answer.status_code for answer in answers] == [202, 202], (place, answers[-1].content)
    assert answers[0].json() == answers[1].json()
    assert (Upload.objects.count(), Dataset.objects.count(), len(stored())) == (0, 1, 1)
    assert DBTaskResult.objects.count() == 1


def test_an_upload_goes_on_where_it_broke_off(
    place: str, api: Api, team: Team, run_tasks: Callable[[], int], settings: Any
) -> None:
    begun = begin(api, team)
    assert (begun.status_code, numbers(begun.json()), begun.json()["received"]) == (201, [1, 2, 3], 0)
    path = f"/uploads/{begun.json()['id']}"
    assert begun.json()["missing"][0]["url"].startswith("http" if place == "bucket" else f"/api{path}")
    send(api, begun.json()["missing"][1])
    # As somebody does who has lost all but the file.
    again = begin(api, team)
    assert (again.status_code, again.json()["id"]) == (200, begun.json()["id"])
    assert (numbers(again.json()), again.json()["received"]) == ([1, 3], PART)
    unfinished = api("POST", f"{path}/finish")
    assert (unfinished.status_code, unfinished.json()["detail"]) == (409, "2 parts are missing.")
    for part in again.json()["missing"]:
        send(api, part)
    assert api("GET", path).json()["missing"] == []

    finished = api("POST", f"{path}/finish")
    assert (finished.status_code, finished.json()["id"], finished.json()["name"]) == (202, begun.json()["id"], "fruit")
    # The answer may have been lost.
    assert api("POST", f"{path}/finish").json() == finished.json()
    assert (api("GET", path).status_code, Upload.objects.count(), Dataset.objects.count()) == (404, 0, 1)
    assert run_tasks() == 1
    found = api("GET", f"/datasets/{finished.json()['id']}").json()
    assert (found["status"], found["row_count"], found["size"]) == ("ready", (len(ROWS) - len(HEAD)) // 10, len(ROWS))
    file = api("GET", f"/datasets/{found['id']}/file")
    assert b"".join(file.streaming_content) == ROWS
    end = api("GET", f"/datasets/{found['id']}/file", Range="bytes=-6")
    assert (end.status_code, b"".join(end.streaming_content)) == (206, ROWS[-6:])
    assert list(files().begun("datasets")) == []
    if place == "folder":  # as a file that a form has brought
        assert Path(Dataset.objects.get().file.path).stat().st_mode & 0o777 == 0o640
    # Copies that were made to be read, too.
    assert list(Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir()) == []


def test_what_is_not_the_same_is_another_upload(api: Api, team: Team, editor: Api) -> None:
    first = begin(api, team).json()["id"]
    others = [begin(api, team, **change) for change in ({"fingerprint": "later"}, {"name": "figs"}, {"size": 5})]
    others += [begin(editor, team), begin(api, team, fingerprint=None), begin(api, team, fingerprint=None)]
    assert [other.status_code for other in others] == [201] * 6
    assert len({first, *(other.json()["id"] for other in others)}) == 7
    assert begin(api, team).json()["id"] == first


def test_nobody_else_goes_on_with_an_upload(api: Api, team: Team, editor: Api, viewer: Api, stranger: Api) -> None:
    path = f"/uploads/{begin(api, team).json()['id']}"
    asked = [("GET", path), ("POST", f"{path}/finish"), ("DELETE", path), ("PUT", f"{path}/parts/1")]
    for other in (editor, viewer, stranger):
        assert [other(method, where).status_code for method, where in asked] == [404] * 4
    assert (begin(viewer, team).status_code, begin(stranger, team).status_code) == (403, 404)


def test_who_may_upload_no_more_goes_on_with_nothing(api: Api, team: Team, ada: User) -> None:
    path = f"/uploads/{begin(api, team).json()['id']}"
    reading = Api(ApiKey.issue(ada, "reads", read_only=True)[1])
    assert (begin(reading, team).status_code, reading("GET", path).status_code) == (403, 200)
    Membership.objects.filter(user=ada).update(role=Role.VIEWER)
    asked = [("GET", path), ("POST", f"{path}/finish"), ("DELETE", path), ("PUT", f"{path}/parts/1")]
    assert [api(method, where).status_code for method, where in asked] == [403] * 4
    Membership.objects.filter(user=ada).delete()
    assert [api(method, where).status_code for method, where in asked] == [404] * 4


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"file_name": "fruit.zip"}, 415),
        ({"size": 0}, 422),
        ({"size": 2**63}, 422),
        ({"size": 4 * PART + 1}, 413),
        ({"fingerprint": "x" * 201}, 422),
        ({"name": "\0"}, 422),
    ],
)
def test_what_cannot_be_taken_is_refused_before_it_is_sent(
    place: str, api: Api, team: Team, change: dict[str, Any], status: int
) -> None:
    assert begin(api, team, **change).status_code == status
    assert (Upload.objects.count(), list(files().begun("datasets"))) == (0, [])


def test_what_arrives_counts_as_kept(place: str, api: Api, team: Team, settings: Any) -> None:
    settings.MAX_TEAM_BYTES = len(ROWS) + 10
    assert begin(api, team).status_code == 201
    refused = begin(api, team, fingerprint="another")
    assert (refused.status_code, refused.json()["detail"][:30]) == (409, "The team has room for 10 more ")
    assert api.upload(team).status_code == 409
    assert (len(list(files().begun("datasets"))), stored()) == (1, [])
    settings.MAX_TEAM_BYTES, settings.MAX_TEAM_DATASETS = 10**12, 1
    assert begin(api, team, fingerprint="another").status_code == 409


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"PAR1"])
def test_an_archive_is_found_when_all_of_it_is_there_and_not_kept(
    place: str, api: Api, team: Team, start: bytes
) -> None:
    assert whole(api, team, start + b"\0" * 100).status_code == 415
    assert (Upload.objects.count(), Dataset.objects.count()) == (0, 0)
    assert (stored(), list(files().begun("datasets"))) == ([], [])


def test_an_upload_is_given_up(place: str, api: Api, team: Team) -> None:
    upload = begin(api, team).json()
    send(api, upload["missing"][0])
    assert len(list(files().begun("datasets"))) == 1
    assert api("DELETE", f"/uploads/{upload['id']}").status_code == 204
    assert (Upload.objects.count(), list(files().begun("datasets"))) == (0, [])
    assert api("GET", f"/uploads/{upload['id']}").status_code == 404


@pytest.mark.parametrize(
    ("asked", "status"), [("GET ", 404), ("POST /finish", 404), ("DELETE ", 204), ("begin again", 201)]
)
def test_an_upload_whose_parts_somebody_has_removed_is_over(
    place: str, api: Api, team: Team, asked: str, status: int
) -> None:
    upload = begin(api, team).json()
    send(api, upload["missing"][0])
    # As a rule of the bucket may do.
    files().abandon(f"datasets/{upload['id']}.csv", Upload.objects.get().place)
    method, _, path = asked.partition(" ")
    answer = begin(api, team) if method == "begin" else api(method, f"/uploads/{upload['id']}{path}")
    assert answer.status_code == status
    again = begin(api, team).json()
    assert (again["id"] == upload["id"], numbers(again), Upload.objects.count()) == (False, [1, 2, 3], 1)
    assert whole(api, team).status_code == 202
    assert stored() == [f"{again['id']}.csv"]


def test_what_is_left_of_uploads_goes_by_itself(
    place: str, api: Api, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, lost, arriving = (begin(api, team, fingerprint=name).json() for name in ("over", "lost", "arriving"))
    # As when a process dies before the row is there, or its team is deleted.
    Upload.objects.filter(pk=lost["id"]).delete()
    if place == "folder":  # the bucket's server says of all that they began years ago
        # The row may be about to come.
        assert tasks.remove_orphans.call() == 0
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    Upload.objects.filter(pk=over["id"]).update(created_at=later - UPLOADS_LAST - timedelta(seconds=1))
    assert api("GET", f"/uploads/{over['id']}").status_code == 404
    assert begin(api, team, fingerprint="over").json()["id"] != over["id"]
    assert tasks.remove_orphans.call() == 2
    left = {begun.place for begun in files().begun("datasets")}
    assert left == set(Upload.objects.values_list("place", flat=True))
    assert len(left) == 2
    send(api, arriving["missing"][0])


def test_an_upload_is_finished_by_the_attempt_after_one_that_failed(
    place: str, api: Api, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("no room for tasks")

    with monkeypatch.context() as broken:
        broken.setattr("backend.tasks.backend.Backend.enqueue", full)
        assert whole(api, team).status_code == 500
    assert (Upload.objects.count(), Dataset.objects.count()) == (1, 0)
    # The file is there, and belongs to the upload for as long as that lasts.
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert tasks.remove_orphans.call() == 0
    again = begin(api, team).json()
    assert (again["missing"], again["received"]) == ([], len(ROWS))
    finished = api("POST", f"/uploads/{again['id']}/finish")
    assert finished.status_code == 202
    assert b"".join(api("GET", f"/datasets/{finished.json()['id']}/file").streaming_content) == ROWS


# --- Parts that come here ---------------------------------------------------------------------------------------


def test_a_part_has_its_place_and_its_length(api: Api, team: Team, settings: Any) -> None:
    settings.PART_BYTES = 40
    path = begin(api, team, CSV[:70]).json()["missing"][0]["url"].removesuffix("/1")

    def put(number: int, length: int) -> int:
        kind = "application/octet-stream"
        return int(
            api.client.put(f"{path}/{number}", b"x" * length, content_type=kind, headers=api.headers).status_code
        )

    assert [put(1, 39), put(1, 41), put(0, 40), put(3, 40), put(2, 40)] == [422, 413, 404, 404, 422]
    assert [put(1, 40), put(2, 30), put(1, 40)] == [204, 204, 204]
    assert api("GET", path.removeprefix("/api").removesuffix("/parts")).json()["missing"] == []


def test_a_part_that_breaks_off_has_not_come(api: Api, team: Team) -> None:
    begin(api, team, CSV)
    upload, folder = Upload.objects.get(), files()
    assert isinstance(folder, Folder)
    folder.write(upload.place, 1, io.BytesIO(CSV), 0, len(CSV))
    assert folder.received("", upload.place) == {1: len(CSV)}
    with pytest.raises(BrokeOffError):
        folder.write(upload.place, 1, io.BytesIO(CSV[:-1]), 0, len(CSV))
    assert folder.received("", upload.place) == {}


@pytest.mark.django_db
def test_a_part_of_somebody_unknown_is_refused_unread(settings: Any) -> None:
    class Body:
        def read(self, *_: Any) -> bytes:
            raise AssertionError("it was read")

        readline = read

    client = Client(enforce_csrf_checks=True)
    client.cookies["sessionid"] = "a" * 32
    path = f"/api/uploads/{uuid.uuid4()}/parts/1"
    for method, length, status in (("PUT", 5_000_000, 401), ("PUT", 6_000_000, 413), ("POST", 2_000_000, 413)):
        known: dict[str, Any] = {"CONTENT_LENGTH": str(length), "wsgi.input": Body()}
        assert client.generic(method, path, b"", **known).status_code == status


# --- A bucket ---------------------------------------------------------------------------------------------------


def test_a_form_goes_into_the_bucket_and_its_file_is_read_there(
    bucket: dict[str, str], api: Api, team: Team, run_tasks: Callable[[], int]
) -> None:
    path = f"/datasets/{api.upload(team).json()['id']}"
    assert run_tasks() == 1
    assert api("GET", path).json()["status"] == "ready"
    assert b"".join(api("GET", f"{path}/file").streaming_content) == CSV
    part = api("GET", f"{path}/file", Range="bytes=5-9")
    assert (part.status_code, part["Content-Length"], b"".join(part.streaming_content)) == (206, "5", CSV[5:10])
    with Dataset.objects.get().file.open("rb") as file:
        assert file.read() == CSV
    assert (api("POST", f"{path}/copy").status_code, run_tasks()) == (202, 1)
    copy = api("GET", f"{path}/copy/file", Range="bytes=-4")
    assert (copy.status_code, b"".join(copy.streaming_content)) == (206, b"PAR1")
    assert stored() == [f"{Dataset.objects.get().pk}.{extension}" for extension in ("csv", "parquet")]


@pytest.mark.django_db(transaction=True)
def test_a_deleted_data_set_leaves_nothing_in_the_bucket(
    bucket: dict[str, str], api: Api, team: Team, settings: Any
) -> None:
    kept, gone = (api.upload(team, name=name).json()["id"] for name in ("kept", "gone"))
    assert api("DELETE", f"/datasets/{gone}").status_code == 204
    assert stored() == [f"{kept}.csv"]
    # While the bucket is away, the file waits for the schedule that removes what no data set needs.
    settings.STORAGES = in_bucket(settings, bucket | {"endpoint": AWAY})
    assert api("DELETE", f"/datasets/{kept}").status_code == 204
    assert not Dataset.objects.exists()


def test_what_no_data_set_needs_goes_from_the_bucket_after_an_hour(
    bucket: dict[str, str], api: Api, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = api.upload(team).json()["id"]
    store = files()
    for name in (f"datasets/{uuid.uuid4()}.csv", "datasets/readme.csv", "elsewhere/readme.csv"):
        store.save(name, ContentFile(CSV))
    place = store.begin("elsewhere/large.csv", 10)
    assert tasks.remove_orphans.call() == 0
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert tasks.remove_orphans.call() == 1
    assert [begun.place for begun in store.begun("elsewhere")] == [place]
    assert stored() == sorted(["readme.csv", f"{kept}.csv"])
    assert store.exists("elsewhere/readme.csv")


def test_an_address_of_a_bucket_takes_that_part_alone(bucket: dict[str, str], api: Api, team: Team) -> None:
    upload = begin(api, team, CSV).json()
    url = upload["missing"][0]["url"]
    assert url.startswith(f"{bucket['endpoint']}/{bucket['name']}/datasets/{upload['id']}.csv?")
    # Who signs the length, too, lets nobody send more.
    assert "X-Amz-SignedHeaders=content-length%3Bhost" in url
    here = api.client.put(f"/api/uploads/{upload['id']}/parts/1", CSV, content_type="text/csv", headers=api.headers)
    assert here.status_code == 409


def test_a_part_of_another_length_has_not_come(bucket: dict[str, str], api: Api, team: Team) -> None:
    upload = begin(api, team, CSV).json()
    with suppress(HTTPError):  # of a bucket that checks what was signed
        send(api, upload["missing"][0], CSV[:-1])
    assert numbers(api("GET", f"/uploads/{upload['id']}").json()) == [1]
    assert api("POST", f"/uploads/{upload['id']}/finish").status_code == 409


def test_a_bucket_that_is_away_is_said_to_be(
    bucket: dict[str, str], api: Api, team: Team, settings: Any, run_tasks: Callable[[], int]
) -> None:
    uploaded = api.upload(team).json()["id"]
    settings.STORAGES = in_bucket(settings, bucket | {"endpoint": AWAY})
    for answer in (api.upload(team), begin(api, team), api("GET", f"/datasets/{uploaded}/file")):
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.json()["detail"] == "The place of the files cannot be reached; try again soon."
    # The profile is tried again when the bucket is back.
    assert run_tasks() == 1
    assert api("GET", f"/datasets/{uploaded}").json()["status"] == "profiling"


def test_pages_may_send_parts_to_the_bucket(settings: Any) -> None:
    settings.CONNECT_ORIGINS = ["https://bucket.example"]
    answer = SecurityHeaders(lambda _: HttpResponse())(HttpRequest())
    assert "connect-src 'self' https://bucket.example; " in answer["Content-Security-Policy"]
