"""The one door for data from outside: a text of bounded size becomes plain data, or is refused in one line."""

import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from stackgen.errors import UsageError

if TYPE_CHECKING:
    import yaml

LARGEST = 1_000_000
DEEPEST = 50
_STANDARD_INPUT = "standard input"
_BETWEEN = re.compile(r"[\s:,]*")
_LARGE = "is larger than a million bytes, which no answers are"


def read(file: str) -> tuple[str, str]:
    """Give the text of an answers file, `-` for standard input, and what to call it; raises `UsageError`."""
    origin = _STANDARD_INPUT if file == "-" else f"the answers file {file[:200]}"
    try:
        content = _standard_input() if file == "-" else _file(Path(file))
    except (OSError, ValueError) as error:
        raise UsageError(f"{origin} cannot be read: {why(error)}") from error
    if len(content) > LARGEST:
        raise UsageError(f"{origin} {_LARGE}")
    try:
        return content.decode("utf-8-sig"), origin
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{origin} cannot be read: line {line} is not UTF-8") from error


def content(path: Path) -> bytes:
    """Give what a file of at most a million bytes holds; raises `OSError` or `ValueError`, and never waits."""
    found = _file(path)
    if len(found) > LARGEST:
        message = "it is larger than a million bytes"
        raise ValueError(message)
    return found


def why(error: Exception) -> str:
    """Give the reason of what `content` raised, without what a message around it says."""
    return getattr(error, "strerror", None) or str(error)


def _standard_input() -> bytes:
    if sys.stdin is None:
        message = "it is closed"
        raise ValueError(message)
    return sys.stdin.buffer.read(LARGEST + 1)


def _file(path: Path) -> bytes:
    """Read a file or what a program writes into a pipe, never waiting for one that is not there."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            message = "it is a folder" if stat.S_ISDIR(mode) else "it is a device"
            raise ValueError(message)
        if stat.S_ISFIFO(mode):
            os.set_blocking(descriptor, True)
        return file.read(LARGEST + 1)


def mapping(text: str, origin: str) -> tuple[dict[str, object], dict[str, int]]:
    """Give the mapping in a text, JSON or YAML, and the line on which each key stands; raises `UsageError`."""
    found = _json(text, origin)
    return _yaml(text, origin) if found is None else (found, dict(_lines(text)))


def _json(text: str, origin: str) -> dict[str, object] | None:
    """Give the mapping in a JSON text, None where it is no such text."""
    try:
        data = json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, text, origin))
    except (ValueError, RecursionError):
        return None
    if depth(data) > DEEPEST:
        raise UsageError(f"{origin} is nested more than {DEEPEST} deep")
    return data if isinstance(data, dict) else None


def _unique(pairs: list[tuple[str, object]], text: str, origin: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            lines = [line for known, line in _lines(text) if known == key]
            place = f"{origin}, line {lines[1]}" if lines[1:] else origin
            raise UsageError(f"{place}: the key {key[:80]!r} is there twice")
        found[key] = value
    return found


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Give each key of an object's JSON text, and the line on which it stands."""
    read = json.JSONDecoder().raw_decode
    at = text.index("{") + 1
    line = text.count("\n", 0, at) + 1
    while (start := _next(text, at)) < len(text) and text[start] != "}":
        line += text.count("\n", at, start)
        key, end = read(text, start)
        yield key, line
        at = read(text, _next(text, end))[1]
        line += text.count("\n", start, at)


def _next(text: str, at: int) -> int:
    """Give where the next key or value begins."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def depth(data: object) -> int:
    """Give how deep lists and mappings stand within each other."""
    level, deep = [data], 0
    while level := [inner for each in level if isinstance(each, dict | list) for inner in (_values(each) or [None])]:
        deep += 1
    return deep


def _values(data: dict[str, object] | list[object]) -> list[object]:
    return list(data.values()) if isinstance(data, dict) else data


def _yaml(text: str, origin: str) -> tuple[dict[str, object], dict[str, int]]:
    import yaml  # a tenth of the start-up time, needed for answers files alone

    try:
        _require_plain(text, origin)
        loader = _loader()(text)
        node = loader.get_single_node()
        if node is None:
            raise UsageError(f"{origin} is empty", "it must hold keys and values, such as 'product: web'")
        _refuse_twice(node, origin)
        data = loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        _refuse(error, origin)
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise UsageError(f"{origin} must hold keys and values, such as 'product: web'")
    return data, {str(key.value): key.start_mark.line + 1 for key, _ in node.value}


def _loader() -> type["yaml.SafeLoader"]:
    """Give a loader to which `no` and `on` are words and a date is text, as their writers mean them."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    words = re.compile(r"true|True|TRUE|false|False|FALSE")
    boolean, timestamp = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"
    Loader.yaml_implicit_resolvers = {
        first: [(tag, words if tag == boolean else pattern) for tag, pattern in resolvers if tag != timestamp]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


def _require_plain(text: str, origin: str) -> None:
    """Refuse, before anything is built, what would grow without bound: aliases and nesting."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            raise UsageError(f"{origin}, {_place(event)}: aliases are not taken, write the value again")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UsageError(f"{origin}, {_place(event)}: nested more than {DEEPEST} deep")


def _place(event: "yaml.Event") -> str:
    return f"line {event.start_mark.line + 1 if event.start_mark else 1}"


def _refuse_twice(root: "yaml.Node", origin: str) -> None:
    """Refuse a key that stands twice in one mapping, of which a loader would take the last."""
    import yaml

    waiting = [root]
    while waiting:
        node = waiting.pop()
        seen: set[str] = set()
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            name = str(key.value)[:80]
            if name in seen:
                raise UsageError(f"{origin}, line {key.start_mark.line + 1}: the key {name!r} is there twice")
            seen.add(name)
            waiting.append(value)
        waiting += node.value if isinstance(node, yaml.SequenceNode) else ()


def _refuse(error: Exception, origin: str) -> NoReturn:
    mark = getattr(error, "problem_mark", None)
    place = f", line {mark.line + 1}" if mark else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    problem = "a number of more digits than any has" if "integer string conversion" in problem else problem
    raise UsageError(f"{origin}{place} is neither YAML nor JSON: {problem[:120]}") from error
