"""The audit log: everything that changes something is in it, its readers are few, and nothing takes it back."""

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.core import mail
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone

from backend.accounts.models import ApiKey, User
from backend.audit.admin import AuditedAdmin
from backend.audit.log import record
from backend.audit.models import Action, Entry
from backend.audit.tasks import forget_entries
from backend.audit.triggers import DAYS
from backend.core.admin import ReadOnlyAdmin
from backend.tasks.admin import TaskAdmin
from backend.teams.models import Invitation, Team
from tests.conftest import PASSWORD, Api, Browser
from tests.test_auth import code


def told(entry: Entry) -> tuple[str, str, str, Any]:
    return entry.action, entry.actor, entry.object_name, entry.details


def newest() -> Entry:
    found = Entry.objects.first()
    assert found
    return found


def test_what_is_done_in_teams_is_written_down(browser: Browser, ada: User) -> None:
    browser.send("/teams/start/", name="Old")
    team = Team.objects.get()
    path = f"/teams/{team.pk}/"
    browser.send(f"{path}rename/", name="New")
    browser.send(f"{path}invite/", email="vi@example.com", role="viewer")
    browser.send(f"{path}invitations/{Invitation.objects.get().pk}/withdraw/")
    guest = Browser(User.objects.create_user("vi@example.com"))
    for answer in ("decline", "accept"):
        browser.send(f"{path}invite/", email="vi@example.com", role="viewer")
        guest.send(f"/invitations/{Invitation.objects.get().pk}/{answer}/")
    member = team.memberships.get(user__email="vi@example.com")
    browser.send(f"{path}members/{member.pk}/role/", role="editor")
    guest.send(f"{path}members/{member.pk}/remove/")
    browser.send(f"{path}delete/")
    assert [told(entry) for entry in reversed(Entry.objects.filter(team_id=team.pk))] == [
        ("team.started", ada.email, "Old", {}),
        ("team.renamed", ada.email, "New", {"was": "Old"}),
        ("member.invited", ada.email, "vi@example.com", {"role": "viewer"}),
        ("member.invitation_withdrawn", ada.email, "vi@example.com", {}),
        ("member.invited", ada.email, "vi@example.com", {"role": "viewer"}),
        ("member.declined", "vi@example.com", "New", {}),
        ("member.invited", ada.email, "vi@example.com", {"role": "viewer"}),
        ("member.joined", "vi@example.com", "New", {"role": "viewer"}),
        ("member.role_changed", ada.email, "vi@example.com", {"was": "viewer", "now": "editor"}),
        ("member.removed", "vi@example.com", "vi@example.com", {"role": "editor"}),
        ("team.deleted", ada.email, "New", {}),
    ]


@pytest.mark.django_db
def test_what_people_do_with_their_accounts_is_written_down() -> None:
    client = Client()
    sent = client.post("/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD}, follow=True)
    client.post(sent.redirect_chain[-1][0], {"code": code()}, follow=True)
    new = f"{PASSWORD}-new"
    passwords = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    client.post("/accounts/password/change/", passwords)
    user = User.objects.get()
    EmailAddress.objects.create(user=user, email="other@example.com", verified=True)
    client.post("/accounts/email/", {"action_primary": "", "email": "other@example.com"})
    made = client.post("/api/keys", {"name": "k"}, content_type="application/json")
    client.delete(f"/api/keys/{made.json()['id']}")
    client.delete("/api/me")
    assert not User.objects.exists()
    assert [entry.action for entry in reversed(Entry.objects.all())] == [
        *("person.signed_up", "person.signed_in", "person.password_changed", "person.address_changed"),
        *("key.made", "key.deleted", "person.deleted"),
    ]
    assert Entry.objects.filter(action="person.signed_in").get().address == "127.0.0.1"
    assert not any(made.json()["secret"] in str(vars(entry)) for entry in Entry.objects.all())
    assert mail.outbox


def test_what_staff_do_is_written_down_one_by_one(api: Api, team: Team, viewer: Api) -> None:
    client = Client()
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(root, backend="allauth.account.auth_backends.AuthenticationBackend")
    selected: dict[str, Any] = {"_selected_action": [str(pk) for pk in ApiKey.objects.values_list("pk", flat=True)]}
    client.post("/admin/accounts/apikey/", {"action": "delete_selected", "post": "yes", **selected})
    assert Entry.objects.filter(action=Action.ADMIN_DELETED, object_kind="API key", actor=root.email).count() == 2
    no_members = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    client.post(f"/admin/teams/team/{team.pk}/change/", {"name": "figs", **no_members})
    assert told(newest()) == ("admin.changed", root.email, "figs", {"message": "Changed Name."})
    assert newest().team_id == team.pk
    client.post("/admin/auth/group/add/", {"name": "clerks"})
    assert told(newest()) == ("admin.added", root.email, "clerks", {})


def test_no_page_of_the_admin_changes_anything_unseen() -> None:
    for model, page in admin.site._registry.items():  # noqa: SLF001 - there is no public way to list them
        assert isinstance(page, (AuditedAdmin, ReadOnlyAdmin, TaskAdmin)), model


def test_an_entry_says_who_did_it_with_which_key_from_where_and_to_what(api: Api, ada: User, team: Team) -> None:
    api("PATCH", f"/teams/{team.pk}", {"name": "figs"}, **{"X-Request-ID": "request-of-a-test"})
    entry = newest()
    assert told(entry) == ("team.renamed", ada.email, "figs", {"was": "Analysts"})
    assert (entry.key, entry.address, entry.team_id) == (str(ApiKey.objects.get()), "127.0.0.1", team.pk)
    assert (entry.actor_id, entry.object_id, entry.object_kind) == (ada.pk, str(team.pk), "team")
    assert entry.request_id == "request-of-a-test"


def test_owners_read_the_log_of_their_team_and_nobody_else_does(
    api: Api, editor: Api, stranger: Api, team: Team
) -> None:
    path = f"/teams/{team.pk}/log"
    api("PATCH", f"/teams/{team.pk}", {"name": "<figs>"})
    listed = api("GET", path).json()
    assert [item["action"] for item in listed["items"]] == ["team.renamed"]
    assert [program("GET", path).status_code for program in (editor, stranger)] == [403, 404]
    page = Browser(User.objects.get(email="ada@example.com")).open(f"{path}/").content.decode()
    assert re.search(r"ada@example.com, with the key tests \(key_....…\)", page)
    assert "renamed the team <b>&lt;figs&gt;</b>" in page
    assert "127.0.0.1" in page
    assert Browser(User.objects.get(email="ed@example.com")).open(f"{path}/").status_code == 403


def test_the_database_refuses_to_change_or_to_forget(team: Team) -> None:
    record(Action.TEAM_STARTED, team)
    for change in (
        lambda: Entry.objects.update(actor="somebody else"),
        lambda: Entry.objects.all().delete(),
        lambda: newest().save(),
    ):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
            change()
    assert newest().actor == ""


def test_old_entries_are_forgotten(team: Team, settings: Any) -> None:
    settings.AUDIT_DAYS = 100
    now = timezone.now()
    for days in (0, 99, 101):
        Entry.objects.create(
            action=f"day.{days}", object_kind="k", object_id="1", object_name="n", at=now - timedelta(days=days)
        )
    assert forget_entries.func() == 1
    assert [entry.action for entry in Entry.objects.all()] == ["day.0", "day.99"]
    settings.AUDIT_DAYS = DAYS - 1
    with transaction.atomic():
        assert forget_entries.func() == 1


def test_an_address_that_a_header_only_claims_breaks_nothing(api: Api, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert api("POST", "/teams", {"name": "a"}, **{"X-Forwarded-For": "1.2.3.4"}).status_code == 201
    assert newest().address == "1.2.3.4"
    assert api("POST", "/teams", {"name": "b"}, **{"X-Forwarded-For": "nobody\0 knows"}).status_code == 201
    assert newest().address is None
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    assert api("POST", "/teams", {"name": "c"}, **{"X-Forwarded-For": "1.2.3.4"}).status_code == 201


def test_every_action_has_words_and_what_has_none_is_shown_as_it_is() -> None:
    assert all(Entry(action=action).words == action.label for action in Action)
    assert Entry(action="shop.closed").words == "shop.closed"


def test_an_entry_is_a_sentence() -> None:
    by_ada = Entry(action="shop.closed", actor="ada@example.com", object_name="Ours")
    assert str(by_ada) == "ada@example.com shop.closed Ours"
    assert str(Entry(action="shop.closed", object_name="Ours")) == "somebody shop.closed Ours"
