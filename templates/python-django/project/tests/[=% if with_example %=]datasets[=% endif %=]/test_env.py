"""The settings of files: nothing wrong gets in."""

import pytest

from backend.env import Env, load
from tests.test_env import complaint


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Env.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENV_FILE", "")


@pytest.mark.parametrize(
    "url", ["https://s3.example", "https://s3.example/", "https://s3.example/one/two", "https://s3.example/UPPER"]
)
def test_a_bucket_is_named_with_its_server(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DEBUG", "true")
    monkeypatch.setenv("FILES_BUCKET_URL", url)
    assert "FILES_BUCKET_URL: name the server and then the bucket" in complaint()


def test_a_bucket_has_a_key_with_its_secret_or_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "true")
    assert load().bucket == {}
    monkeypatch.setenv("FILES_BUCKET_URL", "http://127.0.0.1:9000/my-bucket")
    whole = {"endpoint": "http://127.0.0.1:9000", "name": "my-bucket", "region": "us-east-1", "key": "", "secret": ""}
    assert load().bucket == whole
    monkeypatch.setenv("FILES_BUCKET_SECRET", "hunter2")
    assert "FILES_BUCKET_SECRET: goes with FILES_BUCKET_KEY" in complaint()
    monkeypatch.setenv("FILES_BUCKET_KEY", "known")
    assert load().bucket == whole | {"key": "known", "secret": "hunter2"}
    monkeypatch.delenv("FILES_BUCKET_SECRET")
    assert "FILES_BUCKET_SECRET: goes with FILES_BUCKET_KEY" in complaint()
