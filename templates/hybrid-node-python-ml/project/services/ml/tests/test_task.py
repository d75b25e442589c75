"""The project's own task, as a model of any kind would be served with it."""

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from ml.registry import ModelCard
from ml.signature import Signature

from . import tiny
from .conftest import SERVICE


@pytest.fixture(scope="module")
def task() -> ModuleType:
    """Read under another name: in the place of `ml.task` stands the task of the tests."""
    spec = importlib.util.spec_from_file_location("own_task", SERVICE / "src" / "ml" / "task.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_is_an_instance_and_becomes_tensors(task: ModuleType) -> None:
    signature = Signature.of(task)
    instance = signature.adapter.validate_python(signature.as_json(signature.example))
    assert len(signature.encode([instance] * 3)) == 3
    assert list(signature.golden.repeated(2).tensors) == list(signature.golden.tensors)


def test_outputs_become_a_prediction_and_a_number_for_each_row(task: ModuleType) -> None:
    width = getattr(task, "OUTPUTS", None) or 2
    outputs = np.random.default_rng(0).random((3, width), dtype=np.float32)
    labels = [f"label {number}" for number in range(width)]
    card = ModelCard.model_validate(
        tiny.card_of(tiny.onnx_of(tiny.weights())).model_copy(
            update={"outputs": width, "labels": labels}
        )
    )
    predictions = task.decode(outputs, card)
    assert [type(one) for one in predictions] == [task.Prediction] * 3
    for prediction in predictions:
        assert task.Prediction.model_validate_json(prediction.model_dump_json()) == prediction
    assert task.signal(outputs).shape == (3,)
