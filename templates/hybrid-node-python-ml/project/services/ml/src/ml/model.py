"""One loaded model: a session of ONNX Runtime and the card that describes it."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import onnxruntime as ort

from ml import task
from ml.batch import Batch
from ml.registry import ModelCard, Registry, RegistryError
from ml.signature import SIGNATURE
from ml.tensors import Array, Input, feed, inputs_of, rows_of

__all__ = ["Array", "Model", "load", "session_for"]


@dataclass(frozen=True, slots=True)
class Model:
    """A version that is ready to answer."""

    card: ModelCard
    session: Any
    inputs: tuple[Input, ...]

    @classmethod
    def of(cls, card: ModelCard, session: Any) -> Self:  # noqa: ANN401
        """The model of a session, if it takes what the task gives it."""
        return cls(card, session, inputs_of(session, SIGNATURE.golden))

    def run(self, batch: Batch) -> Array:
        """A row of outputs for each instance."""
        (output,) = self.session.run([self.card.output], feed(self.inputs, batch))
        return rows_of(output, len(batch))

    def warm_up(self, largest: int) -> Iterator[tuple[int, float]]:
        """Run batches of every size class, giving the seconds that each one took."""
        size = 1
        while True:
            batch = SIGNATURE.golden.repeated(size)
            self.run(batch)
            started = time.perf_counter()
            self.run(batch)
            yield batch.size, time.perf_counter() - started
            if size >= largest:
                return
            size = min(size * 2, largest)


def session_for(
    content: bytes, threads: int, providers: tuple[str, ...], folder: Path | None = None
) -> Any:  # noqa: ANN401
    """A session with explicit threads: the default counts the host's, not the container's.

    Weights that are not in the content itself are read from the folder.
    """
    options = ort.SessionOptions()
    if folder is not None:
        key = "session.model_external_initializers_file_folder_path"
        options.add_session_config_entry(key, str(folder.resolve()))
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return ort.InferenceSession(content, options, providers=list(providers))


def _require_the_contract(card: ModelCard) -> None:
    if (card.task, card.features) != (task.NAME, SIGNATURE.features):
        raise RegistryError(
            f"version {card.version} is {card.task} on {card.features} features, "
            f"this service is {task.NAME} on {SIGNATURE.features}"
        )
    if list(card.inputs.items()) != list(SIGNATURE.named_inputs.items()):
        raise RegistryError(
            f"version {card.version} takes {_listed(card.inputs)}, "
            f"this service gives {_listed(SIGNATURE.named_inputs)}"
        )


def _listed(inputs: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in inputs.items()) or "one unnamed input"


def load(registry: Registry, version: str, threads: int, providers: tuple[str, ...]) -> Model:
    """Load a version, refusing one that does not fit this service's contract."""
    card = registry.card(version)
    _require_the_contract(card)
    content = registry.weights(card)
    try:
        folder = registry.root / version if card.files else None
        session = session_for(content, threads, providers, folder)
    except Exception as error:
        raise RegistryError(f"ONNX Runtime cannot load version {version}: {error}") from error
    if card.output not in [output.name for output in session.get_outputs()]:
        raise RegistryError(f"version {version} has no output named {card.output!r}")
    try:
        return Model.of(card, session)
    except ValueError as error:
        raise RegistryError(f"version {version} does not fit: {error}") from error
