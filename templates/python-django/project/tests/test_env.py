"""The environment: what may be set, and what is said when it is wrong."""

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from backend.env import PROJECT, Env, load

SECRET = "a-secret-that-is-long-enough-for-everybody-0123456789"


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Env.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENV_FILE", "")


def complaint() -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        load()
    return str(caught.value)


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("DATABASE_URL", "mysql://localhost/x")
    monkeypatch.setenv("TRUSTED_ORIGINS", "example.com")
    monkeypatch.setenv("SECRET_KEY", "short")
    text = complaint()
    for name in ("PORT", "LOG_LEVEL", "DATABASE_URL", "TRUSTED_ORIGINS", "SECRET_KEY", "ALLOWED_HOSTS"):
        assert re.search(rf"^  {name}: .+", text, re.MULTILINE), text


def test_production_names_all_that_is_missing() -> None:
    text = complaint()
    assert "SECRET_KEY: is required. Make one" in text
    assert "ALLOWED_HOSTS: is required. Name the hosts" in text


def test_an_image_wants_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "true")
    monkeypatch.setenv("REQUIRE_DATABASE_URL", "true")
    monkeypatch.setenv("DATABASE_URL", "")
    assert "DATABASE_URL: is required here" in complaint()
    monkeypatch.setenv("DATABASE_URL", "sqlite:////data/db.sqlite3")
    assert load().database_url


def test_a_rejected_secret_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@localhost/x")
    assert "hunter2" not in complaint()


def test_development_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "true")
    env = load()
    assert (env.port, env.database_url, env.json_logs) == (8000, None, False)


@pytest.mark.parametrize(
    ("debug", "given", "who"),
    [("true", "", "open"), ("false", "", "invited"), ("false", "open", "open"), ("true", "closed", "closed")],
)
def test_in_production_only_the_invited_sign_up_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, debug: str, given: str, who: str
) -> None:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example")
    monkeypatch.setenv("DEBUG", debug)
    monkeypatch.setenv("ALLOW_SIGN_UP", given)
    assert load().sign_up == who


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example, b.example,")
    assert load().allowed_hosts == ("a.example", "b.example")


def test_a_file_is_read_and_the_environment_goes_before_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "dev.env"
    file.write_text("DEBUG=true\nPORT=9000\nHOST=0.0.0.0\n")
    monkeypatch.setenv("ENV_FILE", str(file))
    monkeypatch.setenv("PORT", "9001")
    env = load()
    assert (env.port, env.host) == (9001, "0.0.0.0")


def test_the_example_names_every_variable_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    example = PROJECT / ".env.example"
    named = re.findall(r"^([A-Z_]+)=", example.read_text(), re.MULTILINE)
    assert sorted(named) == sorted(name.upper() for name in Env.model_fields)
    monkeypatch.setenv("ENV_FILE", str(example))
    assert load() == Env(_env_file=None, debug=True)


def test_nothing_else_reads_the_environment() -> None:
    allowed = {"env.py"}
    readers = {
        file.name
        for file in (PROJECT / "src").rglob("*.py")
        if re.search(r"os\.environ\b(?!\.setdefault|\.update)|os\.getenv|getenv\(", file.read_text())
    }
    assert readers == allowed


def test_a_client_of_a_provider_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "true")
    monkeypatch.setenv("OIDC_ISSUER", "https://login.example.com")
    monkeypatch.setenv("GITHUB_CLIENT_ID", "known")
    monkeypatch.setenv("GOOGLE_CLIENT_SECRET", "known")
    text = complaint()
    assert (
        "OIDC_CLIENT_SECRET: goes with the others of its kind, of which OIDC_CLIENT_ID and OIDC_CLIENT_SECRET" in text
    )
    assert "of which GITHUB_CLIENT_SECRET is missing" in text
    assert "of which GOOGLE_CLIENT_ID is missing" in text
