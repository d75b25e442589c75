"""The site, page by page: who sees what, what forms do, and what a browser needs of the HTML."""

import re
import uuid
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from backend.accounts.models import ApiKey, User
from backend.datasets import api as datasets
from backend.datasets import pages
from backend.datasets.models import Dataset
from backend.tasks.models import Worker
from backend.teams.models import Invitation, Membership, Role, Team
from tests.conftest import CSV, PASSWORD, Api, Browser
from tests.test_auth import code

FOR_STRANGERS = ("account_login", "account_signup", "account_reset_password")
FOR_EVERYBODY = ("datasets", "new_dataset", "teams", "tasks", "keys", "account_email", "account_change_password")
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


@pytest.fixture
def visitor(viewer: Api) -> Browser:
    """The browser of a member who may only look."""
    return Browser(User.objects.get(email="vi@example.com"))


@pytest.fixture
def outsider(stranger: Api) -> Browser:
    """The browser of somebody who belongs to another team."""
    return Browser(User.objects.get(email="eve@example.com"))


@pytest.fixture
def fruit(api: Api, team: Team) -> Dataset:
    """An uploaded data set that no worker has to read for these tests."""
    uploaded = Dataset.objects.get(pk=api.upload(team).json()["id"])
    uploaded.status = "ready"
    uploaded.save()
    return uploaded


def text(answer: Any) -> str:
    return str(answer.content.decode())


# --- Every page -------------------------------------------------------------------------------------------------


def test_every_page_is_one_that_everybody_can_use(browser: Browser, dataset: Dataset, team: Team, ada: User) -> None:
    Invitation.objects.create(team=team, email="new@example.com")
    Invitation.objects.create(team=Team.objects.create(name="Other"), email=ada.email)
    Membership.objects.create(team=team, user=User.objects.create_user("vi@example.com"))
    ApiKey.issue(ada, "import")
    own = [reverse(name, args=[team.pk]) for name in ("team", "team_log")] + [reverse("dataset", args=[dataset.pk])]
    for path in [*map(reverse, FOR_EVERYBODY), *own]:
        answer = browser.open(path)
        assert (path, answer.status_code, problems(answer)) == (path, 200, [])
        assert "no-store" in answer["Cache-Control"]
    for path in map(reverse, FOR_STRANGERS):
        answer = Client().get(path)
        assert (path, answer.status_code, problems(answer)) == (path, 200, [])


def test_every_page_asks_strangers_to_sign_in(db: None) -> None:
    ours = [entry for entry in get_resolver().url_patterns if isinstance(entry, URLPattern) and entry.name]
    assert len(ours) > 15
    for entry in ours:
        path = reverse(entry.name or "", args=[uuid.uuid4() for _ in entry.pattern.converters])
        for method in ("GET", "POST"):
            answer = Client().generic(method, path)
            # Whether a page takes a form is nobody's secret.
            expected = {405} if method == "GET" and answer.status_code == 405 else {302}
            assert {answer.status_code} == expected, (method, path)
            assert answer.status_code == 405 or answer["Location"].startswith("/accounts/login/"), path


def test_what_belongs_to_another_team_does_not_exist(outsider: Browser, fruit: Dataset, team: Team) -> None:
    member = team.memberships.get()
    invitation = Invitation.objects.create(team=team, email="new@example.com")
    key, _ = ApiKey.issue(User.objects.get(email="ada@example.com"), "hers")
    known = {"dataset_id": fruit.pk, "team_id": team.pk, "member_id": member.pk, "key_id": key.pk}
    known |= {"invitation_id": invitation.pk}
    fields = {"name": "Mine", "role": "owner", "email": "eve@example.com"}
    scoped = [
        entry
        for entry in get_resolver().url_patterns
        if isinstance(entry, URLPattern) and entry.name and entry.pattern.converters
    ]
    assert len(scoped) > 12
    for entry in scoped:
        path = reverse(entry.name or "", kwargs={name: known[name] for name in entry.pattern.converters})
        if outsider.open(path).status_code != 405:
            assert outsider.open(path).status_code == 404, path
        assert outsider.send(path, **fields).status_code in {404, 405}, path
    upload = outsider.send("/datasets/new/", team_id=str(team.pk), file=SimpleUploadedFile("fruit.csv", CSV))
    assert upload.status_code == 404
    for path in ("/datasets/", f"/datasets/?team_id={team.pk}", "/tasks/", "/teams/"):
        assert "fruit" not in text(outsider.open(path))
        assert "Analysts" not in text(outsider.open(path))
    fruit.refresh_from_db()
    assert (fruit.name, fruit.status, Dataset.objects.count()) == ("fruit", "ready", 1)
    assert [team.memberships.count(), team.invitations.count(), ApiKey.objects.filter(pk=key.pk).count()] == [1, 1, 1]


def test_a_form_without_its_token_does_nothing(browser: Browser, fruit: Dataset) -> None:
    refused = browser.client.post(f"/datasets/{fruit.pk}/delete/")
    assert refused.status_code == 403
    assert "Send it again" in text(refused)
    team = {"team_id": str(fruit.team_id), "file": SimpleUploadedFile("fruit.csv", CSV)}
    assert browser.client.post("/datasets/new/", team).status_code == 403
    assert Dataset.objects.count() == 1


def test_what_cannot_be_found_or_is_too_large_is_told_on_a_page(browser: Browser) -> None:
    for path in ("/nothing/", f"/datasets/{uuid.uuid4()}/"):
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

    monkeypatch.setattr(datasets, "matching", gone)
    assert browser.open("/datasets/").status_code == 503


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
    assert client.get("/datasets/").status_code == 302
    again = client.post("/accounts/login/", {"login": "new@example.com", "password": PASSWORD}, follow=True)
    assert again.redirect_chain[-1][0] == "/datasets/"


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


# --- Data sets --------------------------------------------------------------------------------------------------


def test_a_file_is_uploaded_by_the_form_and_its_page_shows_what_is_in_it(
    browser: Browser, team: Team, run_tasks: Callable[[], int]
) -> None:
    Worker.objects.all().delete()
    arrived = browser.send("/datasets/new/", team_id=str(team.pk), file=SimpleUploadedFile("fruit.csv", CSV))
    assert arrived.redirect_chain[-1][0] == reverse("dataset", args=[Dataset.objects.get().pk])
    assert "data-live" in text(arrived)
    assert "No worker is running" in text(arrived)
    run_tasks()
    ready = text(browser.open(arrived.redirect_chain[-1][0]))
    assert "data-live" not in ready
    assert "No worker is running" not in ready
    assert ready.count('role="img"') == 4
    assert ("<td>Apple</td>" in ready, '<td class="missing">missing</td>' in ready) == (True, True)
    assert f"/api/datasets/{Dataset.objects.get().pk}/file" in ready
    assert 'class="time">Done</td>' in text(browser.open("/tasks/"))


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (SimpleUploadedFile("fruit.txt", CSV), "Name the file with the extension"),
        (SimpleUploadedFile("fruit.csv", b""), "The file is empty."),
        (None, "Choose a file."),
    ],
)
def test_the_form_says_what_is_wrong_with_a_file(browser: Browser, team: Team, file: Any, told: str) -> None:
    answer = browser.send("/datasets/new/", team_id=str(team.pk), **({"file": file} if file else {}))
    assert answer.status_code == 422
    assert told in text(answer)
    assert not Dataset.objects.exists()


def test_rows_are_found_by_a_text_in_a_column_or_in_any(
    browser: Browser, api: Api, team: Team, run_tasks: Callable[[], int]
) -> None:
    lines = ["name,number", *(f"Apple {row},{row}" for row in range(150)), ",1", "<b>,"]
    page = f"/datasets/{api.upload(team, chr(10).join(lines).encode()).json()['id']}/"
    run_tasks()

    def found(query: str) -> tuple[list[str], str]:
        answer = browser.open(page + query)
        assert problems(answer) == []
        table = answer.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
        told = re.search(r'<p class="soft">(\d+ of .*?)[.;]', answer.content.decode())
        return re.findall(r"<tr>\s*<td>(.*?)</td>", table), told[1] if told else ""

    assert found("") == ([f"Apple {row}" for row in range(10)], "10 of 152 rows")
    for query in ("?text=99", "?text=%20apple+99&column=name", "?text=99&column=number"):
        assert found(query) == (["Apple 99"], "1 of the first 100 rows has this text")
    assert found("?text=apple+1")[1] == "11 of the first 100 rows have this text"
    for query in ("?text=apple&column=number", "?text=149", "?text=9&column=nothing"):
        assert found(query) == ([], "0 of the first 100 rows have this text")
    assert 'value="&lt;i&gt;"' in text(browser.open(f"{page}?text=<i>"))


def test_a_viewer_finds_no_form_to_change_anything_and_is_refused(visitor: Browser, fruit: Dataset, team: Team) -> None:
    for path in (reverse("dataset", args=[fruit.pk]), reverse("team", args=[team.pk])):
        assert "Rename" not in text(visitor.open(path))
    for name in ("rename_dataset", "profile_dataset_again", "delete_dataset"):
        assert "This needs the role editor" in text(visitor.send(reverse(name, args=[fruit.pk]), name="Mine"))
    assert "This needs the role owner" in text(visitor.send(reverse("rename_team", args=[team.pk]), name="Mine"))
    assert (
        visitor.send("/datasets/new/", team_id=str(team.pk), file=SimpleUploadedFile("a.csv", CSV)).status_code == 422
    )
    assert Dataset.objects.get().name == "fruit"


def test_the_list_finds_by_name_team_and_state_and_says_why_something_failed(
    browser: Browser, fruit: Dataset, team: Team
) -> None:
    broken = Dataset.objects.create(
        team=team, name="broken", format="csv", size=1, status="failed", problem="Too <odd>."
    )
    both, by_name, by_state = (
        text(browser.open(f"/datasets/{query}")) for query in ("", "?search=FRU", f"?status=failed&team_id={team.pk}")
    )
    assert [fruit.get_absolute_url() in page for page in (both, by_name, by_state)] == [True, True, False]
    assert [broken.get_absolute_url() in page for page in (both, by_name, by_state)] == [True, False, True]
    assert "Too &lt;odd&gt;." in by_state
    assert "Nothing is like that" in text(browser.open("/datasets/?search=nothing"))
    assert browser.open("/datasets/?status=odd&team_id=x&page=99&order=secret").status_code == 200


def test_a_list_has_pages_that_keep_what_was_searched_for(
    browser: Browser, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "ON_A_PAGE", 1)
    for name in ("a&b=1", "a&b=2"):
        Dataset.objects.create(team=team, name=name, format="csv", size=1, status="failed")
    first = text(browser.open("/datasets/?search=a%26b&order=name"))
    following = re.search(r'href="([^"]+)">Next', first)
    assert following
    second = text(browser.open("/datasets/" + following[1].replace("&amp;", "&")))
    assert ("a&amp;b=1" in first, "a&amp;b=2" in first) == (True, False)
    assert ("a&amp;b=1</a>" in second, "a&amp;b=2" in second) == (False, True)


def test_a_page_leads_to_the_other_versions_of_a_data_set(browser: Browser, fruit: Dataset, team: Team) -> None:
    path = fruit.get_absolute_url()
    assert "Versions" not in text(browser.open(path))
    form = text(browser.open(f"/datasets/new/?team_id={team.pk}&name=fruit"))
    assert 'value="fruit"' in form
    browser.send("/datasets/new/", team_id=str(team.pk), name="fruit", file=SimpleUploadedFile("more.csv", CSV))
    newer = Dataset.objects.get(file_name="more.csv")
    old, new = text(browser.open(path)), text(browser.open(newer.get_absolute_url()))
    assert f'<a href="{newer.get_absolute_url()}">newer version</a>' in old
    assert "newer version" not in new
    assert f'<a href="{path}">' in new
    assert "name=fruit" in new
    only_newest = text(browser.open("/datasets/?newest=true"))
    assert (path in only_newest, newer.get_absolute_url() in only_newest) == (False, True)
    fruit.name = "a&b"
    fruit.save()
    assert "name=a%26b" in text(browser.open(path))


def test_a_data_set_is_renamed_read_again_and_deleted(browser: Browser, fruit: Dataset) -> None:
    path = reverse("dataset", args=[fruit.pk])
    assert "<h1>Figs</h1>" in text(browser.send(f"{path}rename/", name=" Figs "))
    assert "name: String should have at least 1 character" in text(browser.send(f"{path}rename/", name=" "))
    assert "data-live" in text(browser.send(f"{path}profile/"))
    assert "A worker has this data set already." in text(browser.send(f"{path}profile/"))
    assert "The data set is deleted." in text(browser.send(f"{path}delete/"))
    assert browser.open(path).status_code == 404


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
    assert "You are invited" in text(browser.open("/datasets/"))
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
    scoped = text(browser.send("/keys/", name="scoped", scopes=["datasets:read", "teams:read"]))
    assert "read data sets, see teams and their members</td>" in scoped
    ApiKey.objects.get(name="scoped").delete()
    browser.send(f"/keys/{ApiKey.objects.get().pk}/delete/")
    assert Api(secret[0])("GET", "/me").status_code == 401
