"""Train, evaluate, export, check, register: one reproducible run."""

from importlib.metadata import version as library_version
from pathlib import Path

import numpy as np

from ml import task
from ml.drift import histogram
from ml.model import Array, Model, session_for
from ml.registry import Baseline, Example, ModelCard, Registry
from ml.serving import rehearse
from ml.training.export import LIBRARIES, export, version_of
from ml.training.params import Params
from ml.training.steps import OUTPUT, evaluate, fit, labels, load_data, reference


class GateError(Exception):
    """A model that is not good enough, or that ONNX would change."""


def run(params_file: Path, registry: Registry) -> ModelCard:
    """Register a model made with these parameters, unless a gate refuses it."""
    params = Params.read(params_file)
    split = load_data(params.data.seed, params.data.test_share)
    pipeline = fit(split, params.model, params.data.seed)
    content = export(pipeline, task.FEATURES)
    session = session_for(content, 1, ("CPUExecutionProvider",))
    served = _outputs(session, split.test_rows)
    metrics = evaluate(split, served, _outputs(session, split.train_rows))
    difference = float(np.abs(served - reference(pipeline, split.test_rows)).max())
    _check(params, metrics, difference)

    version, digest = version_of(content)
    trained = _outputs(session, split.train_rows)
    baseline = Baseline(
        features=[histogram(column) for column in split.train_rows.T.astype(np.float64)],
        prediction=histogram(task.signal(trained)),
    )
    card = ModelCard(
        name=params.name,
        version=version,
        task=task.NAME,
        sha256=digest,
        features=task.FEATURES,
        output=OUTPUT,
        outputs=served.shape[1],
        labels=labels(split),
        metrics={**metrics, "parity": difference},
        parameters={**params.model, "seed": params.data.seed},
        libraries={name: library_version(name) for name in LIBRARIES},
        baseline=baseline,
        example=Example(instance=split.test_rows[0].tolist(), outputs=served[0].tolist()),
    )
    rehearse(Model.of(card, session))
    registry.add(card, content)
    return card


def _outputs(session: object, rows: Array) -> Array:
    outputs: Array = session.run([OUTPUT], {"input": rows})[0]  # type: ignore[attr-defined]
    return outputs.reshape(len(rows), -1)


def _check(params: Params, metrics: dict[str, float], difference: float) -> None:
    gates = params.gates
    if gates.metric not in metrics:
        raise GateError(f"unknown metric {gates.metric!r}: there are {', '.join(sorted(metrics))}")
    if metrics[gates.metric] < gates.minimum:
        raise GateError(f"{gates.metric} {metrics[gates.metric]:.4f} is below {gates.minimum}")
    if difference > gates.parity:
        raise GateError(f"ONNX differs from training by {difference:.2g}, over {gates.parity}")
