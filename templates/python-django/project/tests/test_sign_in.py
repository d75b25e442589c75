"""The other doors: second factors, and accounts that people have elsewhere."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from backend.accounts.models import User
from backend.audit.models import Action, Entry
from backend.env import PROJECT
from backend.teams.models import Invitation, Team
from tests.conftest import DOORS, PASSWORD

LOGIN = "/accounts/login/"
ACTIVATE = "/accounts/2fa/totp/activate/"
CODE = "/accounts/2fa/authenticate/"


@pytest.fixture
def verified(ada: User) -> User:
    """Ada, whose address is known to be hers."""
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    return ada


def entered(user: User) -> tuple[Client, Any]:
    """Sign in on the page, and give the browser with what it was sent to."""
    browser = Client()
    return browser, browser.post(LOGIN, {"login": user.email, "password": PASSWORD})


def code_of(secret: str) -> str:
    """Give what an app shows now."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def with_an_app(user: User) -> str:
    """Set an app up as the second factor, and give what it makes codes of."""
    browser, _ = entered(user)
    # A session that is open on some desk is not enough.
    assert browser.get(ACTIVATE).headers["Location"].startswith("/accounts/reauthenticate/")
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    secret = str(browser.get(ACTIVATE).context["form"].secret)
    assert browser.post(ACTIVATE, {"code": code_of(secret)}).status_code == 302
    return secret


def signed_in(browser: Client) -> bool:
    return browser.get("/teams/").status_code == 200


# --- Second factors ---------------------------------------------------------------------------------------------


def test_whoever_has_a_second_factor_needs_it(verified: User) -> None:
    secret = with_an_app(verified)
    added = Entry.objects.filter(action=Action.FACTOR_ADDED, actor=verified.email)
    assert {entry.details["kind"] for entry in added} == {"totp", "recovery_codes"}

    browser, answer = entered(verified)
    assert answer.headers["Location"] == CODE
    assert not signed_in(browser)
    assert browser.post(CODE, {"code": "000000"}).status_code == 200
    assert not signed_in(browser)
    assert browser.post(CODE, {"code": code_of(secret)}).status_code == 302
    assert signed_in(browser)

    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert browser.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert Entry.objects.filter(action=Action.FACTOR_REMOVED, actor=verified.email).exists()


def test_the_administration_is_no_way_around_it(verified: User) -> None:
    User.objects.filter(pk=verified.pk).update(is_staff=True, is_superuser=True)
    browser = Client()
    answer = browser.post("/admin/login/", {"username": verified.email, "password": PASSWORD})
    assert answer.headers["Location"].startswith(LOGIN)
    assert browser.get("/admin/").status_code == 302

    # Nor is it for those who are in already, and know the password of somebody who may do more.
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    browser.force_login(clerk, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = browser.post("/admin/login/", {"username": verified.email, "password": PASSWORD})
    assert answer.headers["Location"] == "/admin/"
    assert browser.session["_auth_user_id"] == str(clerk.pk)
    assert browser.get("/admin/login/", follow=True).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["2fa/", "2fa/totp/activate/", "2fa/webauthn/", "2fa/webauthn/add/", "2fa/recovery-codes/generate/", "3rdparty/"],
)
def test_their_pages_open(verified: User, path: str) -> None:
    browser, _ = entered(verified)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert browser.get(f"/accounts/{path}", follow=True).status_code == 200


# --- Accounts elsewhere -----------------------------------------------------------------------------------------


class Issuer(ThreadingHTTPServer):
    """A single sign-on: whoever asks is the person that it is told to vouch for."""

    person: dict[str, Any]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        url = self.server.url
        names = {"issuer": "", "authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        config = {name: url + path for name, path in (names | {"userinfo_endpoint": "/person"}).items()}
        self._answer(self.server.person if self.path == "/person" else config)

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = sent["client_secret"] == ["tests"] and sent["code"] == ["a-code"] and "code_verifier" in sent
        self._answer({"access_token": "a-token", "token_type": "Bearer"} if known else {"error": "invalid_grant"})

    def _answer(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def issuer(settings: Any) -> Iterator[Issuer]:
    """A single sign-on that the settings name."""
    with Issuer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
        apps = [app | {"settings": {"server_url": server.url}}]
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": apps, "OAUTH_PKCE_ENABLED": True}}
        yield server
        server.shutdown()


def come_from(issuer: Issuer, email: str, *, verified: object = True) -> tuple[Client, Any]:
    """Go to the issuer and come back as somebody it vouches for; gives the browser with what it was sent to."""
    issuer.person = {"sub": email, "email": email, "email_verified": verified, "name": "Somebody"}
    browser = Client()
    sent_on = browser.post("/accounts/oidc/sso/login/").headers["Location"]
    assert sent_on.startswith(f"{issuer.url}/authorize")
    state = parse_qs(urlsplit(sent_on).query)["state"][0]
    answer = browser.get("/accounts/oidc/sso/login/callback/", {"code": "a-code", "state": state})
    return browser, answer


def test_a_person_comes_in_by_single_sign_on(verified: User, issuer: Issuer) -> None:
    browser, _ = come_from(issuer, verified.email)
    assert signed_in(browser)
    assert browser.session["_auth_user_id"] == str(verified.pk)
    assert User.objects.count() == 1
    assert Entry.objects.get(action=Action.CONNECTED).object_id == str(verified.pk)


# Some issuers write it as a text, where any text would be true.
@pytest.mark.parametrize("told", [False, "false", "0", None])
def test_an_address_that_nobody_has_verified_opens_no_account(verified: User, issuer: Issuer, told: object) -> None:
    browser, answer = come_from(issuer, verified.email, verified=told)
    # They go on like somebody new, and are not told that there is such an account.
    assert answer.headers["Location"] == "/accounts/confirm-email/"
    assert not signed_in(browser)


@pytest.mark.parametrize("told", ["true", "True"])
def test_an_address_that_is_verified_in_a_text_opens_its_account(verified: User, issuer: Issuer, told: str) -> None:
    browser, answer = come_from(issuer, verified.email, verified=told)
    assert answer.headers["Location"] == "/"
    assert signed_in(browser)


def test_single_sign_on_asks_for_the_second_factor_too(verified: User, issuer: Issuer) -> None:
    with_an_app(verified)
    browser, answer = come_from(issuer, verified.email)
    assert answer.headers["Location"] == CODE
    assert not signed_in(browser)


def test_who_is_new_needs_an_invitation_or_an_issuer_that_decides(team: Team, issuer: Issuer, settings: Any) -> None:
    settings.ALLOW_SIGN_UP = "invited"
    assert not signed_in(come_from(issuer, "new@example.com")[0])
    assert not User.objects.filter(email="new@example.com").exists()

    Invitation.objects.create(team=team, email="new@example.com")
    for told in (False, "false"):
        assert not signed_in(come_from(issuer, "new@example.com", verified=told)[0])
    assert not User.objects.filter(email="new@example.com").exists()
    assert signed_in(come_from(issuer, "New@example.com")[0])

    settings.ALLOW_SIGN_UP = "closed"
    assert not signed_in(come_from(issuer, "another@example.com")[0])
    settings.OIDC_SIGN_UP = True
    assert signed_in(come_from(issuer, "another@example.com")[0])


def test_browsers_may_be_sent_to_those_who_vouch_for_people(db: None) -> None:
    answer = Client().get(LOGIN)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.endswith("form-action 'self' http://127.0.0.1:9 https://accounts.google.com https://github.com")
    for name in ("oidc/sso", "google", "github"):
        assert f"/accounts/{name}/login/" in answer.content.decode()


def site_with(code: str, **doors: str) -> str:
    """Run code in a site whose doors are those alone, and give what it prints last."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(DOORS)} | doors
    known |= {"DJANGO_SETTINGS_MODULE": "backend.settings", "DEBUG": "true", "ALLOWED_HOSTS": "testserver"}
    started = "import django\ndjango.setup()\nfrom django.test import Client\n"
    done = subprocess.run(
        [sys.executable, "-c", started + code], cwd=PROJECT, env=known, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().rpartition("\n")[2]


def test_what_is_not_switched_on_is_not_there() -> None:
    code = """
paths = ("accounts/2fa/", "accounts/3rdparty/", "accounts/google/login/", "_allauth/app/v1/account/authenticators/totp")
missing = [Client().get(f"/{path}").status_code for path in paths]
from django.apps import apps
print(missing, [name for name in ("mfa", "socialaccount") if name in apps.app_configs])
"""
    assert site_with(code) == "[404, 404, 404, 404] []"


def test_staff_who_have_no_password_enter_the_administration_by_single_sign_on() -> None:
    client = {"OIDC_ISSUER": "https://login.example.com", "OIDC_CLIENT_ID": "tests", "OIDC_CLIENT_SECRET": "tests"}
    code = "print(Client().get('/admin/login/?next=/admin/').headers['Location'])"
    assert site_with(code, **client) == f"{LOGIN}?next=%2Fadmin%2F"
