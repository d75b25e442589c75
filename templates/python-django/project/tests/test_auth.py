"""Signing in, by every way there is, and every way to be refused."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from backend.accounts.auth import KeyAuth, SessionTokenAuth
from backend.accounts.models import ApiKey, User
from backend.teams.models import Team
from tests.conftest import PASSWORD, Api

SIGNUP = "/_allauth/{}/v1/auth/signup"
VERIFY = "/_allauth/{}/v1/auth/email/verify"
LOGIN = "/_allauth/{}/v1/auth/login"


def post(client: Client, path: str, body: dict[str, Any], **headers: str) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def code() -> str:
    found = re.search(r"^\s*([A-Z0-9]{4}-[A-Z0-9]{4})\s*$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found, mail.outbox[-1].body
    return found[1]


def signed_up(client: Client) -> str:
    """Sign up as an app and give the session token."""
    answer = post(client, SIGNUP.format("app"), {"email": "New@Example.com", "password": PASSWORD})
    assert answer.status_code == 401, answer.content
    token = answer.json()["meta"]["session_token"]
    verified = post(client, VERIFY.format("app"), {"key": code()}, **{"X-Session-Token": token})
    assert verified.status_code == 200, verified.content
    return str(verified.json()["meta"].get("session_token", token))


@pytest.mark.django_db
def test_an_app_signs_up_proves_its_address_and_uses_its_token() -> None:
    client = Client(enforce_csrf_checks=True)
    me = client.get("/api/me", headers={"X-Session-Token": signed_up(client)})
    assert me.status_code == 200
    assert me.json()["email"] == "new@example.com"


@pytest.mark.django_db
def test_whoever_enters_by_token_or_key_is_the_user_of_the_request() -> None:
    # allauth's own class leaves `request.user` anonymous, which no answer of /me would show.
    token = signed_up(Client())
    user = User.objects.get(email="new@example.com")
    for header, value, authenticate in (
        ("HTTP_X_SESSION_TOKEN", token, SessionTokenAuth()),
        ("HTTP_AUTHORIZATION", f"Bearer {ApiKey.issue(user, 'k')[1]}", KeyAuth()),
    ):
        request = HttpRequest()
        request.META[header] = value
        authenticate(request)
        assert request.user == user


@pytest.mark.django_db
def test_a_browser_needs_the_csrf_token_to_change_something() -> None:
    client = Client(enforce_csrf_checks=True)
    User.objects.create_user("new@example.com", PASSWORD)
    client.force_login(User.objects.get(), backend="allauth.account.auth_backends.AuthenticationBackend")
    client.get("/_allauth/browser/v1/config")
    assert client.get("/api/me").status_code == 200
    refused = post(client, "/api/teams", {"name": "Mine"})
    assert refused.status_code == 403
    assert refused["Content-Type"] == "application/problem+json"
    token = client.cookies["csrftoken"].value
    assert post(client, "/api/teams", {"name": "Mine"}, **{"X-CSRFToken": token}).status_code == 201


def test_a_program_with_a_key_needs_no_csrf_token(api: Api) -> None:
    # ninja's own SessionAuth would refuse this request before it looks at the key.
    assert api("POST", "/teams", {"name": "Mine"}).status_code == 201


def test_nobody_enters_without_a_credential(db: None) -> None:
    refused = Api()("GET", "/me")
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("secret", ["key_forged", "", " ", "x" * 10_000, "key_" + "A" * 43, "ключ"])
def test_a_forged_key_opens_nothing(secret: str, db: None) -> None:
    assert Api(secret)("GET", "/me").status_code == 401


@pytest.mark.django_db
def test_a_forged_session_token_opens_nothing() -> None:
    client = Client()
    for token in ("forged", "a" * 32, "../../etc/passwd"):
        assert client.get("/api/me", headers={"X-Session-Token": token}).status_code == 401
    client.cookies["sessionid"] = "a" * 32
    assert client.get("/api/me").status_code == 401


def test_an_expired_key_opens_nothing(ada: User) -> None:
    key, secret = ApiKey.issue(ada, "short", timezone.now() + timedelta(minutes=1))
    assert Api(secret)("GET", "/me").status_code == 200
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Api(secret)("GET", "/me").status_code == 401


def test_an_expired_session_opens_nothing(ada: User) -> None:
    browser, app = Client(), Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    token = {"X-Session-Token": str(browser.session.session_key)}
    assert browser.get("/api/me").status_code == app.get("/api/me", headers=token).status_code == 200
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert browser.get("/api/me").status_code == app.get("/api/me", headers=token).status_code == 401


def test_the_key_and_the_session_of_a_person_who_was_shut_out_open_nothing(api: Api, ada: User) -> None:
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert browser.get("/api/me").status_code == api("GET", "/me").status_code == 200
    User.objects.update(is_active=False)
    assert browser.get("/api/me").status_code == api("GET", "/me").status_code == 401


def test_a_wrong_key_is_not_rescued_by_a_good_cookie(ada: User) -> None:
    program = Api("key_wrong")
    program.client.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert program("GET", "/me").status_code == 401


def test_a_key_is_made_by_a_person_shown_once_and_deleted(ada: User) -> None:
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    made = post(browser, "/api/keys", {"name": "nightly import"})
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert Api(secret)("GET", "/me").json()["email"] == ada.email
    assert not ApiKey.objects.filter(digest=secret).exists()
    listed = browser.get("/api/keys").json()
    assert listed["count"] == 1
    assert "secret" not in listed["items"][0]
    assert listed["items"][0]["last_used_at"]
    assert browser.delete(f"/api/keys/{made.json()['id']}").status_code == 204
    assert Api(secret)("GET", "/me").status_code == 401


def test_a_key_cannot_manage_keys(api: Api) -> None:
    assert api("POST", "/keys", {"name": "another"}).status_code == 401
    assert api("GET", "/keys").status_code == 401


def test_a_key_is_not_born_expired(ada: User) -> None:
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    refused = post(browser, "/api/keys", {"name": "late", "expires_at": "2020-01-01T00:00:00Z"})
    assert refused.status_code == 422


def test_a_key_that_reads_changes_nothing(ada: User, team: Team) -> None:
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    program = Api(post(browser, "/api/keys", {"name": "report", "read_only": True}).json()["secret"])
    assert program("GET", "/teams").json()["count"] == 1
    for method, path, body in (
        ("POST", "/teams", {"name": "Mine"}),
        ("PATCH", f"/teams/{team.pk}", {"name": "Mine"}),
        ("DELETE", f"/teams/{team.pk}", None),
    ):
        refused = program(method, path, body)
        assert (refused.status_code, refused.json()["detail"]) == (403, "This key only reads.")
    assert Team.objects.get().name == "Analysts"


def test_a_key_whose_scope_is_no_more_is_shown_opens_nothing_and_is_deleted(ada: User) -> None:
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    key, secret = ApiKey.issue(ada, "old", scopes=[])
    ApiKey.objects.filter(pk=key.pk).update(scopes=["pumpkins:read"])
    assert Api(secret)("GET", "/teams").status_code == 403
    assert "pumpkins:read" in browser.get("/keys/").content.decode()
    (shown,) = browser.get("/api/keys").json()["items"]
    assert shown["scopes"] == ["pumpkins:read"]
    assert browser.delete(f"/api/keys/{key.pk}").status_code == 204


def test_a_key_opens_what_its_scopes_name(ada: User, team: Team) -> None:
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")

    def opened(*scopes: str) -> list[int]:
        made = post(browser, "/api/keys", {"name": "k", "scopes": scopes})
        assert (made.status_code, made.json()["scopes"]) == (201, sorted(set(scopes)))
        program = Api(made.json()["secret"])
        assert program("GET", "/me").status_code == 200
        asked = [program("GET", "/teams"), program("PATCH", f"/teams/{team.pk}", {"name": "Mine"})]
        return [answer.status_code for answer in asked]

    assert opened("teams:read") == [200, 403]
    assert opened("teams:write", "teams:write") == [200, 200]
    refused = Api(ApiKey.issue(ada, "k", scopes=[])[1])("GET", f"/teams/{team.pk}/invitations")
    assert (refused.status_code, refused.json()["detail"]) == (403, "This key needs the scope teams:read.")


def test_a_key_says_what_it_may_and_not_two_things_at_once(ada: User) -> None:
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    made = [post(browser, "/api/keys", {"name": "k", "scopes": scopes}) for scopes in (None, ["teams:read"])]
    # The release before knows no scopes: for it, a key that only has those to read must be one that only reads.
    assert [(each.json()["scopes"], each.json()["read_only"]) for each in made] == [
        (None, False),
        (["teams:read"], True),
    ]
    for scopes in ([], ["odd:read"], ["teams:write"]):
        wrong = {"name": "k", "scopes": scopes, "read_only": True}
        assert post(browser, "/api/keys", wrong).status_code == 422, scopes


def test_nobody_has_more_keys_than_the_limit(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.accounts.api.MAX_KEYS", 3)
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert [post(browser, "/api/keys", {"name": "k"}).status_code for _ in range(4)] == [201, 201, 201, 409]


def test_the_use_of_a_key_is_noted_again_after_a_minute(api: Api, ada: User) -> None:
    api("GET", "/me")
    first = ApiKey.objects.get().last_used_at
    assert first
    api("GET", "/me")
    assert ApiKey.objects.get().last_used_at == first
    long_ago = timezone.now() - timedelta(minutes=2)
    ApiKey.objects.update(last_used_at=long_ago)
    api("GET", "/me")
    assert (ApiKey.objects.get().last_used_at or long_ago) >= first


def test_somebody_elses_key_cannot_be_deleted(ada: User, stranger: Api) -> None:
    theirs = ApiKey.objects.exclude(user=ada).get()
    browser = Client()
    browser.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert browser.delete(f"/api/keys/{theirs.pk}").status_code == 404
    assert ApiKey.objects.filter(pk=theirs.pk).exists()


@pytest.mark.django_db
def test_guessing_a_password_is_slowed_down_in_the_api() -> None:
    User.objects.create_user("new@example.com", PASSWORD)
    wrong = {"email": "new@example.com", "password": "not-the-password"}
    answers = [post(Client(), LOGIN.format("app"), wrong) for _ in range(12)]
    assert answers[0].status_code == 400
    assert "too_many_login_attempts" in answers[-1].content.decode() or answers[-1].status_code == 429


@pytest.mark.django_db
def test_a_short_password_is_refused() -> None:
    refused = post(Client(), SIGNUP.format("app"), {"email": "a@example.com", "password": "short"})
    assert refused.status_code == 400
    assert not User.objects.exists()


@pytest.mark.django_db
def test_two_spellings_of_an_address_are_one_person() -> None:
    assert User.objects.create_user("Ada@Example.COM", PASSWORD).email == "ada@example.com"
    assert User.objects.get_by_natural_key("ADA@example.com").email == "ada@example.com"
