"""What holds for the whole site: health, headers, problems, logs and settings."""

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import ConnectionHandler
from django.test import Client
from pydantic import SecretStr

from backend import settings as project
from backend.core import health, logs
from backend.core.management.commands import export_openapi
from backend.env import PROJECT
from tests.conftest import Api


def manage(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run manage.py as a person would."""
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=PROJECT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "backend.settings"} | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(autouse=True)
def _nothing_known_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "database", health.Database())


@pytest.mark.django_db
def test_the_database_is_asked_once_for_all_who_want_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 60)
    with patch("backend.core.health.migrations_pending", return_value=False) as asked:
        assert [Client().get("/readyz").status_code for _ in range(5)] == [200] * 5
    assert asked.call_count == 1


@pytest.mark.django_db
def test_a_complete_site_is_alive_and_ready() -> None:
    assert Client().get("/livez").json() == {"status": "ok"}
    ready = Client().get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"] == {"database": "ok", "migrations": "ok", "static files": "ok"}


@pytest.mark.django_db
def test_a_site_with_pending_migrations_is_not_ready() -> None:
    with patch("backend.core.health.MigrationExecutor.migration_plan", return_value=[("a", False)]):
        answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["migrations"]) == (503, "pending")


@pytest.mark.django_db
def test_a_site_is_ready_on_the_database_of_a_newer_release_which_it_may_have_to_take_the_place_of() -> None:
    MigrationRecorder(connection).record_applied("teams", "9999_newer")
    assert Client().get("/readyz").status_code == 200


@pytest.mark.django_db
def test_a_site_without_its_database_is_alive_but_not_ready() -> None:
    with patch("backend.core.health.MigrationExecutor", side_effect=OperationalError("gone")):
        answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "unreachable")
    assert Client().get("/livez").status_code == 200


@pytest.mark.django_db
def test_a_site_whose_pages_would_fail_without_their_styles_is_not_ready(tmp_path: Path, settings: Any) -> None:
    settings.STATIC_ROOT = tmp_path
    missing = ManifestStaticFilesStorage()
    with patch("backend.core.health.staticfiles_storage", missing):
        answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["static files"]) == (503, "not collected")


def test_a_probe_needs_neither_tls_nor_an_allowed_host(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/livez", headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert Client().get("/api/me", headers={"Host": "localhost"}).status_code == 301


def test_every_answer_carries_the_security_headers(api: Api) -> None:
    for answer in (api("GET", "/me"), Client().get("/admin/login/")):
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert answer["Permissions-Policy"]
    assert api("GET", "/me")["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/teams/not-a-uuid", 404),
        ("PUT", "/me", 405),
        ("DELETE", "/teams", 405),
        ("POST", "/teams", 422),
    ],
)
def test_every_failure_of_the_api_is_a_problem(api: Api, method: str, path: str, status: int) -> None:
    answer = api(method, path)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["request_id"] == answer["X-Request-ID"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b'"text"', b"null", b"{" * 100_000])
def test_a_body_that_is_not_the_json_asked_for_is_the_clients_mistake(api: Api, body: bytes) -> None:
    answer = api.client.generic("POST", "/api/teams", body, content_type="application/json", headers=api.headers)
    assert answer.status_code in {400, 422}
    assert answer["Content-Type"] == "application/problem+json"


def test_a_body_that_is_too_large_is_refused_unread(api: Api) -> None:
    answer = api("POST", "/teams", {"name": "x" * 1_100_000})
    assert answer.status_code == 413
    assert answer["Content-Type"] == "application/problem+json"


class Body:
    """A body that notes whether somebody reads it."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, *_: Any) -> bytes:
        self.reads += 1
        return b""

    readline = read


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/api/teams", 1_000_000, 401),
        ("/api/teams", 1_090_000, 413),
        ("/api/nothing", 1_090_000, 413),
        ("/admin/login/", 1_090_000, 413),
        ("/teams/start/", 1_090_000, 413),
        ("/_allauth/browser/v1/auth/login", 1_090_000, 413),
    ],
)
def test_a_form_of_somebody_with_a_forged_cookie_is_refused_unread(path: str, length: int, status: int) -> None:
    # Django reads the whole form for its CSRF token, and would fill the disk with the files in it.
    client = Client(enforce_csrf_checks=True)
    client.cookies["sessionid"] = "a" * 32
    client.cookies["csrftoken"] = "b" * 32
    body = Body()
    # The client of the tests sends no type with an empty body, and Django reads only what is a form.
    extra: dict[str, Any] = {"CONTENT_TYPE": "multipart/form-data; boundary=x", "CONTENT_LENGTH": str(length)}
    answer = client.generic("POST", path, b"", **extra | {"wsgi.input": body})
    assert (answer.status_code, body.reads) == (status, 0)


@pytest.mark.django_db
def test_the_limiter_remembers_whom_it_has_blocked_through_many_other_failures() -> None:
    blocked = [f"blocked-{number}" for number in range(12)]
    cache.set_many(dict.fromkeys(blocked, 1))
    cache.set_many({f"other-{number}": 1 for number in range(400)})
    assert set(cache.get_many(blocked)) == set(blocked)


def test_a_host_that_is_not_ours_is_refused(api: Api) -> None:
    answer = api("GET", "/me", Host="evil.example")
    assert answer.status_code == 400


def test_an_unexpected_error_is_a_problem_without_details(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("backend.teams.api.Team.start", lambda *_: 1 / 0)
    answer = api("POST", "/teams", {"name": "Mine"})
    assert answer.status_code == 500
    assert set(answer.json()) == {"type", "title", "status", "request_id"}
    assert "unexpected error" in caplog.text


class Silent(io.BytesIO):
    """The body of a client that sends nothing any more."""

    def read(self, _size: int | None = -1) -> bytes:
        raise TimeoutError


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/_allauth/app/v1/auth/login", "/accounts/login/"])
def test_a_client_that_goes_silent_in_its_body_is_no_error(path: str, caplog: pytest.LogCaptureFixture) -> None:
    kind = "application/x-www-form-urlencoded" if path.startswith("/accounts/") else "application/json"
    body: dict[str, Any] = {"wsgi.input": Silent(), "CONTENT_LENGTH": "100000"}
    answer = Client().post(path, content_type=kind, **body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_missing_database_is_a_problem_that_says_when_to_come_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr("backend.teams.api.Team.start", gone)
    answer = api("POST", "/teams", {"name": "Mine"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


@pytest.mark.django_db
def test_a_request_keeps_the_id_it_came_with_if_that_is_harmless() -> None:
    assert Client().get("/livez", headers={"X-Request-ID": "abcd-1234"})["X-Request-ID"] == "abcd-1234"
    for bad in ("short", "x" * 129, 'a"b\nc=1234', "<script>alert</script>"):
        assert Client().get("/livez", headers={"X-Request-ID": bad})["X-Request-ID"] != bad


def test_a_logged_traceback_never_shows_the_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    before = list(logging.getLogger().handlers)
    stream = io.StringIO()
    with patch("sys.stderr", stream):
        logs.configure(level="INFO", as_json=True)
        try:
            password = "hunter2"  # noqa: F841 - what must not be seen
            raise RuntimeError("broken")  # noqa: TRY301
        except RuntimeError:
            logging.getLogger("anything").exception("it failed")
    logging.getLogger().handlers[:] = before
    line = json.loads(stream.getvalue())
    assert line["event"] == "it failed"
    assert line["exception"][0]["exc_value"] == "broken"
    assert "hunter2" not in stream.getvalue()


def test_a_secret_in_a_header_or_a_query_is_not_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api("GET", "/me?token=in-the-query")
    assert api.headers["Authorization"].split()[1] not in caplog.text
    assert "in-the-query" not in caplog.text


def test_the_description_in_the_repository_is_that_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("export_openapi", check=True)
    monkeypatch.setattr(export_openapi, "FILE", tmp_path / "openapi.json")
    export_openapi.FILE.write_text("{}\n")
    with pytest.raises(CommandError, match="is not what the code says"):
        call_command("export_openapi", check=True)
    assert export_openapi.FILE.read_text() == "{}\n"


@pytest.mark.django_db
def test_the_documentation_is_served_without_any_other_host() -> None:
    page = Client().get("/api/docs").content.decode()
    assert "https://" not in page
    assert Client().get("/api/openapi.json").json()["openapi"].startswith("3.1")


@pytest.mark.django_db
def test_sqlite_is_opened_for_many_readers_and_a_patient_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "env", project.env.model_copy(update={"database_url": None, "data_dir": tmp_path}))
    config = project.database()
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    opened = ConnectionHandler({"default": config})["default"]
    with opened.cursor() as cursor:
        found = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    opened.close()
    assert found == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 20_000, "foreign_keys": 1}


@pytest.mark.parametrize(("size", "pool"), [(8, {"min_size": 1, "max_size": 8, "timeout": 5}), (0, None)])
def test_postgresql_is_reached_through_a_pool_that_can_be_turned_off(
    size: int, pool: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = SecretStr("postgresql://user:password@example.com/name")
    monkeypatch.setattr(project, "env", project.env.model_copy(update={"database_url": url, "database_pool": size}))
    config = project.database()
    assert config["OPTIONS"].get("pool") == pool
    # A connection that outlives its request would never go back to the pool.
    assert config["CONN_MAX_AGE"] == 0


def test_production_passes_djangos_deployment_checks() -> None:
    checked = manage("check", "--deploy", "--fail-level", "WARNING", HTTPS="true")
    assert checked.returncode == 0, checked.stderr
    assert run_checks(include_deployment_checks=True), "the tests run without HTTPS, so here the checks must complain"


@pytest.mark.parametrize(("proxies", "told"), [("0", "10.0.0.1 False"), ("1", "2.2.2.2 True"), ("2", "1.1.1.1 True")])
def test_what_proxies_say_is_believed_as_far_as_there_are_some(proxies: str, told: str) -> None:
    code = (
        "from django.test import RequestFactory; from allauth.account.adapter import get_adapter;"
        "request = RequestFactory().get('/', REMOTE_ADDR='10.0.0.1',"
        " headers={'X-Forwarded-For': '9.9.9.9, 1.1.1.1, 2.2.2.2', 'X-Forwarded-Proto': 'https'});"
        "print(get_adapter().get_client_ip(request), request.is_secure())"
    )
    asked = manage("shell", "--verbosity", "0", "--command", code, TRUSTED_PROXIES=proxies)
    assert asked.stdout.strip() == told, asked.stderr


def test_browsers_insist_on_https_for_an_hour_at_first_and_no_other_site_is_drawn_in() -> None:
    code = (
        "from django.conf import settings as s;"
        "print(s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
    )
    for given, told in (
        ({}, "3600 False False"),
        ({"HSTS_SECONDS": "31536000", "HSTS_PRELOAD": "true"}, "31536000 True True"),
        ({"HSTS_PRELOAD": "true", "HTTPS": "false"}, "0 False False"),
    ):
        asked = manage("shell", "--verbosity", "0", "--command", code, **{"HTTPS": "true", **given})
        assert asked.stdout.strip() == told, asked.stderr


def test_a_wrong_environment_is_one_message_without_a_traceback() -> None:
    failed = manage("check", PORT="x", SECRET_KEY="", ALLOWED_HOSTS="")
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "PORT" in failed.stderr


def test_a_worker_without_its_tables_says_what_to_do(tmp_path: Path) -> None:
    failed = manage("worker", "--once", DATABASE_URL="", DATA_DIR=str(tmp_path))
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "did `migrate` run?" in failed.stderr
