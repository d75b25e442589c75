import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from ml import serving
from ml.app import create_app
from ml.metrics import Metrics
from ml.model import Array, load
from ml.registry import Baseline, Example, ModelCard, Registry, RegistryError
from ml.runtime import Runtime
from ml.serving import rehearse
from ml.settings import Settings
from ml.signature import SIGNATURE

from . import task, tiny
from .conftest import instances

CPU = ("CPUExecutionProvider",)


def narrow(card: ModelCard) -> dict[str, object]:
    assert card.baseline
    features, prediction = card.baseline.features[:-1], card.baseline.prediction
    return {"baseline": Baseline(features=features, prediction=prediction)}


def wide(card: ModelCard) -> dict[str, object]:
    assert card.baseline
    features = [*card.baseline.features, card.baseline.features[0]]
    return {"baseline": Baseline(features=features, prediction=card.baseline.prediction)}


def example(card: ModelCard, outputs: list[float]) -> dict[str, object]:
    assert card.example
    return {"example": Example(instance=card.example.instance, outputs=outputs)}


MISMATCHES: dict[str, tuple[Callable[[ModelCard], dict[str, object]], str]] = {
    "a label too few": (lambda _: {"labels": ["a", "b"]}, "its labels: 2 where"),
    "a label too many": (lambda _: {"labels": ["a", "b", "c", "d"]}, "its labels: 4 where"),
    "outputs that the file has not": (
        lambda _: {"outputs": 4, "labels": []},
        "the outputs of the file: 3 where",
    ),
    "a narrow baseline": (narrow, "the baseline's features: "),
    "a wide baseline": (wide, "the baseline's features: "),
    "another model's example": (lambda card: example(card, [9, 9, 9]), "example differ by"),
    "an example that is no request": (
        lambda _: {"example": Example(instance=[1.0] * (task.FEATURES + 1))},
        "instances.0: ",
    ),
}


@pytest.mark.parametrize("mismatch", MISMATCHES)
def test_a_running_service_refuses_a_version_that_cannot_answer(
    tmp_path: Path, mismatch: str
) -> None:
    change, reason = MISMATCHES[mismatch]
    registry = Registry(tmp_path)
    good = tiny.register(registry)

    async def scenario() -> None:
        runtime = Runtime(Settings(registry_dir=registry.root, reload_seconds=0), Metrics())
        await runtime.start()
        try:
            tiny.register(registry, "bad", **change(good))
            with pytest.raises(RegistryError, match="version bad cannot answer: ") as refused:
                await runtime.follow_alias()
            assert reason in str(refused.value)
            assert runtime.ready
            assert runtime.model.card.version == good.version
        finally:
            await runtime.stop()

    asyncio.run(scenario())


def test_a_refused_version_is_counted_and_the_old_one_answers(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    good = tiny.register(registry)
    settings = Settings(registry_dir=registry.root, reload_seconds=0.01)
    with TestClient(create_app(settings)) as client:
        tiny.register(registry, "bad", **narrow(good))
        deadline = time.monotonic() + 60
        while "ml_model_reload_failures_total 1.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
        answer = client.post("/v1/predict", json={"instances": instances(2)})
        assert (answer.status_code, answer.json()["model"]["version"]) == (200, good.version)


def test_a_service_does_not_start_with_a_version_that_cannot_answer(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    good = tiny.register(registry)
    tiny.register(registry, "bad", **narrow(good))
    app = create_app(Settings(registry_dir=registry.root, reload_seconds=0))
    with pytest.raises(RegistryError, match="cannot answer"), TestClient(app):
        pass


@pytest.mark.parametrize("part", ["decode", "signal"])
def test_a_task_that_fails_to_say_it_is_found_before_the_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    registry = Registry(tmp_path)
    model = load(registry, tiny.register(registry).version, 1, CPU)
    rehearse(model)

    def broken(*_: object) -> None:
        raise IndexError("no such label")

    monkeypatch.setattr(task, part, broken)
    with pytest.raises(RegistryError, match="IndexError: no such label"):
        rehearse(model)


def test_a_task_that_gives_too_few_predictions_is_found_before_the_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path)
    model = load(registry, tiny.register(registry).version, 1, CPU)
    decode = task.decode
    monkeypatch.setattr(task, "decode", lambda *given: decode(*given)[:-1])
    with pytest.raises(RegistryError, match="its predictions for three rows: 2 where there"):
        rehearse(model)


def test_a_model_with_other_outputs_than_the_task_declares_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path)
    model = load(registry, tiny.register(registry).version, 1, CPU)
    monkeypatch.setattr(serving, "SIGNATURE", replace(SIGNATURE, outputs=2))
    with pytest.raises(RegistryError, match="its outputs: 3 where there should be 2"):
        rehearse(model)


def test_a_model_without_finite_outputs_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    content = tiny.onnx_of(np.full((task.FEATURES, tiny.OUTPUTS), np.nan, dtype=np.float32))
    registry.add(tiny.card_of(content, "nan", example=None), content)
    with pytest.raises(RegistryError, match="no finite answer"):
        rehearse(load(registry, "nan", 1, CPU))


def test_versions_registered_without_an_example_answer_a_typical_row(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    version = tiny.register(registry, example=None).version
    assert registry.card(version).example is None
    rehearse(load(registry, version, 1, CPU))


def test_outputs_that_no_labels_name_keep_their_width_while_the_service_runs(
    tmp_path: Path,
) -> None:
    registry = Registry(tmp_path)

    def add(version: str, weights: Array) -> None:
        content = tiny.onnx_of(weights)
        registry.add(tiny.card_of(content, version, labels=[]), content)
        registry.promote(version, "production")

    async def scenario() -> None:
        runtime = Runtime(Settings(registry_dir=registry.root, reload_seconds=0), Metrics())
        add("three", tiny.weights())
        await runtime.start()
        try:
            add("five", tiny.weights(outputs=5))
            with pytest.raises(RegistryError, match="has 5 outputs, the one in service 3"):
                await runtime.follow_alias()
            assert runtime.model.card.version == "three"
        finally:
            await runtime.stop()

    asyncio.run(scenario())
