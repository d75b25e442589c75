"""Migrations of the database that a project and its template have both numbered since they parted. Pure.

Their files have different names, so that no merge sees them meet; the program that runs them does.
"""

import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

# Django refuses an app with two last migrations, whatever their numbers.
_DJANGO = re.compile(r"(?P<folder>.+/migrations)/(?P<number>\d{4})_\w+\.py")
# Where a number says which migrations have run, two with one number are one to the program.
_NUMBERED = re.compile(r"(?P<folder>.+/migrations)/(?P<number>\d+)_\w+\.sql")


@dataclass(frozen=True, slots=True)
class Met:
    """Migrations of both in one folder that cannot stay as they are, and what to do."""

    folder: str
    yours: tuple[str, ...]
    its: tuple[str, ...]
    to_do: str


def find(base: Collection[str], ours: Collection[str], theirs: Collection[str]) -> tuple[Met, ...]:
    """Give what meets of three lists of paths: what the template was, what the user has, what it has become."""
    yours = sorted(path for path in ours if path not in base)
    its = sorted(path for path in theirs if path not in base and path not in ours)
    return (*_django(yours, its), *_numbered(yours, its, ours))


def _django(yours: list[str], its: list[str]) -> Iterator[Met]:
    for folder in sorted(_folders(_DJANGO, yours) & _folders(_DJANGO, its)):
        mine, theirs = (tuple(path for path in paths if _is_in(_DJANGO, path, folder)) for paths in (yours, its))
        yield Met(
            folder, mine, theirs, "run `uv run python manage.py makemigrations --merge`, and commit what it writes"
        )


def _numbered(yours: list[str], its: list[str], ours: Collection[str]) -> Iterator[Met]:
    """Give each of the template's that has a number of yours: it has run nowhere yet, so it can have another."""
    for path in its:
        found = _NUMBERED.fullmatch(path)
        if not found:
            continue
        same = tuple(
            name
            for name in yours
            if (own := _NUMBERED.fullmatch(name))
            and own["folder"] == found["folder"]
            and int(own["number"]) == int(found["number"])
        )
        if same:
            new = _renumbered(path, [*ours, *its])
            yield Met(found["folder"], same, (path,), f"give the template's another number: `git mv {path} {new}`")


def _renumbered(path: str, taken: Collection[str]) -> str:
    folder, name = posixpath.split(path)
    number, _, rest = name.partition("_")
    numbers = [
        int(found["number"]) for other in taken if (found := _NUMBERED.fullmatch(other)) and found["folder"] == folder
    ]
    return f"{folder}/{max(numbers) + 1:0{len(number)}}_{rest}"


def _folders(pattern: re.Pattern[str], paths: list[str]) -> set[str]:
    return {found["folder"] for path in paths if (found := pattern.fullmatch(path))}


def _is_in(pattern: re.Pattern[str], path: str, folder: str) -> bool:
    found = pattern.fullmatch(path)
    return bool(found and found["folder"] == folder)
