"""Configuration from the environment, validated once at start."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Token = Annotated[SecretStr, Field(min_length=16)]


class Settings(BaseSettings):
    """Everything the service can be told; see .env.example."""

    model_config = SettingsConfigDict(env_prefix="ML_", env_ignore_empty=True, extra="ignore")

    host: str = Field("127.0.0.1", validation_alias=AliasChoices("ML_HOST", "HOST"))
    port: int = Field(8001, ge=0, le=65535, validation_alias=AliasChoices("ML_PORT", "PORT"))
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", validation_alias="LOG_LEVEL"
    )

    service_token: Token | None = None
    service_token_previous: Token | None = None

    registry_dir: Path = Path("models")
    alias: str = "production"
    reload_seconds: float = Field(2.0, ge=0)

    max_batch: int = Field(32, ge=1, le=4096)
    max_batch_tokens: int = Field(8192, ge=1)
    max_queue: int = Field(1024, ge=1)
    default_timeout_ms: int = Field(10_000, ge=1, le=600_000)
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024)
    shutdown_seconds: int = Field(20, ge=1)

    intra_op_threads: int = Field(1, ge=1)
    providers: Annotated[tuple[str, ...], NoDecode] = ("CPUExecutionProvider",)

    drift_window: int = Field(2000, ge=100)

    @model_validator(mode="before")
    @classmethod
    def split_providers(cls, values: dict[str, object]) -> dict[str, object]:
        """Accept the execution providers as a comma-separated list, most wanted first."""
        providers = values.get("providers")
        if isinstance(providers, str):
            values["providers"] = tuple(p.strip() for p in providers.split(",") if p.strip())
        return values

    @model_validator(mode="after")
    def require_a_token_beyond_loopback(self) -> Self:
        """Never serve a network without authentication."""
        if self.service_token is None and not _is_loopback(self.host):
            raise ValueError("ML_SERVICE_TOKEN is required unless the service listens on loopback")
        return self

    @property
    def tokens(self) -> tuple[str, ...]:
        """The accepted bearer tokens; two while one is being rotated."""
        both = (self.service_token, self.service_token_previous)
        return tuple(token.get_secret_value() for token in both if token is not None)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
