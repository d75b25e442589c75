"""A project that was generated earlier, as its answers file describes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from packaging.version import Version

from stackgen import reading
from stackgen.errors import DestinationError, SourceError
from stackgen.source import UPGRADE, is_release
from stackgen.values import LOADER

ANSWERS_FILE = ".copier-answers.yml"
_MOST_ALIASES = 100


@dataclass(frozen=True, slots=True)
class Project:
    """A generated project: where it is, what it was made from, and with which answers.

    `version` is the release (v1.2.3), or for a checkout what git calls its commit; `answers` holds
    every recorded answer, with `decision` beside them.
    """

    path: Path
    stack: str
    version: str
    source: str
    answers: Mapping[str, object]


def read(path: Path) -> Project:
    """Read the project in the folder `path`.

    Raises `DestinationError` where there is none that stackgen made.
    """
    recorded = _load(path)
    answers = {key: value for key, value in recorded.items() if not key.startswith("_")}
    stack, version, source = answers.get("stack"), recorded.get("_commit"), recorded.get("_src_path")
    if not isinstance(stack, str) or not isinstance(source, str):
        message = f"{path} was made from another template: {ANSWERS_FILE} records no stack"
        raise DestinationError(message, "use `copier update` there")
    if not isinstance(version, str):
        message = f"{path} cannot be updated: {ANSWERS_FILE} does not say from which version it was made"
        raise DestinationError(message, "generate it from a git repository or from stackgen's own templates")
    return Project(path, stack, version, source, answers)


def require_known(project: Project, releases: tuple[str, ...]) -> None:
    """Refuse a project whose release is newer than every release at hand."""
    newest = releases[-1] if releases else None
    if newest and is_release(project.version) and Version(project.version) > Version(newest):
        message = f"{project.path} was made from release {project.version}, but {newest} is the newest one here"
        raise SourceError(message, UPGRADE)


def _load(path: Path) -> dict[str, object]:
    try:
        recorded = _data(reading.content(path / ANSWERS_FILE))
    except (FileNotFoundError, NotADirectoryError):
        message = f"{path} is not a generated project: it has no {ANSWERS_FILE}"
        raise DestinationError(message, "run this in a project made by stackgen, or name its folder") from None
    except OSError as error:
        message = f"{path / ANSWERS_FILE} cannot be read: {error.strerror}"
        raise DestinationError(message, "check its permissions") from error
    except yaml.YAMLError as error:
        raise _broken(path, getattr(error, "problem", None) or "it is not YAML") from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, str(error)) from error
    if not isinstance(recorded, dict) or not all(isinstance(key, str) for key in recorded):
        raise _broken(path, "it is not a mapping of names to answers")
    return recorded


def _data(content: bytes) -> object:
    """Give the data in a YAML text; no part of it is taken that a few lines make larger than any memory."""
    anchored, within = 0, [False]
    for event in yaml.parse(content, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            anchored += 1
            if any(within) or anchored > _MOST_ALIASES:
                message = "it is made of too many aliases"
                raise ValueError(message)
        elif isinstance(event, yaml.CollectionStartEvent):
            within.append(event.anchor is not None)
        elif isinstance(event, yaml.CollectionEndEvent):
            within.pop()
    return yaml.load(content, Loader=LOADER)  # noqa: S506 - a safe one


def _broken(path: Path, problem: str) -> DestinationError:
    message = f"{path / ANSWERS_FILE} is broken: {problem}"
    return DestinationError(message, f"restore it with `git checkout {ANSWERS_FILE}`")
