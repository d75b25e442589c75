"""The environment: every variable the project reads, with its type and its rule. Nothing else reads it."""

import os
from pathlib import Path
from typing import Annotated, Literal

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from pydantic import Field, HttpUrl, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from backend.datasets.env import DatasetsEnv

PROJECT = Path(__file__).resolve().parents[2]
MEBIBYTE = 1024 * 1024

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Env(DatasetsEnv):
    """What may be set from outside; `.env.example` explains each variable to those who run the project."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True)

    debug: bool = False
    # Checked also when absent: outside development they are required.
    secret_key: SecretStr | None = Field(default=None, validate_default=True)
    secret_key_fallbacks: CommaSeparated = ()
    allowed_hosts: CommaSeparated = Field(default=(), validate_default=True)
    trusted_origins: CommaSeparated = ()
    frontend_url: HttpUrl | None = None
    https: bool = True
    hsts_seconds: int = Field(default=3600, ge=0)
    hsts_preload: bool = False
    trusted_proxies: int = Field(default=0, ge=0, le=5)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    web_workers: int = Field(default=2, ge=1, le=64)
    web_threads: int = Field(default=8, ge=1, le=256)
    shutdown_seconds: int = Field(default=25, ge=1, le=600)

    allow_sign_up: Literal["auto", "open", "invited", "closed"] = "auto"
    two_factors: bool = False
    passkeys: bool = False
    oidc_issuer: HttpUrl | None = None
    oidc_name: str = "Single sign-on"
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), validate_default=True)
    oidc_sign_up: bool = False
    google_client_id: str = ""
    google_client_secret: SecretStr = Field(default=SecretStr(""), validate_default=True)
    github_client_id: str = ""
    github_client_secret: SecretStr = Field(default=SecretStr(""), validate_default=True)
    max_teams: int = Field(default=100, ge=1)

    require_database_url: bool = False
    database_url: SecretStr | None = Field(default=None, validate_default=True)
    database_pool: int = Field(default=8, ge=0, le=100)

    data_dir: Path = PROJECT / "var"
    static_root: Path = PROJECT / "staticfiles"

    email_host: str | None = None
    email_port: int = Field(default=587, ge=1, le=65535)
    email_user: str = ""
    email_password: SecretStr = SecretStr("")
    email_tls: Literal["starttls", "implicit", "none"] = "starttls"
    email_from: str = "noreply@localhost"

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    otel_service_name: str = "backend"
    otel_traces_sampler_arg: float = Field(default=1.0, ge=0, le=1)
    metrics_port: int | None = Field(default=None, ge=0, le=65535)

    task_lease_seconds: int = Field(default=30, ge=2, le=3600)
    # The database refuses to delete what is younger than 30 days.
    audit_days: int = Field(default=365, ge=30, le=36_500)

    @field_validator("secret_key_fallbacks", "allowed_hosts", "trusted_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("trusted_origins")
    @classmethod
    def _origins_have_a_scheme(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not origin.startswith(("https://", "http://")):
                msg = f"{origin!r} is not an origin: write it with its scheme, as in https://example.com"
                raise ValueError(msg)
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None and info.data.get("require_database_url"):
            msg = "is required here: data in a container's own file goes with it"
            raise ValueError(msg)
        try:
            engine = dj_database_url.parse(value.get_secret_value())["ENGINE"] if value else ""
        except ValueError:
            engine = "unknown"
        if engine not in {"", "django.db.backends.postgresql", "django.db.backends.sqlite3"}:
            msg = "use postgresql://user:password@host:5432/name or sqlite:////absolute/path"
            raise ValueError(msg)
        return value

    @field_validator("secret_key")
    @classmethod
    def _good_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None and info.data.get("debug") is False:
            msg = "is required. Make one: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
            raise ValueError(msg)
        if value and (len(value.get_secret_value()) < 50 or len(set(value.get_secret_value())) < 5):
            msg = "use at least 50 random characters"
            raise ValueError(msg)
        return value

    @field_validator("oidc_client_secret", "google_client_secret", "github_client_secret")
    @classmethod
    def _with_its_id(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        name = str(info.field_name).removesuffix("_client_secret")
        parts = {
            f"{name}_client_id": info.data.get(f"{name}_client_id"),
            f"{name}_client_secret": value.get_secret_value(),
        }
        if name == "oidc":
            parts["oidc_issuer"] = info.data.get("oidc_issuer")
        if any(parts.values()) and not all(parts.values()):
            missing = " and ".join(part.upper() for part, given in parts.items() if not given)
            msg = f"goes with the others of its kind, of which {missing} is missing"
            raise ValueError(msg)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _some_host(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and info.data.get("debug") is False:
            msg = "is required. Name the hosts it serves, as in example.com,www.example.com"
            raise ValueError(msg)
        return value

    @property
    def sign_up(self) -> str:
        """In development everybody may sign up, in production those whom a team has invited."""
        return self.allow_sign_up if self.allow_sign_up != "auto" else "open" if self.debug else "invited"

    @property
    def json_logs(self) -> bool:
        """Machines read the log in production, people in development."""
        return self.log_format == "json" or (self.log_format == "auto" and not self.debug)


def load() -> Env:
    """Read the environment and `.env` (or the file that ENV_FILE names), and report every problem at once."""
    try:
        return Env(_env_file=os.environ.get("ENV_FILE", PROJECT / ".env"))
    except ValidationError as error:
        raise ImproperlyConfigured(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    # The rejected value may be a secret, so only the rule is shown.
    problems = [
        f"  {str(problem['loc'][0]).upper()}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_input=False, include_url=False)
    ]
    return "\n".join(["The environment is not complete or not valid (see .env.example):", *problems])
