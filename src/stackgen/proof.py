"""Proof that an update has lost nothing: what the user had is compared with what is there afterwards.

It knows nothing of how the merge was made: files are read from the disk before and after, and what the template had is
read from the old release as it was rendered. What git keeps otherwise than it writes it out (`$Id$`, UTF-16, whatever
has a filter) is looked at as git keeps it, if it is not found as it stands on the disk.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Git looks so far for what makes a file no text.
_LOOKED_AT = 8000


@dataclass(frozen=True, slots=True)
class Loss:
    """A line that the user had, and that is neither in its file nor in the report."""

    file: str
    line: int
    text: str


Kept = Callable[[str, bytes], bytes]
"""What git keeps of a file's content on the disk."""


class Proof:
    """Remembers what files hold before an update, and tells afterwards what is missing.

    `template` is the old release as it was rendered.
    """

    def __init__(self, project: Path, template: Path, names: Iterable[str], kept: Kept = lambda _, had: had) -> None:
        self._project, self._template, self._kept = project, template, kept
        self._before = {name: content for name in names if (content := read(project / name)) is not None}

    def losses(self, after: Path, changed: Iterable[str], named: Mapping[str, Iterable[bytes]]) -> Iterator[Loss]:
        """Give what is missing in `after`, the project or what is going to be written into it.

        `changed` are all files that the update touches; `named` are lines that the report names as given up.
        """
        created = {name: read(after / name) or b"" for name in changed if name not in self._before}
        for name, had in self._before.items():
            has = read(after / name)
            places = created if has is None else {name: has}
            found = list(self._missing(name, had, places.values(), named))
            if found:
                kept = [self._kept(place, content) for place, content in places.items()]
                found = list(self._missing(name, self._kept(name, had), kept, named))
            yield from found

    def _missing(
        self, name: str, had: bytes, places: Iterable[bytes], named: Mapping[str, Iterable[bytes]]
    ) -> Iterator[Loss]:
        own = _lines(had, had) - self._templates(name, had) - Counter(named.get(name, ()))
        return _missing(name, had, own, places)

    def _templates(self, name: str, had: bytes) -> Counter[bytes]:
        """Give the lines of the template's file; of all its files, often enough, for one that the user has renamed."""
        content = read(self._template / name)
        if content is not None:
            return _lines(content, had)
        return Counter({line: count for line, count in _lines(had, had).items() if line in self._everywhere})

    @cached_property
    def _everywhere(self) -> frozenset[bytes]:
        contents = (read(path) or b"" for path in self._template.rglob("*"))
        return frozenset(line for content in contents for line in _lines(content, content))


def _missing(name: str, had: bytes, own: Counter[bytes], places: Iterable[bytes]) -> Iterator[Loss]:
    """Give the lines of one's own that no place holds together, judged by the place that holds most."""
    missing = min((own - _lines(place, had) for place in places), key=Counter.total, default=own)
    for number, text in enumerate(_split(had, had), 1):
        if text in missing:
            yield Loss(name, number, text.decode(errors="backslashreplace"))


def read(path: Path) -> bytes | None:
    """Give what a file or a link holds, nothing where there is neither."""
    try:
        return os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    except NotADirectoryError:
        return None


def _lines(content: bytes, like: bytes) -> Counter[bytes]:
    """Count the lines that say something, however they end; all is one line where `like` is no text to git."""
    return Counter(line for line in _split(content, like) if line.strip())


def _split(content: bytes, like: bytes) -> list[bytes]:
    return [content] if b"\0" in like[:_LOOKED_AT] else [line.rstrip(b"\r") for line in content.split(b"\n")]
