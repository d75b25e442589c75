"""What a template's copier.yml asks, as it stands there: nothing is evaluated yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stackgen import reading
from stackgen.errors import SourceError
from stackgen.values import LOADER, kinds


class Missing:
    """What a question without a default has for one."""


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Question:
    """One question of copier.yml; every text in it may be a Jinja expression."""

    key: str
    type: str
    help: str
    choices: Any
    default: Any
    validator: str
    when: str | bool
    ask: str | bool
    placeholder: str
    multiselect: bool
    multiline: str | bool
    secret: bool

    @property
    def required(self) -> bool:
        """Whether somebody has to answer it."""
        return self.default is MISSING

    @property
    def computed(self) -> bool:
        """Whether it is asked of nobody, ever."""
        return self.when is False

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of the choices, empty for a free answer or for choices that follow from other answers."""
        return tuple(option.value for option in options(self.choices))


class Questionnaire:
    """The questions of one template, in its own order, and how its expressions are written."""

    def __init__(self, items: tuple[Question, ...], envops: Mapping[str, Any]) -> None:
        self.items = items
        self.envops = envops
        self.compiled: dict[Any, dict[str, Any]] = {}  # expressions, by how they take what is undefined
        self.constants: dict[str, Any] = {}  # defaults that no answer changes

    def keys(self) -> tuple[str, ...]:
        """Give the keys that a person may answer, whatever the stack."""
        return tuple(question.key for question in self.items if not question.computed)

    def stacks(self) -> tuple[str, ...]:
        """Give the stacks that the template offers."""
        return next((question.values for question in self.items if question.key == "stack"), ())


@dataclass(frozen=True, slots=True)
class Written:
    """One of the choices of a question; copier reads its `validator`, and passes over its `explanation`."""

    label: str
    value: Any
    validator: str = ""
    explanation: str = ""


def options(choices: object) -> tuple[Written, ...]:
    """Give copier's three ways of writing choices as one."""
    if isinstance(choices, dict):
        return tuple(_written(label, value) for label, value in choices.items())
    if isinstance(choices, list):
        return tuple(
            _written(*choice) if isinstance(choice, list) else Written(str(choice), choice) for choice in choices
        )
    return ()


def _written(label: object, value: object) -> Written:
    details: dict[str, Any] = value if isinstance(value, dict) else {"value": value}
    explanation = str(details.get("explanation") or "").strip()
    return Written(str(label), details.get("value"), details.get("validator") or "", explanation)


def load(folder: Path) -> dict[str, Any]:
    """Give the content of the template's copier.yml, its includes followed; raises `SourceError`."""
    return _load(folder, folder / "copier.yml")


def questions_in(config: Mapping[str, Any]) -> tuple[Question, ...]:
    """Give the questions of a copier.yml."""
    secrets = config.get("_secret_questions", ())
    return tuple(_question(key, spec, secret=key in secrets) for key, spec in config.items() if not key.startswith("_"))


def _load(root: Path, path: Path) -> dict[str, Any]:
    try:
        documents = list(yaml.load_all(reading.content(path), Loader=_loader(root)))
    except FileNotFoundError as error:
        raise SourceError(f"{root} is not a stackgen template: {path.name} is missing") from error
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path.name} of the template cannot be read: {str(error).splitlines()[0]}") from error
    merged: dict[str, Any] = {}
    for document in documents:
        for part in document if isinstance(document, list) else [document]:
            if part is not None and not isinstance(part, dict):
                raise SourceError(f"{path.name} of the template does not hold questions")
            merged.update(part or {})
    return merged


def _loader(root: Path) -> type[yaml.SafeLoader]:
    class Loader(LOADER):  # type: ignore[misc, valid-type, unused-ignore]
        """A safe loader that also knows copier's `!include`."""

    def include(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> list[dict[str, Any]]:
        pattern = loader.construct_scalar(node)
        return [_load(root, path) for path in sorted(root.glob(pattern))]

    Loader.add_constructor("!include", include)
    return Loader


def _question(key: str, spec: object, *, secret: bool) -> Question:
    details: dict[str, Any] = spec if isinstance(spec, dict) else {"default": spec}
    default = details.get("default", MISSING)
    return Question(
        key=key,
        type=details.get("type") or _type_of(default),
        help=details.get("help") or key,
        choices=details.get("choices", ()),
        default=default,
        validator=details.get("validator", ""),
        when=details.get("when", True),
        ask=details.get("ask", True),
        placeholder=details.get("placeholder", ""),
        multiselect=bool(details.get("multiselect", False)),
        multiline=details.get("multiline", details.get("type") in {"json", "yaml"}),
        secret=secret or bool(details.get("secret", False)),
    )


def _type_of(default: object) -> str:
    name = type(default).__name__
    return name if name in kinds() else "yaml"
