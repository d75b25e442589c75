"""What is done with data sets is in the audit log."""

from collections.abc import Callable

from django.test import Client

from backend.accounts.models import ApiKey, User
from backend.audit.models import Action, Entry
from backend.datasets.models import Dataset
from backend.teams.models import Team
from tests.datasets.conftest import Api
from tests.test_audit import newest, told


def test_what_is_done_with_data_sets_is_written_down(
    api: Api, ada: User, dataset: Dataset, team: Team, run_tasks: Callable[[], int]
) -> None:
    key = ApiKey.objects.get()
    uploaded = Entry.objects.get(action=Action.UPLOADED)
    assert told(uploaded)[1:] == (ada.email, "fruit", {"file": "fruit.csv", "bytes": dataset.size})
    assert (uploaded.key, uploaded.address, uploaded.team_id) == (str(key), "127.0.0.1", team.pk)
    assert (uploaded.actor_id, uploaded.object_id, uploaded.object_kind) == (ada.pk, str(dataset.pk), "dataset")
    path = f"/datasets/{dataset.pk}"
    api("PATCH", path, {"name": "figs"}, **{"X-Request-ID": "request-of-a-test"})
    assert told(newest()) == ("dataset.renamed", ada.email, "figs", {"was": "fruit"})
    assert newest().request_id == "request-of-a-test"
    for part in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=4-"}):
        b"".join(api("GET", f"{path}/file", **part).streaming_content)
    assert Entry.objects.get(action=Action.DOWNLOADED).actor == ada.email
    api("POST", f"{path}/profile")
    assert newest().action == Action.PROFILED_AGAIN
    before = Entry.objects.count()
    assert api("POST", f"{path}/profile").status_code == 409
    api("GET", path)
    assert Entry.objects.count() == before
    api("DELETE", path)
    assert told(newest()) == ("dataset.deleted", ada.email, "figs", {})


def test_who_reads_a_part_of_a_file_is_written_down_once(dataset: Dataset, viewer: Api) -> None:
    for first in (1, 2, 3):
        b"".join(viewer("GET", f"/datasets/{dataset.pk}/file", Range=f"bytes={first}-").streaming_content)
    assert Entry.objects.get(action=Action.DOWNLOADED).actor == "vi@example.com"


def test_what_staff_change_is_in_the_log_of_its_team(staff: Client, dataset: Dataset, team: Team) -> None:
    staff.post(f"/admin/datasets/dataset/{dataset.pk}/change/", {"name": "figs"})
    assert told(newest()) == ("admin.changed", "root@example.com", "figs", {"message": "Changed Name."})
    assert newest().team_id == team.pk
