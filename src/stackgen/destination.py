"""The folder that a project goes to: a new one, an empty one, or a fresh clone that keeps what it has."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stackgen.errors import DestinationError

_OF_A_CLONE = re.compile(r"\.git(ignore|attributes)?|(README|LICEN[CS]E|COPYING|NOTICE)([.-].*)?", re.IGNORECASE)
_HINT = "choose another name or another --output-dir"


def name_here(folder: Path) -> str:
    """Give the name that a project in `folder` itself has: the folder's.

    Raises `DestinationError` where the folder is gone.
    """
    try:
        return folder.resolve().name
    except OSError as error:
        message = f"the folder that you are in cannot be read: {error.strerror}"
        raise DestinationError(message, "change to a folder that exists") from error


def check(destination: Path) -> None:
    """Refuse a place where nothing new can be written."""
    parent = destination.parent
    if destination.is_symlink():
        raise DestinationError(f"{destination} is a symbolic link", "name the folder that it points to")
    if destination.exists() and not destination.is_dir():
        raise DestinationError(f"{destination} is a file", _HINT)
    if destination.is_dir():
        _check_content(destination)
    elif not parent.is_dir():
        raise DestinationError(f"{parent} is not a folder", "create it first, or choose another --output-dir")
    target = destination if destination.is_dir() else parent
    if not os.access(target, os.W_OK | os.X_OK):
        raise DestinationError(f"{target} cannot be written to", "choose another --output-dir")


def _check_content(destination: Path) -> None:
    try:
        other = sorted(path.name for path in destination.iterdir() if not _OF_A_CLONE.fullmatch(path.name))
    except OSError as error:
        raise DestinationError(f"{destination} cannot be read: {error.strerror}", _HINT) from error
    if other:
        shown = ", ".join(other[:3]) + (", …" if other[3:] else "")
        raise DestinationError(f"{destination} is not empty: it holds {shown}", _HINT)


def adopt(made: Path, destination: Path) -> tuple[str, ...]:
    """Take what a fresh clone holds into the project made for it, and name the files that are kept as they were.

    Its .gitignore gets the lines that the project needs beside its own.
    """
    kept = []
    for path in sorted(destination.iterdir()) if destination.is_dir() else ():
        new = made / path.name
        if path.name == ".git" or path.is_dir():
            continue
        if path.name == ".gitignore" and new.is_file():
            path_lines, new_lines = (file.read_bytes().splitlines() for file in (path, new))
            lines = [*path_lines, *(line for line in new_lines if line not in path_lines)]
            new.write_bytes(b"\n".join(lines) + b"\n")
            continue
        kept.append(path.name)
        shutil.copy2(path, new, follow_symlinks=False)
    return tuple(kept)


def place(made: Path, destination: Path) -> None:
    """Put the project where it goes, whole or not at all; a folder that is there already stays the same folder.

    Raises `DestinationError` where it cannot be written.
    """
    try:
        if destination.is_dir():
            _fill(made, destination)
        else:
            made.rename(destination)
    except OSError as error:
        raise DestinationError(f"{destination} cannot be written: {error.strerror}", _HINT) from error


def _fill(made: Path, destination: Path) -> None:
    """Move what was made into a folder, which somebody may stand in, and take all of it back if that fails."""
    before = {path.name: path for path in _aside(made, destination)}
    moved: list[Path] = []
    try:
        for path in sorted(made.iterdir()):
            target = destination / path.name
            path.replace(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            _remove(target)
        for name, path in before.items():
            path.replace(destination / name)
        raise


def _aside(made: Path, destination: Path) -> Iterator[Path]:
    """Move the files that are about to be replaced out of the way, so that they can come back."""
    shelf = made.with_name(f"{made.name}.before")
    shelf.mkdir()
    for path in sorted(destination.iterdir()):
        if path.name != ".git" and (made / path.name).exists():
            yield path.replace(shelf / path.name)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
