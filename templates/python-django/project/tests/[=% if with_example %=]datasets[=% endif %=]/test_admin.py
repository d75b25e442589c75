"""Data sets in the admin."""

from typing import Any

from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django_tasks_db.models import DBTaskResult

from backend.accounts.models import User
from backend.audit.models import Action, Entry
from backend.datasets.models import Dataset
from backend.teams.models import Team
from tests.conftest import PASSWORD
from tests.datasets.conftest import CSV


def test_every_form_opens(staff: Client, dataset: Dataset) -> None:
    for path in ("", f"{dataset.pk}/change/", f"{dataset.pk}/delete/", "add/"):
        assert staff.get(f"/admin/datasets/dataset/{path}").status_code == 200, path


def test_a_data_set_shows_its_distributions(staff: Client, dataset: Dataset) -> None:
    page = staff.get(f"/admin/datasets/dataset/{dataset.pk}/change/").content.decode()
    assert page.count('role="img"') == 4
    assert "Distribution of price" in page


def test_data_sets_are_profiled_again_and_deleted_with_their_files(staff: Client, dataset: Dataset) -> None:
    selected: dict[str, Any] = {"_selected_action": [str(dataset.pk)]}
    staff.post("/admin/datasets/dataset/", {"action": "profile_again", **selected})
    dataset.refresh_from_db()
    assert dataset.status == "pending"
    staff.post("/admin/datasets/dataset/", {"action": "delete_selected", "post": "yes", **selected})
    assert not Dataset.objects.exists()


def test_staff_upload_for_any_team(staff: Client, team: Team) -> None:
    def send(content: bytes, **fields: str) -> Any:
        form = {"team": str(team.pk), "file": SimpleUploadedFile("fruit.csv", content), **fields}
        return staff.post("/admin/datasets/dataset/add/", form, follow=True)

    assert 'href="/admin/datasets/dataset/add/"' in staff.get("/admin/datasets/dataset/").content.decode()
    told = send(b"PK\x03\x04").content.decode()
    assert "The file is an archive" in told
    assert "This field is required" in send(CSV, team="").content.decode()
    assert not Dataset.objects.exists()
    assert "The file has arrived." in send(CSV).content.decode()
    assert send(CSV, name="Figs").status_code == 200
    assert {(each.name, each.team, str(each.uploaded_by)) for each in Dataset.objects.all()} == {
        ("fruit", team, "root@example.com"),
        ("Figs", team, "root@example.com"),
    }
    assert DBTaskResult.objects.count() == 2
    uploads = Entry.objects.filter(action=Action.UPLOADED, team_id=team.pk)
    assert [entry.actor for entry in uploads] == ["root@example.com"] * 2


def test_an_upload_by_staff_has_its_limits(staff: Client, team: Team, settings: Any) -> None:
    def send(client: Client) -> int:
        form = {"team": str(team.pk), "file": SimpleUploadedFile("fruit.csv", CSV)}
        return client.post("/admin/datasets/dataset/add/", form).status_code

    settings.MAX_BODY_BYTES = 100  # of every form but those with a file
    settings.MAX_UPLOAD_BYTES = len(CSV) - 1
    assert send(staff) == 413
    settings.MAX_UPLOAD_BYTES = len(CSV)
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_dataset"))
    for strict in (False, True):  # who has no token, or not the permission
        client = Client(enforce_csrf_checks=strict)
        user = User.objects.get(email="root@example.com") if strict else clerk
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        assert send(client) == 403
    assert not Dataset.objects.exists()
    assert send(staff) == 302
