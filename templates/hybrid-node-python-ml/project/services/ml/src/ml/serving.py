"""The whole path of a prediction, and its rehearsal before a version is registered or served."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

import numpy as np
from pydantic import ValidationError

from ml import task
from ml.batch import Batch
from ml.drift import DriftMonitor
from ml.model import Array, Model
from ml.problems import ServiceError
from ml.registry import Example, ModelCard, RegistryError
from ml.schemas import ModelReference, PredictRequest, PredictResponse
from ml.signature import SIGNATURE, Instance

# Another machine or provider rounds in another way; another model differs by far more.
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Served:
    """A model in service, with what is known about its traffic."""

    model: Model
    drift: DriftMonitor | None

    @classmethod
    def watching(cls, model: Model, window: int) -> Self:
        """The model with no traffic yet."""
        baseline = model.card.baseline
        return cls(model, DriftMonitor(baseline, window) if baseline else None)

    def infer(self, batch: Batch) -> Array:
        """The outputs for these instances, which are counted for drift."""
        outputs = self.model.run(batch)
        signal = task.signal(outputs)
        if self.drift is not None:
            self.drift.observe(batch, signal)
        return outputs


def encode(instances: Sequence[Instance]) -> Batch:
    """What the model is given for these; a task's own encoding may refuse one."""
    try:
        return SIGNATURE.encode(instances)
    except ValueError as error:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        raise ServiceError(status, "invalid_request", str(error)) from error


def answer(outputs: Array, card: ModelCard) -> PredictResponse:
    """What the caller is told."""
    reference = ModelReference(name=card.name, version=card.version)
    return PredictResponse(predictions=task.decode(outputs, card), model=reference)


def require_finite(outputs: Array) -> None:
    """Refuse to tell a caller what is no number."""
    if not np.isfinite(outputs).all():
        detail = "The model gives no finite answer for these features"
        raise ServiceError(HTTPStatus.UNPROCESSABLE_ENTITY, "no_finite_answer", detail)


def rehearse(model: Model) -> None:
    """Answer an example as a caller's request is answered; refuse a version that cannot."""
    try:
        _rehearse(model)
    except Exception as error:
        reason = f"version {model.card.version} cannot answer: {_in_words(error)}"
        raise RegistryError(reason) from error


def _rehearse(model: Model) -> None:
    card = model.card
    if card.baseline:
        _require("the baseline's features", len(card.baseline.features), card.features)
    if card.labels:
        _require("its labels", len(card.labels), card.outputs)
    if SIGNATURE.outputs is not None:
        _require("its outputs", card.outputs, SIGNATURE.outputs)
    example = card.example or _typical(card)
    # Three at once: some models only fit a lonely row.
    request = PredictRequest.model_validate({"instances": [example.instance] * 3})
    outputs = Served.watching(model, window=100).infer(encode(request.instances))
    _require("the outputs of the file", outputs.shape[1], card.outputs)
    require_finite(outputs)
    if example.outputs is not None:
        _compare(outputs, np.asarray(example.outputs, dtype=np.float32))
    response = PredictResponse.model_validate_json(answer(outputs, card).model_dump_json())
    _require("its predictions for three rows", len(response.predictions), 3)


def _in_words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    known = isinstance(error, ValueError | ServiceError)
    return f"{error}" if known else f"{type(error).__name__}: {error}"


def _require(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"{what}: {found} where there should be {expected}")


def _compare(outputs: Array, expected: Array) -> None:
    difference = float(np.abs(outputs - expected).max())
    if difference > TOLERANCE * max(1e-6, float(np.abs(expected).max())):
        raise ValueError(f"its outputs for the example differ by {difference:.2g}")


def _typical(card: ModelCard) -> Example:
    """Where none was registered: the medians of the training data, or the task's own example."""
    if card.baseline is None or not SIGNATURE.takes_octets:
        return Example(instance=SIGNATURE.as_json(SIGNATURE.example))
    medians = [one.edges[len(one.edges) // 2] if one.edges else 0 for one in card.baseline.features]
    return Example(instance=medians)
