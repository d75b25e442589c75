"""The generated service with a model made for measuring: `service.py sleepy|wide|trained`.

Runs inside the generated project's own environment. `sleepy` takes 100 ms a call, one call at a time; `wide`
takes 48 KB of features; `trained` is what `ml train` registered.
"""

import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import onnx
from ml import cli, task
from onnx import TensorProto, helper
from pydantic import Field

WIDE = 12_288
SLEEP = 0.1
if sys.argv[1] == "wide":
    # Before anything of the service reads it.
    task.FEATURES = WIDE
    task.Instance = Annotated[list[task.Number], Field(min_length=WIDE, max_length=WIDE)]
    task.EXAMPLE = [0.0] * WIDE

from ml.batch import Batch  # noqa: E402
from ml.model import Array, Model  # noqa: E402
from ml.registry import Baseline, Histogram, ModelCard, Registry  # noqa: E402


def wide_registry(folder: Path) -> Path:
    """A registry with a model that takes the mean of a wide row: the transport is all that costs."""
    node = helper.make_node("ReduceMean", ["input", "axes"], ["probabilities"], keepdims=1)
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "mean",
        [value("input", TensorProto.FLOAT, [None, WIDE])],
        [value("probabilities", TensorProto.FLOAT, [None, 1])],
        [axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    content = onnx.ModelProto.SerializeToString(model)
    flat = Histogram(edges=[0.5], counts=[1, 1])
    card = ModelCard(
        name="wide",
        version="wide",
        task=task.NAME,
        sha256=hashlib.sha256(content).hexdigest(),
        features=WIDE,
        output="probabilities",
        outputs=1,
        labels=["mean"],
        metrics={},
        parameters={},
        libraries={},
        baseline=Baseline(features=[flat] * WIDE, prediction=flat),
    )
    registry = Registry(folder)
    registry.add(card, content)
    registry.promote("wide", "production")
    return folder


def main() -> None:
    kind = sys.argv[1]
    if kind == "wide":
        os.environ["ML_REGISTRY_DIR"] = str(wide_registry(Path(tempfile.mkdtemp())))
    elif kind == "sleepy":
        run = Model.run

        def sleepy(self: Model, batch: Batch) -> Array:
            time.sleep(SLEEP)
            return run(self, batch)

        Model.run = sleepy
    cli.main(["serve"])


main()
