"""What a release says to those who update to it: what changes at run time, what to do by hand, what has a new name.

Each stack has a folder `releases` in the template, with files such as 0.7.0.yml, or 0.7.0.operations.yml for one that
several stacks share. Releases never change, so the newest one's folder tells of all before it.
"""

import fnmatch
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from packaging.version import Version

from stackgen import reading, source
from stackgen.errors import SourceError, UsageError

FOLDER = "releases"
KINDS = ("by hand", "changes", "renamed")
_NAME = re.compile(r"(\d+\.\d+\.\d+(?:\+[a-z0-9.]+)?)(?:\.[a-z-]+)?\.yml")


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know before a release is deployed; `files` are patterns of what it is about, none for all of it."""

    version: str
    kind: str
    text: str
    files: tuple[str, ...] = ()

    def is_about(self, path: str) -> bool:
        """Tell whether it is about a file in particular; a pattern with a slash at its end is a folder."""
        return any(
            path.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatchcase(path, pattern)
            for pattern in self.files
        )


@dataclass(frozen=True, slots=True)
class _Point:
    """A sentence for the projects that have one of these files, and one of the values for each of these answers."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "str_strip_whitespace": True, "str_min_length": 1}

    text: str
    files: tuple[str, ...] = ()
    when: Mapping[str, tuple[str | bool, ...] | str | bool] = field(default_factory=dict)

    def wanted(self) -> Mapping[str, frozenset[str | bool]]:
        return {key: frozenset(value if isinstance(value, tuple) else (value,)) for key, value in self.when.items()}

    def holds(self, answers: Mapping[str, object]) -> bool:
        return all(answers.get(key) in values for key, values in self.wanted().items())


@dataclass(frozen=True, slots=True)
class _Renaming:
    """A file, or a folder with a slash at its end, and its new name."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "str_min_length": 1}

    was: str
    now: str


@dataclass(frozen=True, slots=True)
class _Release:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    changes: tuple[_Point, ...] = ()
    by_hand: tuple[_Point, ...] = ()
    renamed: tuple[_Renaming, ...] = ()

    def notes(self, version: str, answers: Mapping[str, object]) -> Iterator[Note]:
        for kind, points in (("by hand", self.by_hand), ("changes", self.changes)):
            yield from (Note(version, kind, point.text, point.files) for point in points if point.holds(answers))
        yield from (Note(version, "renamed", f"{each.was} is now {each.now}", (each.was,)) for each in self.renamed)


def between(
    where: str, versions: tuple[str, str], stack: str, answers: Mapping[str, object], files: Collection[str]
) -> tuple[Note, ...]:
    """Give what touches a project with these answers and files on its way from one version to another."""
    before, after = versions
    if before == after or not source.is_release(before):
        return ()
    root = source.part(where, after, f"templates/{stack}/{FOLDER}", rf"templates/[^/]+/{FOLDER}(/.*)?")
    last = Version(after) if source.is_release(after) else None
    found = sorted((version, path) for version, path in _files(root) if version > Version(before))
    notes = (
        note
        for version, path in found
        if not last or version <= last
        for note in _read(path).notes(str(version), answers)
        if not note.files or any(map(note.is_about, files))
    )
    return tuple(sorted(notes, key=lambda note: (Version(note.version), KINDS.index(note.kind))))


def check(folder: Path) -> None:
    """Refuse a folder of notes that could not be shown; raises `SourceError`."""
    for _, path in _files(folder):
        _read(path)


def conditions(path: Path) -> Iterator[tuple[str, frozenset[str | bool]]]:
    """Give the answers that a file of notes tells apart."""
    release = _read(path)
    for point in (*release.changes, *release.by_hand):
        yield from point.wanted().items()


def subjects(path: Path) -> Iterator[tuple[str, ...]]:
    """Give the patterns of what each note of a file is about, where it is about some files alone."""
    release = _read(path)
    yield from (point.files for point in (*release.changes, *release.by_hand) if point.files)
    yield from ((each.was,) for each in release.renamed)


def _files(root: Path) -> Iterator[tuple[Version, Path]]:
    for path in root.glob("*"):
        named = _NAME.fullmatch(path.name)
        if not named:
            raise SourceError(f"the template's {FOLDER}/{path.name} is not named after a release", "as in 1.2.3.yml")
        yield Version(named[1]), path


def _read(path: Path) -> _Release:
    from pydantic import TypeAdapter, ValidationError  # two thirds of the start-up time

    origin = f"the template's {FOLDER}/{path.name}"
    try:
        data, _ = reading.mapping(reading.content(path).decode(), origin)
        return TypeAdapter(_Release).validate_python(data)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{origin} cannot be read: {reading.why(error)}", "a link may lead to another such folder"
        ) from error
    except UsageError as error:
        raise SourceError(error.message, error.hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise SourceError(f"{origin} cannot be used: {place}: {first['msg']}", "see its template's owner") from error
