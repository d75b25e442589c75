"""The admin, page by page."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from backend.accounts.models import ApiKey, User
from backend.tasks.models import Schedule, Worker
from backend.teams.models import Team
from tests.conftest import PASSWORD, Api


@pytest.fixture
def invited(api: Api, team: Team) -> DBTaskResult:
    """The task that mails an invitation."""
    api("POST", f"/teams/{team.pk}/invitations", {"email": "new@example.com"})
    return DBTaskResult.objects.get()


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


def test_every_list_and_every_form_opens(staff: Client, invited: DBTaskResult, ada: User) -> None:
    Worker(id="w", host="h", last_seen=timezone.now()).save()
    Schedule(name="s", due_at=timezone.now()).save()
    for model in admin.site._registry:  # noqa: SLF001 - there is no public way to list them
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"  # noqa: SLF001
        assert staff.get(base).status_code == 200, base
        for row in model._default_manager.all()[:1]:  # noqa: SLF001
            assert staff.get(f"{base}{row.pk}/change/").status_code == 200, base
    assert staff.get("/admin/").status_code == 200


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


def test_a_failed_task_is_run_again(staff: Client, invited: DBTaskResult) -> None:
    DBTaskResult.objects.update(status="FAILED")
    selected = {"action": "run_again", "_selected_action": [str(invited.pk)]}
    staff.post("/admin/django_tasks_database/dbtaskresult/", selected)
    invited.refresh_from_db()
    assert (invited.status, invited.worker_ids) == ("READY", [])


def test_staff_who_may_look_at_tasks_may_not_run_them_again(invited: DBTaskResult) -> None:
    DBTaskResult.objects.update(status="FAILED")
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_dbtaskresult"))
    client = Client()
    client.force_login(clerk, backend="allauth.account.auth_backends.AuthenticationBackend")
    selected = {"action": "run_again", "_selected_action": [str(invited.pk)]}
    told = client.post("/admin/django_tasks_database/dbtaskresult/", selected, follow=True)
    assert "Only a superuser may run tasks again." in told.content.decode()
    invited.refresh_from_db()
    assert invited.status == "FAILED"


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


@pytest.mark.django_db
@pytest.mark.parametrize("left", ["username", "password"])
def test_half_of_what_signs_in_is_asked_for_again(settings: Any, left: str) -> None:
    settings.OTHER_DOORS = False
    sent = {"username": "ada@example.com", "password": PASSWORD}
    answer = Client().post("/admin/login/", {**sent, left: ""})
    assert (answer.status_code, "This field is required." in answer.content.decode()) == (200, True)
