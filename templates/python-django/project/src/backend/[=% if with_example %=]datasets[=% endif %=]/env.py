"""The settings of data sets and their files from outside, which `backend/env.py` takes over."""

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, HttpUrl, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings


class DatasetsEnv(BaseSettings):
    """What may be set from outside; `.env.example` explains each variable to those who run the project."""

    max_team_datasets: int = Field(default=10_000, ge=1)
    max_team_gib: int = Field(default=100, ge=1)
    dataset_days: int = Field(default=0, ge=0, le=36_500)
    max_upload_mib: int = Field(default=1024, ge=1, le=102_400)
    files_bucket_url: HttpUrl | None = None
    files_bucket_region: str = "us-east-1"
    files_bucket_key: str = ""
    files_bucket_secret: SecretStr = Field(default=SecretStr(""), validate_default=True)
    profile_queue: Literal["default", "long"] = "default"

    @field_validator("files_bucket_url")
    @classmethod
    def _names_a_bucket(cls, value: HttpUrl | None) -> HttpUrl | None:
        parts = urlsplit(str(value or "https://host/bucket"))
        if not re.fullmatch(r"/[a-z0-9][a-z0-9.-]+/?", parts.path) or parts.query or parts.username:
            msg = "name the server and then the bucket, as in https://s3.eu-central-1.amazonaws.com/my-bucket"
            raise ValueError(msg)
        return value

    @field_validator("files_bucket_secret")
    @classmethod
    def _with_its_key(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if bool(value.get_secret_value()) != bool(info.data.get("files_bucket_key")):
            msg = "goes with FILES_BUCKET_KEY: give both, or neither where the machine has a key of its own"
            raise ValueError(msg)
        return value

    @property
    def bucket(self) -> dict[str, str]:
        """What is known of the bucket; nothing without one."""
        if not self.files_bucket_url:
            return {}
        parts = urlsplit(str(self.files_bucket_url))
        return {
            "endpoint": f"{parts.scheme}://{parts.netloc}",
            "name": parts.path.strip("/"),
            "region": self.files_bucket_region,
            "key": self.files_bucket_key,
            "secret": self.files_bucket_secret.get_secret_value(),
        }
