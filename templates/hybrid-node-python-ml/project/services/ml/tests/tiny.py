"""A model of the tests' own, made in no time: they need no training and no data of the project's.

It suits the task of the tests, in `task.py` beside it.
"""

import hashlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ml.drift import histogram
from ml.model import Array, session_for
from ml.registry import Baseline, Example, ModelCard, Registry
from ml.signature import INPUT

from . import task

OUTPUT = "outputs"
OUTPUTS = 3
LABELS = ["a", "b", "c"]


def training_rows(count: int = 40) -> Array:
    return np.random.default_rng(0).random((count, task.FEATURES), dtype=np.float32)


def weights(seed: int = 0, outputs: int = OUTPUTS) -> Array:
    return np.random.default_rng(seed).random((task.FEATURES, outputs), dtype=np.float32)


def predict(weights: Array, rows: Array) -> Array:
    """What the model says of rows, in NumPy."""
    logits = rows @ weights
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    outputs: Array = exponents / exponents.sum(axis=1, keepdims=True)
    return outputs


def onnx_of(weights: Array, rows: int | None = None) -> bytes:
    """The same model as ONNX, for any number of rows or for exactly so many."""
    features, outputs = weights.shape
    given = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [rows, features])
    made = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [rows, outputs])
    nodes = [
        helper.make_node("MatMul", [INPUT, "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT], axis=1),
    ]
    constants = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "tiny", [given], [made], constants)
    opset = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def card_of(content: bytes, version: str = "", **changes: object) -> ModelCard:
    """The card that fits the model, with the changes that a test wants."""
    digest = hashlib.sha256(content).hexdigest()
    session = session_for(content, 1, ("CPUExecutionProvider",))
    rows = training_rows(1)
    outputs = session.run([OUTPUT], {INPUT: rows})[0]
    column = histogram(training_rows().astype(np.float64)[:, 0])
    fitting = {
        "name": "tiny",
        "version": version or digest[:12],
        "task": task.NAME,
        "sha256": digest,
        "features": task.FEATURES,
        "output": OUTPUT,
        "outputs": outputs.shape[1],
        "labels": LABELS,
        "metrics": {"fit": 1.0},
        "parameters": {},
        "libraries": {},
        "baseline": Baseline(features=[column] * task.FEATURES, prediction=column),
        "example": Example(instance=rows[0].tolist(), outputs=outputs[0].tolist()),
    }
    return ModelCard.model_validate(fitting | changes)


def register(registry: Registry, version: str = "", **changes: object) -> ModelCard:
    """Register and promote the model."""
    content = onnx_of(weights())
    card = card_of(content, version, **changes)
    registry.add(card, content)
    registry.promote(card.version, "production")
    return card
