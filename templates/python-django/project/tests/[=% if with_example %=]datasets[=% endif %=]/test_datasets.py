"""Data sets from upload to download, for members, strangers and vandals."""

import os
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from backend.accounts.models import User
from backend.audit.models import Action, Entry
from backend.datasets import tasks
from backend.datasets.models import Dataset
from backend.tasks.schedules import enqueue_due
from backend.teams.models import Team
from tests.conftest import PASSWORD, Browser
from tests.datasets.conftest import CSV, Api


def test_an_upload_is_accepted_profiled_and_given_back(api: Api, team: Team, run_tasks: Callable[[], int]) -> None:
    uploaded = api.upload(team, name="Fruit")
    assert uploaded.status_code == 202
    path = f"/datasets/{uploaded.json()['id']}"
    assert api("GET", path).json()["status"] == "pending"
    assert api("GET", f"{path}/profile").status_code == 409
    assert run_tasks() == 1
    found = api("GET", path).json()
    assert (found["status"], found["row_count"], found["column_count"]) == ("ready", 3, 4)
    columns = api("GET", f"{path}/profile").json()["columns"]
    assert [(c["name"], c["kind"], c["missing"]) for c in columns] == [
        ("name", "text", 0),
        ("price", "number", 1),
        ("sold", "boolean", 0),
        ("day", "date", 1),
    ]
    downloaded = api("GET", f"{path}/file")
    assert b"".join(downloaded.streaming_content) == CSV
    assert downloaded["Content-Disposition"] == 'attachment; filename="fruit.csv"'
    assert downloaded["X-Content-Type-Options"] == "nosniff"


def test_every_column_is_drawn_as_svg(api: Api, dataset: Dataset) -> None:
    for position in range(4):
        plot = api("GET", f"/datasets/{dataset.pk}/plots/{position}.svg")
        assert plot["Content-Type"] == "image/svg+xml"
        drawing = ET.fromstring(plot.content)
        assert drawing.findall("{http://www.w3.org/2000/svg}rect")
    assert api("GET", f"/datasets/{dataset.pk}/plots/4.svg").status_code == 404
    words = "".join(ET.fromstring(api("GET", f"/datasets/{dataset.pk}/plots/0.svg").content).itertext())
    assert all(name in words for name in ("Apple", "Pear", "Fig"))


def test_what_cannot_be_drawn_says_why(api: Api, team: Team, run_tasks: Callable[[], int]) -> None:
    rows = "".join(f"{number} apples,,1\n" for number in range(1500))
    uploaded = api.upload(team, f"many,none,same\n{rows}".encode()).json()
    run_tasks()
    drawn = [api("GET", f"/datasets/{uploaded['id']}/plots/{place}.svg").content.decode() for place in range(3)]
    assert "every value is rare" in drawn[0]
    assert "no values" in drawn[1]
    assert "<rect" in drawn[2]


def test_lists_are_filtered_ordered_and_cut_into_pages(api: Api, team: Team, run_tasks: Callable[[], int]) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        api.upload(team, name=name)
    run_tasks()
    api.upload(team, name="Delta")

    def names(query: str) -> list[str]:
        return [item["name"] for item in api("GET", f"/datasets?{query}").json()["items"]]

    assert names("order=name") == ["Alpha", "Beta", "Delta", "Gamma"]
    assert names("order=-name&limit=2&offset=1") == ["Delta", "Beta"]
    assert names("status=pending") == ["Delta"]
    assert names("search=ALP") == ["Alpha"]
    assert names("format=csv&order=-created_at")[0] == "Delta"
    assert names(f"team_id={uuid.uuid4()}") == []
    assert api("GET", "/datasets?limit=1").json()["count"] == 4


def test_uploads_of_one_name_are_versions_of_which_the_newest_can_be_had_alone(
    api: Api, stranger: Api, team: Team, ada: User
) -> None:
    first, second, third = (api.upload(team, name=name).json()["id"] for name in ("Prices", "Prices", "Others"))
    elsewhere = Team.start("Elsewhere", ada)
    there = api.upload(elsewhere, name="Prices").json()["id"]

    def ids(path: str) -> list[str]:
        return [item["id"] for item in api("GET", path).json()["items"]]

    assert ids(f"/datasets/{first}/versions") == ids(f"/datasets/{second}/versions") == [second, first]
    assert ids(f"/datasets/{second}/versions?limit=1&offset=1") == [first]
    assert ids("/datasets?newest=true") == [there, third, second]
    assert ids("/datasets?newest=true&search=prices&order=created_at") == [second, there]
    assert stranger("GET", f"/datasets/{first}/versions").status_code == 404
    # What was made at one moment has an order, too.
    Dataset.objects.update(created_at=Dataset.objects.get(pk=first).created_at)
    one, other = sorted([first, second])
    assert ids(f"/datasets/{first}/versions") == [one, other]
    assert set(ids("/datasets?newest=true")) == {one, third, there}
    api("PATCH", f"/datasets/{other}", {"name": "Old prices"})
    assert ids(f"/datasets/{one}/versions") == [one]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "offset=-1", f"offset={2**70}", "order=owner", "status=x", "team_id=x", "search=%00"],
)
def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    refused = api("GET", f"/datasets?{query}")
    assert refused.status_code == 422
    assert refused.json()["errors"]


def test_a_stranger_learns_nothing_of_a_data_set(stranger: Api, dataset: Dataset, team: Team) -> None:
    assert stranger("GET", "/datasets").json() == {"items": [], "count": 0}
    assert stranger("GET", f"/datasets?team_id={team.pk}").json()["count"] == 0
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/file", None),
        ("GET", "/profile", None),
        ("GET", "/profile.csv", None),
        ("GET", "/plots/0.svg", None),
        ("POST", "/profile", None),
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
    ):
        theirs = stranger(method, f"/datasets/{dataset.pk}{path}", body)
        nobodys = stranger(method, f"/datasets/{uuid.uuid4()}{path}", body)
        assert theirs.status_code == nobodys.status_code == 404, (method, path)
        assert theirs.json() | {"request_id": ""} == nobodys.json() | {"request_id": ""}
    assert stranger.upload(team).status_code == 404
    assert Dataset.objects.get(pk=dataset.pk).name == dataset.name


def test_a_viewer_reads_and_an_editor_changes(viewer: Api, editor: Api, dataset: Dataset, team: Team) -> None:
    path = f"/datasets/{dataset.pk}"
    assert viewer("GET", path).status_code == 200
    assert b"".join(viewer("GET", f"{path}/file").streaming_content) == CSV
    assert viewer.upload(team).status_code == 403
    for method, suffix, body in (("PATCH", "", {"name": "X"}), ("POST", "/profile", None), ("DELETE", "", None)):
        assert viewer(method, path + suffix, body).status_code == 403
    assert editor("PATCH", path, {"name": "Renamed"}).json()["name"] == "Renamed"
    assert editor("POST", f"{path}/profile").status_code == 202
    assert editor("POST", f"{path}/profile").status_code == 409
    file = Path(dataset.file.path)
    assert file.exists()
    assert editor("DELETE", path).status_code == 204
    assert not Dataset.objects.exists()


def test_an_upload_whose_task_cannot_be_enqueued_leaves_nothing(
    api: Api, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("no room for tasks")

    monkeypatch.setattr("backend.tasks.backend.Backend.enqueue", full)
    assert api.upload(team).status_code == 500
    assert not Dataset.objects.exists()


def test_a_team_keeps_so_many_data_sets_and_bytes(api: Api, team: Team, settings: Any) -> None:
    settings.MAX_TEAM_DATASETS = 2
    assert [api.upload(team).status_code for _ in range(3)] == [202, 202, 409]
    settings.MAX_TEAM_DATASETS, settings.MAX_TEAM_BYTES = 10, 3 * len(CSV)
    assert api.upload(team).status_code == 202
    refused = api.upload(team)
    assert (refused.status_code, refused.json()["detail"][:29]) == (409, "The team has room for 0 more ")
    assert Dataset.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_deleting_a_data_set_deletes_its_file_and_its_task_ends_in_peace(run_tasks: Callable[[], int]) -> None:
    ada = User.objects.create_user("ada@example.com", PASSWORD)
    team = Team.start("Analysts", ada)
    client = Client()
    client.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    api = Api()
    api.client = client
    uploaded = api.upload(team).json()
    file = Path(Dataset.objects.get().file.path)
    assert file.exists()
    assert api("DELETE", f"/datasets/{uploaded['id']}").status_code == 204
    assert not file.exists()
    assert run_tasks() == 1
    assert Dataset.objects.count() == 0


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"", "empty.csv", 422),
        (b"PK\x03\x04" + b"\0" * 100, "bomb.csv", 415),
        (b"\x1f\x8b" + b"\0" * 100, "bomb.csv", 415),
        (CSV, "data.xlsx", 415),
        (CSV, "data", 415),
        (CSV, "data.parquet", 415),
        (b"a,b\n" + b"1,2\n" * 300_000, "large.csv", 413),
    ],
    ids=["empty", "zip", "gzip", "unknown", "without extension", "not parquet", "oversized"],
)
def test_an_upload_that_cannot_be_right_is_refused_at_the_door(
    api: Api, team: Team, content: bytes, name: str, status: int
) -> None:
    refused = api.upload(team, content, name)
    assert refused.status_code == status
    assert refused["Content-Type"] == "application/problem+json"
    assert not Dataset.objects.exists()


def test_a_file_is_counted_as_it_arrives(api: Api, team: Team) -> None:
    # The form as a whole may be a little larger than the largest file, so its announced length lets this one in.
    refused = api.upload(team, b"a,b\n" * (settings.MAX_UPLOAD_BYTES // 4 + 1))
    assert refused.status_code == 413
    assert refused.json()["detail"] == f"The file is larger than {settings.MAX_UPLOAD_BYTES} bytes."


def test_an_upload_is_moved_to_its_place_and_not_copied(
    api: Api, team: Team, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Path(settings.FILE_UPLOAD_TEMP_DIR).parent == Path(settings.MEDIA_ROOT).parent
    moved: list[Path] = []
    rename = os.rename

    def note(old: str, new: str) -> None:
        moved.append(Path(new))
        rename(old, new)

    monkeypatch.setattr("django.core.files.move.os.rename", note)
    api.upload(team)
    file = Path(Dataset.objects.get().file.path)
    assert moved == [file]
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x", "text/plain"])
def test_a_malformed_form_is_the_clients_mistake(api: Api, content_type: str) -> None:
    refused = api.client.generic(
        "POST", "/api/datasets", b"--y\r\nnonsense", content_type=content_type, headers=api.headers
    )
    assert refused.status_code in {400, 422}
    assert refused["Content-Type"] == "application/problem+json"


def test_a_file_that_cannot_be_profiled_tells_its_owner_why(api: Api, team: Team, run_tasks: Callable[[], int]) -> None:
    uploaded = api.upload(team, b"a,b\n1,2,3\n").json()
    run_tasks()
    found = api("GET", f"/datasets/{uploaded['id']}").json()
    assert found["status"] == "failed"
    assert found["problem"]
    refused = api("GET", f"/datasets/{uploaded['id']}/profile")
    assert refused.status_code == 409
    assert refused.json()["detail"] == found["problem"]


def test_a_worker_that_fails_again_and_again_gives_up_and_says_so(
    api: Api, dataset: Dataset, run_tasks: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any) -> None:
        msg = "disk on fire"
        raise OSError(msg)

    monkeypatch.setattr("backend.datasets.profiler.profile", broken)
    monkeypatch.setattr("backend.tasks.backend.RetriedTask.wait_after", lambda *_: -timedelta(seconds=1))
    api("POST", f"/datasets/{dataset.pk}/profile")
    assert [run_tasks() for _ in range(4)] == [1, 1, 1, 0]
    dataset.refresh_from_db()
    assert dataset.status == "failed"
    assert "disk" not in dataset.problem


def test_nothing_exported_acts_as_a_formula(api: Api, team: Team, run_tasks: Callable[[], int]) -> None:
    header = '"=HYPERLINK(""http://evil"")",+1,-2,@sum,safe\n'
    uploaded = api.upload(team, (header + "1,2,3,4,5\n").encode()).json()
    run_tasks()
    exported = api("GET", f"/datasets/{uploaded['id']}/profile.csv")
    assert exported["Content-Type"].startswith("text/csv")
    lines = exported.content.decode().splitlines()[1:]
    assert len(lines) == 5
    assert not [line for line in lines if line.lstrip('"').startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    "name", ["../../evil.csv", "%0d%0aX-Evil: 1.csv", "'; evil='1.csv", "ünï.csv", "x" * 300 + ".csv"]
)
def test_a_hostile_file_name_is_only_a_name(api: Api, team: Team, name: str) -> None:
    uploaded = api.upload(team, CSV, name)
    assert uploaded.status_code == 202
    dataset = Dataset.objects.get()
    assert dataset.file.name == f"datasets/{dataset.pk}.csv"
    downloaded = api("GET", f"/datasets/{dataset.pk}/file")
    assert downloaded.status_code == 200
    assert "X-Evil" not in downloaded.headers
    assert b"".join(downloaded.streaming_content) == CSV


def test_names_in_a_drawing_are_text_and_never_markup(api: Api, team: Team, run_tasks: Callable[[], int]) -> None:
    uploaded = api.upload(team, b"<script>alert(1)</script>,b\n</title><script>,2\n").json()
    run_tasks()
    plot = api("GET", f"/datasets/{uploaded['id']}/plots/0.svg").content
    assert b"<script" not in plot
    ET.fromstring(plot)


def test_files_whose_upload_was_never_committed_are_removed(dataset: Dataset, settings: Any) -> None:
    folder = Path(settings.MEDIA_ROOT) / "datasets"
    old, young, foreign = (folder / f"{name}.csv" for name in (uuid.uuid4(), uuid.uuid4(), "readme"))
    for file in (old, young, foreign):
        file.write_bytes(CSV)
    for file in (old, foreign, Path(dataset.file.path)):
        os.utime(file, (0, 0))
    left, arriving = (Path(settings.FILE_UPLOAD_TEMP_DIR) / f"{name}.upload.csv" for name in ("left", "arriving"))
    for file in (left, arriving):
        file.write_bytes(CSV)
    os.utime(left, (0, 0))
    assert tasks.remove_orphans.call() == 2
    assert [left.exists(), arriving.exists()] == [False, True]
    assert [file.exists() for file in (old, young, foreign, Path(dataset.file.path))] == [False, True, True, True]


@pytest.mark.django_db(transaction=True)
def test_data_sets_are_kept_for_as_many_days_as_are_set(
    api: Api, browser: Browser, team: Team, settings: Any, run_tasks: Callable[[], int]
) -> None:
    old, young = (api.upload(team, name=name).json() for name in ("old", "young"))
    run_tasks()
    for dataset, days in ((old, 31), (young, 29)):
        Dataset.objects.filter(pk=dataset["id"]).update(created_at=timezone.now() - timedelta(days=days))
    file = Path(Dataset.objects.get(pk=old["id"]).file.path)
    assert (old["kept_until"], tasks.remove_expired.call()) == (None, 0)
    assert "Kept until" not in browser.open(f"/datasets/{old['id']}/").content.decode()

    settings.DATASET_DAYS = 30
    told = api("GET", f"/datasets/{young['id']}").json()
    lasting = datetime.fromisoformat(told["kept_until"]) - datetime.fromisoformat(told["created_at"])
    assert lasting == timedelta(days=30)
    assert f"Kept until</dt><dd>{told['kept_until'][:10]}" in browser.open(f"/datasets/{young['id']}/").content.decode()
    assert file.exists()
    assert "delete data sets for their age" in enqueue_due()
    run_tasks()
    assert ([dataset.name for dataset in Dataset.objects.all()], file.exists()) == (["young"], False)
    entry = Entry.objects.get(action=Action.EXPIRED)
    assert (entry.actor, entry.object_name, entry.team_id) == ("", "old", team.pk)
    assert tasks.remove_expired.call() == 0


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, CSV[:4]),
        ("bytes=5-", 206, CSV[5:]),
        ("bytes=-4", 206, CSV[-4:]),
        ("bytes=5-99999", 206, CSV[5:]),
        ("bytes=-99999", 206, CSV),
        (f"bytes={len(CSV)}-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=3-2", 200, CSV),
        ("bytes=-", 200, CSV),
        ("bytes=0-1,3-4", 200, CSV),
        ("rows=0-1", 200, CSV),
        (f"bytes=0-{'9' * 5000}", 200, CSV),
    ],
)
def test_a_download_is_resumed(api: Api, team: Team, asked: str, status: int, part: bytes | None) -> None:
    path = f"/datasets/{api.upload(team).json()['id']}/file"
    answer = api("GET", path, Range=asked)
    assert answer.status_code == status
    if part is None:
        assert answer["Content-Range"] == f"bytes */{len(CSV)}"
        assert answer["Content-Type"] == "application/problem+json"
        return
    assert b"".join(answer.streaming_content) == part
    assert (answer["Accept-Ranges"], answer["Content-Length"]) == ("bytes", str(len(part)))
    if status == 206:
        first = CSV.index(part)
        assert answer["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(CSV)}"


def test_a_download_begins_anew_when_the_file_is_another_one(api: Api, team: Team) -> None:
    path = f"/datasets/{api.upload(team).json()['id']}/file"
    etag = f'"{path.split("/")[2]}"'
    part = api("GET", path, **{"Range": "bytes=5-", "If-Range": etag})
    assert (part.status_code, part["ETag"], b"".join(part.streaming_content)) == (206, etag, CSV[5:])
    whole = api("GET", path, **{"Range": "bytes=5-", "If-Range": '"another"'})
    assert (whole.status_code, b"".join(whole.streaming_content)) == (200, CSV)
