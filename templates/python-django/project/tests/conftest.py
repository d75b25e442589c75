"""What the tests share: people, teams, and a client that behaves like a program."""

import json
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django_tasks_db.models import DBTaskResult

from backend.accounts.models import ApiKey, User
from backend.audit import triggers
from backend.metrics import port, rows
from backend.tasks import attempts
from backend.teams.models import Membership, Role, Team

PASSWORD = "correct-horse-battery"
# What the variables that switch further ways to sign in on begin with.
DOORS = ("TWO_FACTORS", "PASSKEYS", "OIDC", "GOOGLE", "GITHUB")


class Api:
    """A program with a key. CSRF is enforced, as it is in production and is not in Django's own test client."""

    def __init__(self, secret: str | None = None) -> None:
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send JSON."""
        data: dict[str, Any] = {}
        if body is not None:
            data = {"data": json.dumps(body), "content_type": "application/json"}
        return self.client.generic(method, f"/api{path}", headers=self.headers | headers, **data)


class Browser:
    """A person's browser, signed in: it keeps cookies, and sends forms with the CSRF token of the page before."""

    def __init__(self, user: User) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")

    def open(self, path: str) -> Any:
        """Open a page."""
        return self.client.get(path)

    def send(self, path: str, **fields: Any) -> Any:
        """Send a form, and open the page that follows."""
        if "csrftoken" not in self.client.cookies:
            self.open("/teams/")
        token = {"csrfmiddlewaretoken": self.client.cookies["csrftoken"].value}
        return self.client.post(path, fields | token, follow=True)


def _person(email: str) -> tuple[User, Api]:
    user = User.objects.create_user(email, PASSWORD)
    return user, Api(ApiKey.issue(user, "tests")[1])


class Here(rows.Asking):
    """Asks at once."""

    def start(self) -> None:
        """Ask."""
        Thread.run(self)

    def join(self, timeout: float | None = None) -> None:
        """It is done."""


@pytest.fixture
def ask_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read metrics with the connection of the test, whose rows no other sees; SQLite's in memory is never closed."""
    monkeypatch.setattr(rows, "Asking", Here)
    monkeypatch.setattr(rows, "KEPT_SECONDS", 0)


@pytest.fixture(scope="module")
def offered() -> Iterator[port.Server]:
    """The port, as a process has it."""
    server = port.serve()
    assert server
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _the_audit_log_is_emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let Django empty SQLite's tables behind a test that commits, which the audit log refuses."""
    marker = request.node.get_closest_marker("django_db")
    if not (marker and marker.kwargs.get("transaction")):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    if connection.vendor == "sqlite":
        with connection.schema_editor() as editor:
            triggers.remove(None, editor)
            editor.execute("DELETE FROM audit_entry")
            triggers.install(None, editor)


@pytest.fixture
def ada(db: None) -> User:
    """The owner of a team."""
    return User.objects.create_user("ada@example.com", PASSWORD)


@pytest.fixture
def api(ada: User) -> Api:
    """Ada's program."""
    return Api(ApiKey.issue(ada, "tests")[1])


@pytest.fixture
def browser(ada: User) -> Browser:
    """Ada's browser."""
    return Browser(ada)


@pytest.fixture
def staff(db: None, settings: Any) -> Client:
    """A superuser's browser, signed in with the form."""
    settings.OTHER_DOORS = False
    User.objects.create_superuser("root@example.com", PASSWORD)
    client = Client()
    entered = client.post("/admin/login/?next=/admin/", {"username": "Root@Example.com", "password": PASSWORD})
    assert entered.status_code == 302
    return client


@pytest.fixture
def team(ada: User) -> Team:
    """Ada's team."""
    return Team.start("Analysts", ada)


@pytest.fixture
def stranger(db: None) -> Api:
    """The program of somebody who belongs to no team of Ada's."""
    user, program = _person("eve@example.com")
    Team.start("Elsewhere", user)
    return program


@pytest.fixture
def viewer(team: Team) -> Api:
    """The program of a member who may only look."""
    user, program = _person("vi@example.com")
    Membership.objects.create(team=team, user=user, role=Role.VIEWER)
    return program


@pytest.fixture
def editor(team: Team) -> Api:
    """The program of a member who may change what the team owns."""
    user, program = _person("ed@example.com")
    Membership.objects.create(team=team, user=user, role=Role.EDITOR)
    return program


@pytest.fixture
def visitor(viewer: Api) -> Browser:
    """The browser of a member who may only look."""
    return Browser(User.objects.get(email="vi@example.com"))


@pytest.fixture
def outsider(stranger: Api) -> Browser:
    """The browser of somebody who belongs to another team."""
    return Browser(User.objects.get(email="eve@example.com"))


@pytest.fixture
def run_tasks() -> Callable[[], int]:
    """Do what a worker does, once, in this process."""

    def run() -> int:
        rows = list(DBTaskResult.objects.ready())
        for row in rows:
            row.claim("a-worker-in-the-tests")
            attempts.run(row)
        return len(rows)

    return run
