from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ml import cli
from ml.model import Array
from ml.registry import ModelCard, Registry, RegistryError
from ml.training import pipeline
from ml.training.pipeline import GateError, run

from . import tiny

PARAMS = """
name = "tiny"

[data]
seed = 20
test_share = 0.25

[model]
outputs = 3

[gates]
metric = "fit"
minimum = 0.5
parity = 1e-4
"""


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Steps of the tests' own, in the place of the project's."""

    def fit(_: object, params: dict[str, Any], seed: int) -> Array:
        return tiny.weights(seed, params["outputs"])

    rows = tiny.training_rows()
    split = SimpleNamespace(train_rows=rows[10:], test_rows=rows[:10])
    own = SimpleNamespace(
        OUTPUT=tiny.OUTPUT,
        load_data=lambda *_: split,
        fit=fit,
        export=lambda weights, _: tiny.onnx_of(weights),
        reference=tiny.predict,
        evaluate=lambda *_: {"fit": 1.0},
        labels=lambda _: tiny.LABELS,
    )
    for name in vars(own):
        # Looked up when it is called, so that a test may change it.
        replaced = tiny.OUTPUT if name == "OUTPUT" else _later(own, name)
        monkeypatch.setattr(pipeline, name, replaced)
    return own


def _later(own: SimpleNamespace, name: str) -> Any:  # noqa: ANN401
    return lambda *arguments: getattr(own, name)(*arguments)


def params(tmp_path: Path, old: str = "", new: str = "") -> Path:
    path = tmp_path / "params.toml"
    path.write_text(PARAMS.replace(old, new) if old else PARAMS)
    return path


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


@pytest.fixture
def made(tmp_path: Path, registry: Registry) -> ModelCard:
    return run(params(tmp_path), registry)


def test_the_same_inputs_give_the_same_bytes(
    made: ModelCard, registry: Registry, tmp_path: Path
) -> None:
    again = Registry(tmp_path / "again")
    assert run(params(tmp_path), again) == made
    for name in ("model.onnx", "model.json"):
        first = (registry.root / made.version / name).read_bytes()
        assert (again.root / made.version / name).read_bytes() == first


def test_another_seed_gives_another_version(
    made: ModelCard, registry: Registry, tmp_path: Path
) -> None:
    other = run(params(tmp_path, "seed = 20", "seed = 21"), registry)
    assert other.version != made.version


def test_a_model_that_is_not_good_enough_is_not_registered(
    registry: Registry, tmp_path: Path
) -> None:
    with pytest.raises(GateError, match="is below"):
        run(params(tmp_path, "minimum = 0.5", "minimum = 1000"), registry)
    assert registry.versions() == []


def test_a_model_that_onnx_would_change_is_not_registered(
    steps: SimpleNamespace, registry: Registry, tmp_path: Path
) -> None:
    steps.export = lambda weights, _: tiny.onnx_of(weights * np.float32(1.1))
    with pytest.raises(GateError, match="ONNX differs"):
        run(params(tmp_path), registry)
    assert registry.versions() == []


def test_a_model_that_cannot_answer_its_example_is_not_registered(
    steps: SimpleNamespace, registry: Registry, tmp_path: Path
) -> None:
    steps.labels = lambda _: ["only one"]
    with pytest.raises(RegistryError, match="its labels: 1 where there should be 3"):
        run(params(tmp_path), registry)
    assert registry.versions() == []


def test_a_misspelt_parameter_is_an_error(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="sed"):
        run(params(tmp_path, "seed = ", "sed = "), registry)


def test_the_card_tells_how_the_model_was_made(made: ModelCard) -> None:
    assert made.parameters["seed"] == 20
    assert made.metrics["parity"] < 1e-4
    assert made.libraries.keys() >= {"scikit-learn", "onnxruntime"}
    assert made.baseline is not None
    assert len(made.baseline.features) == made.features
    assert made.example is not None
    assert made.example.instance == tiny.training_rows()[0].tolist()


def test_train_registers_and_promotes_and_says_why_it_does_not(
    steps: SimpleNamespace,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ML_REGISTRY_DIR", str(registry.root))
    train = ["train", "--params", str(params(tmp_path))]
    cli.main([*train, "--no-promote"])
    assert registry.aliases() == {}
    cli.main(train)
    version = registry.resolve("production")
    assert capsys.readouterr().out.endswith(f"production -> {version}\n")
    steps.labels = lambda _: ["only one"]
    with pytest.raises(SystemExit, match=r"not registered: .*its labels"):
        cli.main(train)


def test_set_up_leaves_the_model_in_service_alone(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_REGISTRY_DIR", str(registry.root))
    tiny.register(registry, "chosen")
    cli.main(["train", "--params", str(params(tmp_path)), "--if-none"])
    assert (registry.versions(), registry.resolve("production")) == (["chosen"], "chosen")
