"""The admin, page by page."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django_tasks_db.models import DBTaskResult

from backend.accounts.models import ApiKey, User
from backend.audit.models import Action, Entry
from backend.datasets.models import Dataset
from backend.tasks.models import Schedule, Worker
from backend.teams.models import Team
from tests.conftest import CSV, PASSWORD, Api


@pytest.fixture
def staff(db: None, settings: Any) -> Client:
    """A superuser's browser, signed in with the form."""
    settings.OTHER_DOORS = False
    User.objects.create_superuser("root@example.com", PASSWORD)
    client = Client()
    entered = client.post("/admin/login/?next=/admin/", {"username": "Root@Example.com", "password": PASSWORD})
    assert entered.status_code == 302
    return client


@pytest.mark.django_db
def test_guessing_a_password_is_slowed_down(settings: Any) -> None:
    settings.OTHER_DOORS = False
    User.objects.create_superuser("root@example.com", PASSWORD)
    client = Client()
    for _ in range(12):
        client.post("/admin/login/", {"username": "root@example.com", "password": "wrong"})
    answer = client.post("/admin/login/?next=/admin/", {"username": "root@example.com", "password": PASSWORD})
    assert answer.status_code == 200
    assert "Too many" in answer.content.decode()


def test_every_list_and_every_form_opens(staff: Client, dataset: Dataset, ada: User) -> None:
    Worker(id="w", host="h", last_seen=dataset.created_at).save()
    Schedule(name="s", due_at=dataset.created_at).save()
    for model in admin.site._registry:  # noqa: SLF001 - there is no public way to list them
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"  # noqa: SLF001
        assert staff.get(base).status_code == 200, base
        for row in model._default_manager.all()[:1]:  # noqa: SLF001
            assert staff.get(f"{base}{row.pk}/change/").status_code == 200, base
    assert staff.get("/admin/").status_code == 200


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


def test_staff_shut_out_keys_and_neither_make_nor_change_them(staff: Client, api: Api, ada: User) -> None:
    key = ApiKey.objects.get()
    page = f"/admin/accounts/apikey/{key.pk}"
    form = {"user": str(ada.pk), "name": "mine"}
    assert staff.post("/admin/accounts/apikey/add/", form).status_code == 403
    assert staff.post(f"{page}/change/", form).status_code == 403
    assert [known.name for known in ApiKey.objects.all()] == [key.name]
    assert api("GET", "/me").status_code == 200
    staff.post(f"{page}/delete/", {"post": "yes"})
    assert api("GET", "/me").status_code == 401


def test_a_failed_task_is_run_again(staff: Client, dataset: Dataset) -> None:
    DBTaskResult.objects.update(status="FAILED")
    row = DBTaskResult.objects.get()
    selected = {"action": "run_again", "_selected_action": [str(row.pk)]}
    staff.post("/admin/django_tasks_database/dbtaskresult/", selected)
    row.refresh_from_db()
    assert (row.status, row.worker_ids) == ("READY", [])


def test_staff_who_may_look_at_tasks_may_not_run_them_again(dataset: Dataset) -> None:
    DBTaskResult.objects.update(status="FAILED")
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_dbtaskresult"))
    client = Client()
    client.force_login(clerk, backend="allauth.account.auth_backends.AuthenticationBackend")
    row = DBTaskResult.objects.get()
    selected = {"action": "run_again", "_selected_action": [str(row.pk)]}
    told = client.post("/admin/django_tasks_database/dbtaskresult/", selected, follow=True)
    assert "Only a superuser may run tasks again." in told.content.decode()
    row.refresh_from_db()
    assert row.status == "FAILED"


def test_teams_are_counted_right_and_keep_their_only_owner(staff: Client, team: Team, viewer: Api, ada: User) -> None:
    found = staff.get("/admin/teams/team/?q=example.com").content.decode()
    assert '<td class="field-size">2</td>' in found
    assert "1 team" in found
    selected = {"action": "delete_selected", "_selected_action": [str(ada.pk)], "post": "yes"}
    page = staff.post("/admin/accounts/user/", selected, follow=True).content.decode()
    assert "Analysts" in page
    assert User.objects.filter(pk=ada.pk).exists()


def test_a_person_is_added_without_a_user_name(staff: Client) -> None:
    passwords = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    form = {"email": "New@example.com", "name": "N", **passwords}
    added = staff.post("/admin/accounts/user/add/", form)
    assert added.status_code == 302, added.context["errors"]
    assert User.objects.get(email="new@example.com").check_password(PASSWORD)
