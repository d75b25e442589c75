"""scikit-learn to ONNX, the same bytes for the same model."""

import hashlib
from typing import Any

from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from ml.training.steps import OUTPUT

OPSET = 21


def export(pipeline: Any, features: int) -> bytes:  # noqa: ANN401
    """The fitted pipeline as ONNX, with its inputs batched along the first axis."""
    inputs = [("input", FloatTensorType([None, features]))]
    options = {id(pipeline): {"zipmap": False}} if OUTPUT == "probabilities" else None
    model = to_onnx(pipeline, initial_types=inputs, options=options, target_opset=OPSET)
    model.doc_string = ""
    model.graph.name = "model"
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def version_of(content: bytes) -> tuple[str, str]:
    """The version and the SHA-256 of a model: its content names it."""
    digest = hashlib.sha256(content).hexdigest()
    return digest[:12], digest
