"""The front door: every operation of allauth that can be reached, for strangers and for people with a session."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from backend.accounts.models import User
from backend.teams.models import Invitation, Team
from tests.conftest import PASSWORD
from tests.test_auth import LOGIN, SIGNUP, code, post, signed_up

RESET = "/_allauth/{}/v1/auth/password/{}"
# What allauth's own description names: https://docs.allauth.org/en/latest/headless/openapi-specification/
DOCUMENTED = {200, 400, 401, 403, 404, 409, 410, 429}
# Where allauth answers otherwise: a method that an operation does not have.
DEVIATIONS = {405}
BODIES: tuple[Any, ...] = (
    None,
    {},
    [],
    "text",
    {"email": "ada@example.com", "password": PASSWORD},
    {"email": "new@example.com", "password": PASSWORD, "current_password": PASSWORD, "new_password": f"{PASSWORD}-2"},
    {"key": "AAAA-AAAA", "code": "AAAA-AAAA", "password": PASSWORD, "phone": "+491701234567"},
    {"email": 7, "key": None, "code": [], "password": {}},
    {"email": "nul\0@example.com", "key": "\0", "code": "\0", "password": "\0" * 12},
    {"email": "x" * 500 + "@example.com", "primary": True},
)


def operations() -> Iterator[str]:
    """Give the path of every operation below /_allauth/."""

    def below(resolver: URLResolver, prefix: str) -> Iterator[str]:
        for entry in resolver.url_patterns:
            route = prefix + str(entry.pattern)
            if isinstance(entry, URLPattern):
                yield f"/{route}"
            elif isinstance(entry, URLResolver):
                yield from below(entry, route)

    return (path for path in below(get_resolver(), "") if path.startswith("/_allauth/"))


PATHS = sorted(operations())


def answers(signed_in: bool) -> Client:  # noqa: FBT001 - a parameter of the test
    client = Client(raise_request_exception=False)
    if signed_in:
        ada = User.objects.create_user("ada@example.com", PASSWORD)
        EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
        post(client, LOGIN.format("browser"), {"email": ada.email, "password": PASSWORD})
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("signed_in", [False, True], ids=["stranger", "person"])
@pytest.mark.parametrize("path", PATHS)
def test_no_operation_fails_or_answers_what_is_not_documented(path: str, signed_in: bool) -> None:  # noqa: FBT001
    client = answers(signed_in)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for body in BODIES if method != "GET" else (None,):
            data = b"" if body is None else json.dumps(body).encode()
            answer = client.generic(method, path, data, content_type="application/json")
            assert answer.status_code in DOCUMENTED | DEVIATIONS, (method, path, body, answer.content)
    for bad in (b"{", b"\xff", b'"\\ud800"'):
        answer = client.generic("POST", path, bad, content_type="application/json")
        assert answer.status_code in DOCUMENTED | DEVIATIONS, (path, bad, answer.content)


def test_the_paths_are_those_of_allauth() -> None:
    assert {path.rpartition("/v1/")[2] for path in PATHS} >= {"auth/signup", "auth/login", "auth/password/request"}
    assert len(PATHS) > 20


@pytest.mark.django_db
@pytest.mark.parametrize("client", ["app", "browser"])
def test_signing_up_does_not_tell_who_has_an_account(client: str) -> None:
    known = {"email": "ada@example.com", "password": PASSWORD}
    User.objects.create_user(known["email"], PASSWORD)
    first = post(Client(), SIGNUP.format(client), {"email": "new@example.com", "password": PASSWORD})
    again = post(Client(), SIGNUP.format(client), known)
    assert (first.status_code, again.status_code) == (401, 401)
    assert [flow for flow in again.json()["data"]["flows"] if flow.get("is_pending")] == [
        flow for flow in first.json()["data"]["flows"] if flow.get("is_pending")
    ]
    assert [sent.to for sent in mail.outbox] == [["new@example.com"], ["ada@example.com"]]
    assert "http://testserver/" in str(mail.outbox[1].body)
    assert User.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("client", ["app", "browser"])
def test_a_reset_does_not_tell_who_has_an_account(client: str) -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    known, unknown = (
        post(Client(), RESET.format(client, "request"), {"email": email})
        for email in ("ada@example.com", "nobody@example.com")
    )
    assert (known.status_code, unknown.status_code) == (401, 401)
    assert known.json()["data"] == unknown.json()["data"]
    assert [sent.to for sent in mail.outbox] == [["ada@example.com"], ["nobody@example.com"]]


@pytest.mark.django_db
def test_mails_point_to_a_front_end_where_there_is_one(settings: Any) -> None:
    settings.HEADLESS_FRONTEND_URLS = settings.FRONTEND_PAGES | {"account_signup": "https://app.example.com/sign-up"}
    post(Client(), RESET.format("app", "request"), {"email": "nobody@example.com"})
    assert "https://app.example.com/sign-up" in str(mail.outbox[0].body)


@pytest.mark.django_db
def test_a_forgotten_password_is_replaced_with_a_code() -> None:
    ada = User.objects.create_user("ada@example.com", PASSWORD)
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    client = Client()
    post(client, RESET.format("browser", "request"), {"email": ada.email})
    new = {"key": code(), "password": f"{PASSWORD}-new"}
    assert post(client, RESET.format("browser", "reset"), new).status_code in {200, 401}
    ada.refresh_from_db()
    assert ada.check_password(f"{PASSWORD}-new")


@pytest.mark.django_db
def test_nobody_signs_up_where_it_is_closed(settings: Any) -> None:
    settings.ALLOW_SIGN_UP = "closed"
    refused = post(Client(), SIGNUP.format("app"), {"email": "new@example.com", "password": PASSWORD})
    assert refused.status_code == 403
    assert not User.objects.exists()


def test_whom_a_team_has_invited_may_sign_up(team: Team, settings: Any) -> None:
    settings.ALLOW_SIGN_UP = "invited"
    invitation = Invitation.objects.create(team=team, email="new@example.com")
    refused = post(Client(), SIGNUP.format("app"), {"email": "other@example.com", "password": PASSWORD})
    assert refused.status_code == 403
    token = {"X-Session-Token": signed_up(Client())}
    listed = Client().get("/api/invitations", headers=token).json()["items"]
    assert [item["id"] for item in listed] == [str(invitation.pk)]


@pytest.mark.parametrize("sent", ["nonsense", [], {}, 7, {"email": None}], ids=str)
def test_who_signs_up_without_an_address_is_refused_where_one_must_be_invited(
    team: Team, settings: Any, sent: Any
) -> None:
    settings.ALLOW_SIGN_UP = "invited"
    refused = post(Client(), SIGNUP.format("app"), sent)
    assert refused.status_code in {400, 403}, refused.content
    page = Client().post("/accounts/signup/", {"password1": PASSWORD})
    assert (page.status_code, "email" in page.content.decode()) == (200, False)
    assert list(User.objects.all()) == [team.memberships.get().user]
