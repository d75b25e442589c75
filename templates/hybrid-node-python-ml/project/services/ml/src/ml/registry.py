"""The model registry: one folder per version, and aliases that name the version to serve."""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml.locking import exclusive

MODEL_FILE = "model.onnx"
CARD_FILE = "model.json"
ALIASES_FILE = "aliases.json"
LOCK_FILE = ".aliases.lock"


class RegistryError(Exception):
    """A model that is missing, damaged or not the one this service was built for."""


class Histogram(BaseModel):
    """How values were distributed: `counts` has one bin more than `edges`.

    Strings are counted by their place in `categories`, and all others together as the last one.
    """

    edges: list[float]
    counts: list[int]
    categories: list[str] = []


class Baseline(BaseModel):
    """What the model saw and said on the training data, for detecting drift."""

    features: list[Histogram]
    prediction: Histogram


class Example(BaseModel):
    """An instance as callers send it, and what the model said of it when it was registered."""

    instance: Any
    outputs: list[float] | None = None


class ModelCard(BaseModel):
    """Everything known about one version, kept beside its weights as model.json."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    task: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    features: int = Field(ge=0)
    # The names and types of what it is given, where an instance is a row of named columns.
    inputs: dict[str, str] = {}
    output: str
    outputs: int = Field(ge=1)
    labels: list[str] = []
    metrics: dict[str, float]
    parameters: dict[str, float | int | str | list[int]]
    libraries: dict[str, str]
    baseline: Baseline | None = None
    # Beside the model, where its weights are not in the file itself: SHA-256 by name.
    files: dict[str, str] = {}
    example: Example | None = None


class Registry:
    """Reads and writes versions below one folder; every write is atomic."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def versions(self) -> list[str]:
        """Every registered version, in alphabetical order."""
        return sorted(card.parent.name for card in self.root.glob(f"*/{CARD_FILE}"))

    def aliases(self) -> dict[str, str]:
        """Which version each alias names."""
        try:
            aliases = json.loads((self.root / ALIASES_FILE).read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RegistryError(f"{self.root / ALIASES_FILE} cannot be read: {error}") from error
        if not isinstance(aliases, dict):
            raise RegistryError(f"{self.root / ALIASES_FILE} is not an object of alias: version")
        return {str(alias): str(version) for alias, version in aliases.items()}

    def resolve(self, alias: str) -> str:
        """The version an alias names."""
        version = self.aliases().get(alias)
        if version is None:
            raise RegistryError(
                f"no model is registered as {alias!r} in {self.root}: run `ml train`"
            )
        return version

    def card(self, version: str) -> ModelCard:
        """The description of a version."""
        if version not in self.versions():
            raise RegistryError(f"version {version!r} is not in {self.root}")
        try:
            return ModelCard.model_validate_json((self.root / version / CARD_FILE).read_bytes())
        except (OSError, ValidationError) as error:
            raise RegistryError(f"the card of version {version} is not valid: {error}") from error

    def weights(self, card: ModelCard) -> bytes:
        """The model's bytes, refused unless they are the ones the card describes."""
        path = self.root / card.version / MODEL_FILE
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RegistryError(f"{path} cannot be read: {error}") from error
        if hashlib.sha256(content).hexdigest() != card.sha256:
            raise RegistryError(f"{path} is damaged: its SHA-256 differs from {CARD_FILE}")
        for name, digest in card.files.items():
            beside = path.parent / name
            if not beside.is_file() or sha256_of(beside) != digest:
                raise RegistryError(f"{beside} is missing or damaged")
        return content

    def written(self, version: str) -> tuple[int, ...]:
        """When a version's files were written: they may arrive after an alias that names it."""
        with suppress(FileNotFoundError):
            paths = sorted((self.root / version).iterdir())
            return tuple(path.stat().st_mtime_ns for path in paths)
        return ()

    def add(self, card: ModelCard, content: bytes, beside: Path | None = None) -> None:
        """Register a version; the card is written last and makes it visible.

        The files that the card names are taken from the folder `beside`.
        """
        folder = self.root / card.version
        folder.mkdir(parents=True, exist_ok=True)
        for name in card.files:
            assert beside is not None  # noqa: S101
            with (beside / name).open("rb") as source, _Temporary(folder / name) as temporary:
                shutil.copyfileobj(source, temporary.file)
        _write(folder / MODEL_FILE, content)
        _write(folder / CARD_FILE, card.model_dump_json(indent=2).encode() + b"\n")

    def promote(self, version: str, alias: str) -> None:
        """Point an alias at a version; running services pick it up by themselves."""
        self.weights(self.card(version))
        with exclusive(self.root / LOCK_FILE):
            aliases = self.aliases() | {alias: version}
            text = json.dumps(aliases, indent=2, sort_keys=True) + "\n"
            _write(self.root / ALIASES_FILE, text.encode())


def sha256_of(path: Path) -> str:
    """The hash of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Temporary:
    """A file that replaces its target only when it is complete."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> Self:
        handle, name = tempfile.mkstemp(dir=self.target.parent, prefix=f".{self.target.name}.")
        self.file = os.fdopen(handle, "wb")
        self.path = Path(name)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.file.close()
        if kind is None:
            self.path.chmod(0o644)
            self.path.replace(self.target)
        else:
            self.path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with _Temporary(path) as temporary:
        temporary.file.write(content)
        temporary.file.flush()
        os.fsync(temporary.file.fileno())
