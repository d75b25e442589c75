"""Train, evaluate, export, check, register: one reproducible run."""

from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np

from ml import task
from ml.batch import Batch
from ml.drift import baseline_of
from ml.model import Array, Model, session_for
from ml.registry import Example, ModelCard, Registry
from ml.serving import rehearse
from ml.signature import SIGNATURE
from ml.tensors import feed, inputs_of, rows_of
from ml.training.export import LIBRARIES, export, version_of
from ml.training.params import Params
from ml.training.steps import OUTPUT, evaluate, fit, labels, load_data, reference


class GateError(Exception):
    """A model that is not good enough, or that ONNX would change."""


def run(params_file: Path, registry: Registry) -> ModelCard:
    """Register a model made with these parameters, unless a gate refuses it."""
    params = Params.read(params_file)
    split = load_data(params.data.seed, params.data.test_share)
    pipeline: Any = fit(split, params.model, params.data.seed)
    # What is made of other parts than the library's may bring its own ONNX.
    own = getattr(pipeline, "to_onnx", None)
    content = own() if own else export(pipeline, SIGNATURE.golden)
    session = session_for(content, 1, ("CPUExecutionProvider",))
    seen = SIGNATURE.encode(split.train_rows)
    served, trained = _outputs(session, SIGNATURE.encode(split.test_rows)), _outputs(session, seen)
    metrics = evaluate(split, served, trained)
    difference = float(np.abs(served - reference(pipeline, split.test_rows)).max())
    _check(params, metrics, difference)

    version, digest = version_of(content)
    card = ModelCard(
        name=params.name,
        version=version,
        task=task.NAME,
        sha256=digest,
        features=SIGNATURE.features,
        inputs=SIGNATURE.named_inputs,
        output=OUTPUT,
        outputs=served.shape[1],
        labels=labels(split),
        metrics={**metrics, "parity": difference},
        parameters={**params.model, "seed": params.data.seed},
        libraries={name: library_version(name) for name in LIBRARIES},
        baseline=baseline_of(seen, task.signal(trained)),
        example=_example(split.test_rows[0], served[0]),
    )
    rehearse(Model.of(card, session))
    registry.add(card, content)
    return card


def _outputs(session: Any, batch: Batch) -> Array:  # noqa: ANN401
    (outputs,) = session.run([OUTPUT], feed(inputs_of(session, batch[:1]), batch))
    return rows_of(outputs, len(batch))


def _example(row: Any, outputs: Array) -> Example:  # noqa: ANN401
    instance = row.tolist() if isinstance(row, np.ndarray) else SIGNATURE.as_json(row)
    return Example(instance=instance, outputs=outputs.tolist())


def _check(params: Params, metrics: dict[str, float], difference: float) -> None:
    gates = params.gates
    if gates.metric not in metrics:
        raise GateError(f"unknown metric {gates.metric!r}: there are {', '.join(sorted(metrics))}")
    if metrics[gates.metric] < gates.minimum:
        raise GateError(f"{gates.metric} {metrics[gates.metric]:.4f} is below {gates.minimum}")
    if difference > gates.parity:
        raise GateError(f"ONNX differs from training by {difference:.2g}, over {gates.parity}")
