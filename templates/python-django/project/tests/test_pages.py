"""The site, page by page: who sees what, what forms do, and what a browser needs of the HTML."""

import re
import uuid
from html.parser import HTMLParser
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import OperationalError
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from backend.accounts.models import ApiKey, User
from backend.teams import pages
from backend.teams.models import Invitation, Membership, Role, Team
from tests.conftest import PASSWORD, Api, Browser
from tests.test_auth import code

FOR_STRANGERS = ("account_login", "account_signup", "account_reset_password")
FOR_EVERYBODY = ("teams", "keys", "account_email", "account_change_password")
VOID = {"area", "br", "hr", "img", "input", "link", "meta", "source", "wbr", "path", "rect", "line"}


class Html(HTMLParser):
    """Finds what keeps people out, or a strict browser from showing a page as it is meant."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.headings: list[int] = []
        self.open: list[str] = []
        self.problems: list[str] = []
        self.feed(page)
        self.problems += [f"left open: {tag}" for tag in self.open]
        self.problems += [f"id twice: {name}" for name in set(self.ids) if self.ids.count(name) > 1]
        self.problems += [f"no label: {field}" for field in self.fields if not self.is_labelled(field)]
        if self.headings.count(1) != 1 or any(
            b - a > 1 for a, b in zip(self.headings, self.headings[1:], strict=False)
        ):
            self.problems.append(f"headings: {self.headings}")

    def is_labelled(self, field: dict[str, str | None]) -> bool:
        return field.get("id") in self.labels or bool(field.get("aria-label") or field.get("in a label"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.problems += [f"inline: {tag} {name}" for name in found if name == "style" or name.startswith("on")]
        data = str(found.get("type", "")).endswith("json")
        if tag == "style" or (tag == "script" and not found.get("src") and not data):
            self.problems.append(f"inline: {tag}")
        if name := found.get("id"):
            self.ids.append(name)
        if tag == "label":
            self.labels.add(str(found.get("for")))
        if tag in {"input", "select", "textarea", "progress"} and found.get("type") not in {"hidden", "submit"}:
            self.fields.append(found | {"in a label": "yes" if "label" in self.open else None})
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"closes {tag} in {self.open[-1:]}")
        else:
            self.open.pop()


def problems(answer: Any) -> list[str]:
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    return Html(answer.content.decode()).problems


def text(answer: Any) -> str:
    return str(answer.content.decode())


# --- Every page -------------------------------------------------------------------------------------------------


def test_every_page_is_one_that_everybody_can_use(browser: Browser, team: Team, ada: User) -> None:
    Invitation.objects.create(team=team, email="new@example.com")
    Invitation.objects.create(team=Team.objects.create(name="Other"), email=ada.email)
    Membership.objects.create(team=team, user=User.objects.create_user("vi@example.com"))
    ApiKey.issue(ada, "import")
    own = [reverse(name, args=[team.pk]) for name in ("team", "team_log")]
    for path in [*map(reverse, FOR_EVERYBODY), *own]:
        answer = browser.open(path)
        assert (path, answer.status_code, problems(answer)) == (path, 200, [])
        assert "no-store" in answer["Cache-Control"]
    for path in map(reverse, FOR_STRANGERS):
        answer = Client().get(path)
        assert (path, answer.status_code, problems(answer)) == (path, 200, [])


def test_every_page_asks_strangers_to_sign_in(db: None) -> None:
    ours = [entry for entry in get_resolver().url_patterns if isinstance(entry, URLPattern) and entry.name]
    assert len(ours) > 12
    for entry in ours:
        path = reverse(entry.name or "", args=[uuid.uuid4() for _ in entry.pattern.converters])
        for method in ("GET", "POST"):
            answer = Client().generic(method, path)
            # Whether a page takes a form is nobody's secret.
            expected = {405} if method == "GET" and answer.status_code == 405 else {302}
            assert {answer.status_code} == expected, (method, path)
            assert answer.status_code == 405 or answer["Location"].startswith("/accounts/login/"), path


def test_what_belongs_to_another_team_does_not_exist(outsider: Browser, team: Team) -> None:
    member = team.memberships.get()
    invitation = Invitation.objects.create(team=team, email="new@example.com")
    key, _ = ApiKey.issue(User.objects.get(email="ada@example.com"), "hers")
    known = {"team_id": team.pk, "member_id": member.pk, "key_id": key.pk, "invitation_id": invitation.pk}
    fields = {"name": "Mine", "role": "owner", "email": "eve@example.com"}
    scoped = [
        entry
        for entry in get_resolver().url_patterns
        if isinstance(entry, URLPattern) and entry.name and entry.pattern.converters
    ]
    assert len(scoped) > 10
    for entry in scoped:
        path = reverse(
            entry.name or "", kwargs={name: known.get(name, uuid.uuid4()) for name in entry.pattern.converters}
        )
        if outsider.open(path).status_code != 405:
            assert outsider.open(path).status_code == 404, path
        assert outsider.send(path, **fields).status_code in {404, 405}, path
    assert "Analysts" not in text(outsider.open("/teams/"))
    assert [team.memberships.count(), team.invitations.count(), ApiKey.objects.filter(pk=key.pk).count()] == [1, 1, 1]


def test_a_form_without_its_token_does_nothing(browser: Browser, team: Team) -> None:
    refused = browser.client.post(f"/teams/{team.pk}/delete/")
    assert refused.status_code == 403
    assert "Send it again" in text(refused)
    assert Team.objects.filter(pk=team.pk).exists()


def test_a_viewer_finds_no_form_to_change_a_team_and_is_refused(visitor: Browser, team: Team) -> None:
    assert "Rename" not in text(visitor.open(reverse("team", args=[team.pk])))
    assert "This needs the role owner" in text(visitor.send(reverse("rename_team", args=[team.pk]), name="Mine"))


def test_what_cannot_be_found_or_is_too_large_is_told_on_a_page(browser: Browser) -> None:
    for path in ("/nothing/", f"/teams/{uuid.uuid4()}/"):
        answer = browser.open(path)
        assert (answer.status_code, problems(answer)) == (404, [])
    extra: dict[str, Any] = {"CONTENT_LENGTH": "2000000"}
    large = browser.client.generic(
        "POST", "/teams/start/", b"", content_type="multipart/form-data; boundary=x", **extra
    )
    assert (large.status_code, problems(large)) == (413, [])
    assert "larger than 1048576 bytes" in text(large)


def test_a_page_says_so_while_the_database_is_gone(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(pages, "team_for", gone)
    assert browser.open(f"/teams/{uuid.uuid4()}/").status_code == 503


# --- Signing in -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_person_signs_up_proves_the_address_starts_a_team_and_signs_out() -> None:
    client = Client()
    sent = client.post("/accounts/signup/", {"email": "New@example.com", "password1": PASSWORD}, follow=True)
    assert "We've sent a code" in text(sent) or "We&#x27;ve sent a code" in text(sent)
    assert problems(sent) == []
    entered = client.post(sent.redirect_chain[-1][0], {"code": code()}, follow=True)
    assert "You are in no team yet." in text(entered)
    started = client.post("/teams/start/", {"name": "Mine"}, follow=True)
    assert "you own it" in text(started)
    assert Team.objects.of(User.objects.get(email="new@example.com")).get().name == "Mine"
    client.post("/accounts/logout/")
    assert client.get("/teams/").status_code == 302
    again = client.post("/accounts/login/", {"login": "new@example.com", "password": PASSWORD}, follow=True)
    assert [again.redirect_chain[0][0], again.status_code] == ["/", 200]


@pytest.mark.django_db
def test_a_forgotten_password_is_replaced_with_a_code_from_a_mail() -> None:
    ada = User.objects.create_user("ada@example.com", PASSWORD)
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    client = Client()
    asked = client.post("/accounts/password/reset/", {"email": ada.email}, follow=True)
    confirmed = client.post(asked.redirect_chain[-1][0], {"code": code()}, follow=True)
    new = f"{PASSWORD}-new"
    client.post(confirmed.redirect_chain[-1][0], {"password1": new, "password2": new}, follow=True)
    ada.refresh_from_db()
    assert ada.check_password(new)


@pytest.mark.django_db
def test_the_pages_tell_nobody_who_has_an_account() -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    for path, field in (("/accounts/signup/", "password1"), ("/accounts/password/reset/", "nothing")):
        known, unknown = (
            Client().post(path, {"email": email, field: PASSWORD}, follow=True)
            for email in ("ada@example.com", "nobody@example.com")
        )
        assert known.redirect_chain == unknown.redirect_chain
        shown = [re.sub(r'value="\w{64}"|\w+@example.com', "", text(answer)) for answer in (known, unknown)]
        assert shown[0] == shown[1]
    assert "http://testserver/accounts/password/reset/" in str(mail.outbox[0].body)


@pytest.mark.parametrize(("allowed", "email"), [("closed", "new@example.com"), ("invited", "other@example.com")])
def test_who_may_not_sign_up_is_told_why(team: Team, settings: Any, allowed: str, email: str) -> None:
    settings.ALLOW_SIGN_UP = allowed
    Invitation.objects.create(team=team, email="new@example.com")
    refused = Client().post("/accounts/signup/", {"email": email, "password1": PASSWORD}, follow=True)
    assert "whom a team has invited" in text(refused)
    assert User.objects.count() == 1


def test_whom_a_team_has_invited_signs_up_and_takes_the_place(team: Team, settings: Any) -> None:
    settings.ALLOW_SIGN_UP = "invited"
    invitation = Invitation.objects.create(team=team, email="new@example.com", role=Role.EDITOR)
    client = Client()
    sent = client.post("/accounts/signup/", {"email": "New@example.com", "password1": PASSWORD}, follow=True)
    client.post(sent.redirect_chain[-1][0], {"code": code()}, follow=True)
    client.post(f"/invitations/{invitation.pk}/accept/")
    assert team.memberships.get(user__email="new@example.com").role == Role.EDITOR


@pytest.mark.django_db
def test_guessing_a_password_on_the_page_is_slowed_down() -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    tries = [Client().post("/accounts/login/", {"login": "ada@example.com", "password": "wrong"}) for _ in range(12)]
    assert "Too many failed login attempts" in text(tries[-1])


# --- Teams and keys ---------------------------------------------------------------------------------------------


def test_an_owner_invites_changes_roles_and_removes(browser: Browser, visitor: Browser, team: Team) -> None:
    path = reverse("team", args=[team.pk])
    member = team.memberships.get(user__email="vi@example.com")
    invited = browser.send(f"{path}invite/", email="New@example.com", role="editor")
    assert "new@example.com" in text(invited)
    assert "This person is a member already." in text(
        browser.send(f"{path}invite/", email="vi@example.com", role="editor")
    )
    assert "not-an-address" not in text(browser.send(f"{path}invite/", email="not-an-address", role="editor"))
    assert Invitation.objects.get().role == Role.EDITOR
    browser.send(f"{path}invitations/{Invitation.objects.get().pk}/withdraw/")
    browser.send(f"{path}members/{member.pk}/role/", role="editor")
    member.refresh_from_db()
    assert (member.role, Invitation.objects.count()) == (Role.EDITOR, 0)
    own = team.memberships.get(user__email="ada@example.com")
    assert "A team needs an owner" in text(browser.send(f"{path}members/{own.pk}/remove/"))
    assert "The place in the team is free." in text(visitor.send(f"{path}members/{member.pk}/remove/"))
    assert visitor.open(path).status_code == 404
    assert "its new name" in text(browser.send(f"{path}rename/", name="Researchers"))
    assert "The team is deleted." in text(browser.send(f"{path}delete/"))
    assert not Team.objects.filter(pk=team.pk).exists()


def test_an_invitation_is_declined(browser: Browser, ada: User) -> None:
    other = Team.objects.create(name="Other")
    invitation = Invitation.objects.create(team=other, email=ada.email)
    assert "You are invited" in text(browser.open("/teams/"))
    assert "declined" in text(browser.send(f"/invitations/{invitation.pk}/decline/"))
    assert not other.memberships.exists()


def test_a_key_is_shown_once_works_and_is_deleted(browser: Browser, ada: User) -> None:
    made = browser.send("/keys/", name="import", expires_on="2999-01-31", read_only="on")
    secret = re.search(r"key_[A-Za-z0-9_-]{40,}", text(made))
    assert secret
    assert Api(secret[0])("GET", "/me").json()["email"] == ada.email
    assert Api(secret[0])("POST", "/teams", {"name": "x"}).status_code == 403
    assert secret[0] not in text(browser.open("/keys/"))
    assert "expires_at has passed already." in text(browser.send("/keys/", name="old", expires_on="2001-01-01"))
    assert browser.send("/keys/", name="odd", expires_on="soon").status_code == 422
    scoped = text(browser.send("/keys/", name="scoped", scopes=["teams:read", "teams:write"]))
    assert "see teams and their members, start and manage teams</td>" in scoped
    ApiKey.objects.get(name="scoped").delete()
    browser.send(f"/keys/{ApiKey.objects.get().pk}/delete/")
    assert Api(secret[0])("GET", "/me").status_code == 401
