from pathlib import Path

import pytest
from pydantic import ValidationError

from ml.registry import ModelCard, Registry
from ml.training.pipeline import GateError, run

from .conftest import SERVICE


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (SERVICE / "params.toml").read_text()
    assert old in text
    path = tmp_path / "params.toml"
    path.write_text(text.replace(old, new))
    return path


def test_the_same_inputs_give_the_same_bytes(
    trained: Registry, card: ModelCard, tmp_path: Path
) -> None:
    again = run(SERVICE / "params.toml", Registry(tmp_path))
    assert again == card
    for name in ("model.onnx", "model.json"):
        first = (trained.root / card.version / name).read_bytes()
        assert (tmp_path / card.version / name).read_bytes() == first


def test_another_seed_gives_another_version(card: ModelCard, tmp_path: Path) -> None:
    params = changed(tmp_path, "seed = 20", "seed = 21")
    assert run(params, Registry(tmp_path)).version != card.version


def test_a_model_that_is_not_good_enough_is_not_registered(tmp_path: Path) -> None:
    params = changed(tmp_path, "minimum = ", "minimum = 1000")
    with pytest.raises(GateError, match="is below"):
        run(params, Registry(tmp_path))
    assert Registry(tmp_path).versions() == []


def test_a_model_that_onnx_would_change_is_not_registered(tmp_path: Path) -> None:
    params = changed(tmp_path, "parity = ", "parity = 1e-30 #")
    with pytest.raises(GateError, match="ONNX differs"):
        run(params, Registry(tmp_path))
    assert Registry(tmp_path).versions() == []


def test_a_misspelt_parameter_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="sed"):
        run(changed(tmp_path, "seed = ", "sed = "), Registry(tmp_path))


def test_the_card_tells_how_the_model_was_made(card: ModelCard) -> None:
    assert card.parameters["seed"] == 20
    assert card.metrics["parity"] < 1e-2
    assert card.libraries.keys() >= {"scikit-learn", "onnxruntime"}
    assert len(card.baseline.features) == card.features
