import asyncio
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ml.app import create_app
from ml.metrics import Metrics
from ml.model import load
from ml.registry import ModelCard, Registry, RegistryError
from ml.runtime import Runtime
from ml.settings import Settings

from . import tiny
from .conftest import instances

CPU = ("CPUExecutionProvider",)


@pytest.fixture
def registry(trained: Registry, tmp_path: Path) -> Registry:
    return Registry(Path(shutil.copytree(trained.root, tmp_path / "models")))


def add_copy(registry: Registry, card: ModelCard, version: str) -> None:
    copy = card.model_copy(update={"version": version})
    registry.add(copy, registry.weights(card))


def test_refuses_weights_that_are_not_the_ones_described(
    registry: Registry, card: ModelCard
) -> None:
    weights = registry.root / card.version / "model.onnx"
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(RegistryError, match="damaged"):
        load(registry, card.version, 1, CPU)


def test_refuses_a_model_made_for_another_contract(registry: Registry, card: ModelCard) -> None:
    wide = card.model_copy(update={"version": "wide", "features": card.features + 1})
    registry.add(wide, registry.weights(card))
    with pytest.raises(RegistryError, match=f"{card.features + 1} features"):
        load(registry, "wide", 1, CPU)


def test_refuses_a_model_made_for_other_columns(registry: Registry, card: ModelCard) -> None:
    named = card.model_copy(update={"version": "named", "inputs": {"age": "int64"}})
    registry.add(named, registry.weights(card))
    with pytest.raises(RegistryError, match=r"takes age \(int64\), this service gives one unnamed"):
        load(registry, "named", 1, CPU)


def test_refuses_to_promote_what_is_not_there(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="not in"):
        registry.promote("../elsewhere", "production")
    assert registry.resolve("production") in registry.versions()


def test_promotions_at_the_same_time_all_stay(
    registry: Registry, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    aliases = Registry.aliases

    def slowly(self: Registry) -> dict[str, str]:
        found = aliases(self)
        time.sleep(0.02)
        return found

    monkeypatch.setattr(Registry, "aliases", slowly)
    names = [f"alias-{number}" for number in range(6)]
    with ThreadPoolExecutor(len(names)) as together:
        list(together.map(lambda name: registry.promote(card.version, name), names))
    assert set(names) < set(registry.aliases())


def test_names_what_to_do_when_there_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="run `ml train`"):
        Registry(tmp_path).resolve("production")


def test_follows_the_alias_while_requests_keep_being_answered(
    registry: Registry, card: ModelCard
) -> None:
    settings = Settings(registry_dir=registry.root, reload_seconds=0.01)
    with TestClient(create_app(settings)) as client:
        add_copy(registry, card, "next")
        registry.promote("next", "production")
        assert serves(client, "next")


def served(client: TestClient) -> str:
    answer = client.post("/v1/predict", json={"instances": instances(1)})
    assert answer.status_code == 200
    return str(answer.json()["model"]["version"])


def serves(client: TestClient, version: str) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if served(client) == version:
            return True
    return False


def test_goes_on_following_the_alias_after_a_version_that_cannot_run(
    registry: Registry, card: ModelCard
) -> None:
    settings = Settings(registry_dir=registry.root, reload_seconds=0.01)
    with TestClient(create_app(settings)) as client:
        # A model that no batch fits, as other tools export them.
        content = tiny.onnx_of(tiny.weights(), rows=1)
        registry.add(tiny.card_of(content, "lonely"), content)
        registry.promote("lonely", "production")
        deadline = time.monotonic() + 60
        while "ml_model_reload_failures_total 1.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
        assert served(client) == card.version
        add_copy(registry, card, "next")
        registry.promote("next", "production")
        assert serves(client, "next")


def test_serves_a_version_whose_files_arrive_after_its_alias(
    registry: Registry, card: ModelCard
) -> None:
    async def scenario() -> None:
        runtime = Runtime(Settings(registry_dir=registry.root, reload_seconds=0), Metrics())
        await runtime.start()
        try:
            add_copy(registry, card, "late")
            registry.promote("late", "production")
            hidden = (registry.root / "late").rename(registry.root.parent / "late")
            with pytest.raises(RegistryError, match="not in"):
                await runtime.follow_alias()
            await runtime.follow_alias()
            hidden.rename(registry.root / "late")
            await runtime.follow_alias()
            assert runtime.model.card.version == "late"
        finally:
            await runtime.stop()

    asyncio.run(scenario())


def test_keeps_serving_when_the_new_version_is_refused(registry: Registry, card: ModelCard) -> None:
    async def scenario() -> None:
        runtime = Runtime(Settings(registry_dir=registry.root, reload_seconds=0), Metrics())
        await runtime.start()
        try:
            add_copy(registry, card, "bad")
            registry.promote("bad", "production")
            (registry.root / "bad" / "model.onnx").write_bytes(b"garbage")
            with pytest.raises(RegistryError, match="damaged"):
                await runtime.follow_alias()
            assert runtime.model.card.version == card.version
            await runtime.follow_alias()
            registry.promote(card.version, "production")
            await runtime.follow_alias()
            assert runtime.ready
        finally:
            await runtime.stop()

    asyncio.run(scenario())
