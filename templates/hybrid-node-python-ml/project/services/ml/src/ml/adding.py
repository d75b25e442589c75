"""Register a model that was made elsewhere: any ONNX file that takes what the task gives."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from ml import task
from ml.drift import baseline_of
from ml.model import Model, session_for
from ml.registry import (
    CARD_FILE,
    MODEL_FILE,
    Example,
    ModelCard,
    Registry,
    RegistryError,
    sha256_of,
)
from ml.rows import RowError, first
from ml.serving import rehearse
from ml.settings import Settings
from ml.signature import SIGNATURE
from ml.tensors import MAPS, NUMBERS, feed, inputs_of

# Enough to tell how a column is distributed.
BASELINE_ROWS = 50_000


def add(
    file: Path,
    settings: Settings,
    *,
    name: str,
    output: str | None = None,
    labels: Sequence[str] = (),
    rows: Path | None = None,
) -> ModelCard:
    """Register the file and what its card says, unless it cannot answer an example."""
    content = file.read_bytes()
    files = {beside: sha256_of(file.parent / beside) for beside in _external(content, file.parent)}
    folder = file.parent if files else None
    threads, providers = settings.intra_op_threads, settings.providers
    try:
        session = session_for(content, threads, providers, folder)
        output = output or _output(session)
        inputs = inputs_of(session, SIGNATURE.golden)
        known = first(rows, BASELINE_ROWS) if rows else []
        (found,) = session.run([output], feed(inputs, SIGNATURE.golden))
    except RowError:
        raise
    except Exception as error:
        raise RegistryError(f"{file} does not fit: {error}") from error
    if isinstance(found, list) and not labels:
        labels = [str(key) for key in found[0]]
    card = ModelCard(
        name=name,
        version=_version(content, files),
        task=task.NAME,
        sha256=hashlib.sha256(content).hexdigest(),
        features=SIGNATURE.features,
        inputs=SIGNATURE.named_inputs,
        output=output,
        outputs=len(found[0]) if isinstance(found, list) else int(np.size(found)),
        labels=list(labels),
        metrics={},
        parameters={"file": file.name},
        libraries={"onnxruntime": onnxruntime.__version__},
        files=files,
    )
    model = Model.of(card, session)
    card = card.model_copy(update=_learned(model, known))
    rehearse(Model.of(card, session))
    Registry(settings.registry_dir).add(card, content, file.parent)
    return card


def _learned(model: Model, known: Sequence[Any]) -> dict[str, Any]:
    """The example, and the baseline if there are instances to learn it from."""
    batch = SIGNATURE.encode(known) if known else SIGNATURE.golden
    outputs = model.run(batch)
    instance = SIGNATURE.as_json(known[0] if known else SIGNATURE.example)
    learned: dict[str, Any] = {"example": Example(instance=instance, outputs=outputs[0].tolist())}
    if known:
        learned["baseline"] = baseline_of(batch, task.signal(outputs))
    return learned


def _output(session: Any) -> str:  # noqa: ANN401
    """The one output that holds numbers: classifiers often give the label too."""
    outputs = session.get_outputs()
    scores = [one.name for one in outputs if "float" in one.type or one.type == "tensor(double)"]
    names = scores or [one.name for one in outputs if one.type in (*NUMBERS, *MAPS)]
    if len(names) != 1:
        raise ValueError(f"choose with --output: {', '.join(one.name for one in outputs)}")
    return str(names[0])


def _version(content: bytes, files: dict[str, str]) -> str:
    """The content names the version, with all that belongs to it."""
    digest = hashlib.sha256(content)
    for name, one in sorted(files.items()):
        digest.update(f"{name} {one}\n".encode())
    return digest.hexdigest()[:12]


def _external(content: bytes, folder: Path) -> list[str]:
    """The files that hold the weights: they have to lie beside the model, and nowhere else."""
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:
        raise RegistryError(f"this is no ONNX file: {error}") from error
    names = set()
    for tensor in _tensors(model.graph):
        names |= {entry.value for entry in tensor.external_data if entry.key == "location"}
    for name in names:
        path = folder / name
        inside = Path(name).name == name and path.resolve().parent == folder.resolve()
        if not inside or name in {MODEL_FILE, CARD_FILE} or not path.is_file():
            raise RegistryError(f"the model's weights are in {name!r}: not a file beside it")
    return sorted(names)


def _tensors(graph: Any) -> Iterator[Any]:  # noqa: ANN401
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
