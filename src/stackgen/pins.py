"""Versions that a bot has moved in a project while the template moved them, too: they are no conflict. Pure.

A pin is a version, tag, digest or commit in a line that is otherwise the same in all three files. Such a line is given
the newer pin in all three, so that nothing has changed there, and what the user adds beside it meets nothing.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO

_FILE = re.compile(
    r"(^|/)(package\.json|go\.mod|pyproject\.toml|(requirements|constraints)[^/]*\.txt|[^/]*Dockerfile[^/]*"
    r"|\.(nvmrc|node-version|python-version|go-version|tool-versions)|mise\.toml|devcontainer\.json|Makefile"
    r"|[^/]*\.ya?ml)$"
)
# In these every line is a pin if it holds a version; elsewhere a number may as well be a limit or a port.
_LISTS = re.compile(r"(^|/)(package\.json|go\.mod|(requirements|constraints)[^/]*\.txt|\.[a-z-]+-?versions?|\.nvmrc)$")
_LINE = re.compile(rb"\b(FROM|uses|image|rev|ARG|COPY --from)\b|[Vv]ersion|VERSION|[=~>]=|@sha256:|@v?\d|requires")
_PIN = re.compile(
    rb"(?P<digest>sha256:[0-9a-f]{64})|(?P<commit>(?<![0-9a-zA-Z])[0-9a-f]{40}(?![0-9a-zA-Z]))"
    rb"|(?P<version>(?<![\w.])v?\d+(?:\.\d+)+(?:[-.]?(?:rc|alpha|beta|dev|pre|a|b)[-.]?\d+)*"
    rb"(?:-(?:0\.)?\d{14}-[0-9a-f]{12})?(?:\+incompatible)?(?![\w]))|(?P<tag>(?<=[a-z]:)\d+(?=[-@\s\"']|$))"
)
_BEFORE = re.compile(r"rc|alpha|beta|dev|pre|^a$|^b$")

Key = tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line with pins: where it stands, and the pins in it."""

    number: int
    pins: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """All three with the newer pins, and the user's lines that make way for newer ones."""

    base: bytes
    ours: bytes
    theirs: bytes
    given_up: tuple[bytes, ...]


def level(path: str, base: bytes, ours: bytes, theirs: bytes) -> Level:
    """Let pins be no reason for a conflict."""
    if not _FILE.search(path) or b"\0" in ours:
        return Level(base, ours, theirs, ())
    old, own, new = (BytesIO(text).readlines() for text in (base, ours, theirs))
    every = bool(_LISTS.search(path))
    first, mine, last = (_masks(lines, every=every) for lines in (old, own, new))
    for mask in first.keys() & mine.keys() & last.keys():
        for was, now, becomes in _pairs(first[mask], mine[mask], last[mask]):
            if now.pins != was.pins and not _is_newer(now.pins, was.pins):
                continue
            mine_stands = becomes.pins == was.pins or (now.pins != was.pins and _is_newer(now.pins, becomes.pins))
            line = own[now.number] if mine_stands else new[becomes.number]
            sides = ((old, was.number), (own, now.number), (new, becomes.number))
            # Where the template has changed one of these otherwise, base must go on showing that the user has, too.
            hides = mine_stands and len(last[mask]) < len(first[mask])
            for lines, number in sides[1:] if hides else sides:
                lines[number] = line.rstrip(b"\r\n") + _end(lines[number])
    leveled = Level(b"".join(old), b"".join(own), b"".join(new), ())
    return replace(leveled, given_up=tuple(_given_up(base, ours, leveled.ours)))


def _given_up(base: bytes, ours: bytes, leveled: bytes) -> Iterator[bytes]:
    """Give the user's lines that have another pin now, a copy that he has made of one of the template's among them."""
    before, after = (Counter(_bare(text)) for text in (ours, leveled))
    gone = (before - Counter(_bare(base))) & (before - after)
    for line in _bare(ours):
        if gone[line]:
            gone[line] -= 1
            yield line


def _bare(text: bytes) -> list[bytes]:
    return [line.rstrip(b"\r\n") for line in BytesIO(text).readlines()]


def _end(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def _masks(lines: list[bytes], *, every: bool) -> Mapping[bytes, list[Line]]:
    """Give the lines with pins by what they say beside them."""
    found: dict[bytes, list[Line]] = {}
    for number, line in enumerate(lines):
        pins = tuple(match[0] for match in _PIN.finditer(line)) if every or _LINE.search(line) else ()
        if pins:
            found.setdefault(_PIN.sub(b"\0", line).rstrip(b"\r\n"), []).append(Line(number, pins))
    return found


def _pairs(old: list[Line], own: list[Line], new: list[Line]) -> Iterator[tuple[Line, Line, Line]]:
    """Give which lines belong together; where their numbers differ, only if all of a file say the same."""
    if len(old) == len(own) == len(new):
        yield from zip(old, own, new, strict=True)
    elif all(len({line.pins for line in lines}) == 1 for lines in (old, own, new)):
        longest = max(len(old), len(own), len(new))
        yield from ((old[i % len(old)], own[i % len(own)], new[i % len(new)]) for i in range(longest))


def _is_newer(pins: tuple[bytes, ...], others: tuple[bytes, ...]) -> bool:
    """Compare the first version that differs; where only digests do, the user's counts as newer."""
    for pin, other in zip(pins, others, strict=True):
        if pin != other and not _is_digest(pin):
            return _key(pin) > _key(other)
    return pins != others


def _is_digest(pin: bytes) -> bool:
    found = _PIN.fullmatch(pin)
    return bool(found and (found["digest"] or found["commit"]))


def _key(pin: bytes) -> Key:
    """Give what versions are ordered by: numbers as numbers, and a release after what comes before it."""
    parts = re.findall(r"\d+|[a-z]+", pin.decode().removeprefix("v").removesuffix("+incompatible"))
    end = (1, 0, "")
    return (*((2, int(p), "") if p.isdecimal() else (0 if _BEFORE.search(p) else 1, 0, p) for p in parts), end)
