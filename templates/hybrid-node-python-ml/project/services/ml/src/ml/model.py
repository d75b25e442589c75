"""One loaded model: a session of ONNX Runtime and the card that describes it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from ml import task
from ml.registry import ModelCard, Registry, RegistryError

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Model:
    """A version that is ready to answer."""

    card: ModelCard
    session: Any

    def run(self, rows: Array) -> Array:
        """Rows of features to rows of outputs."""
        name = self.session.get_inputs()[0].name
        outputs: Array = self.session.run([self.card.output], {name: rows})[0]
        return outputs.reshape(len(rows), -1)

    def warm_up(self, largest: int) -> Iterator[tuple[int, float]]:
        """Run batches of every size class, giving the seconds that each one took."""
        size = 1
        while True:
            rows = np.zeros((size, self.card.features), dtype=np.float32)
            self.run(rows)
            started = time.perf_counter()
            self.run(rows)
            yield size, time.perf_counter() - started
            if size >= largest:
                return
            size = min(size * 2, largest)


def session_for(content: bytes, threads: int, providers: tuple[str, ...]) -> Any:  # noqa: ANN401
    """A session with explicit threads: the default counts the host's, not the container's."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return ort.InferenceSession(content, options, providers=list(providers))


def load(registry: Registry, version: str, threads: int, providers: tuple[str, ...]) -> Model:
    """Load a version, refusing one that does not fit this service's contract."""
    card = registry.card(version)
    if (card.task, card.features) != (task.NAME, task.FEATURES):
        raise RegistryError(
            f"version {version} is {card.task} on {card.features} features, "
            f"this service is {task.NAME} on {task.FEATURES}"
        )
    content = registry.weights(card)
    try:
        session = session_for(content, threads, providers)
    except Exception as error:
        raise RegistryError(f"ONNX Runtime cannot load version {version}: {error}") from error
    if card.output not in [output.name for output in session.get_outputs()]:
        raise RegistryError(f"version {version} has no output named {card.output!r}")
    return Model(card, session)
