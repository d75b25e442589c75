"""The types that an answer may have, as copier has them: text and data become values here or are refused."""

import json
import math
from collections.abc import Callable, Mapping

import yaml

from stackgen.reading import DEEPEST, depth

LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where built
_SHOWN = 60
_BOOLEANS = dict.fromkeys(("true", "yes", "y", "t", "on", "1"), True)
_BOOLEANS |= dict.fromkeys(("false", "no", "n", "f", "off", "0"), False)
_NOTHING = {"", "~", "null", "none"}


class RefusedError(ValueError):
    """A value that its type refuses; the message is what follows the value in a sentence."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def cast(kind: str, value: object) -> object:
    """Give a value that somebody said as one of the type; raises `RefusedError`."""
    return _CASTS[kind](value)


def cast_own(kind: str, value: object) -> object:
    """Give a value of the template's own (a default, a choice) as one of the type, as generously as copier does."""
    if kind in {"str", "path"} and isinstance(value, int | float):
        return str(value)
    return truth(value) if kind == "bool" else cast(kind, value)


def truth(value: object) -> bool:
    """Give what the template means by a condition's text, as copier reads it."""
    text = str(value).strip().lower()
    if text in _BOOLEANS or text in _NOTHING:
        return _BOOLEANS.get(text, False)
    try:
        return bool(float(text))
    except ValueError:
        return True


def kinds() -> tuple[str, ...]:
    """Give the names of all types."""
    return tuple(_CASTS)


def load(text: str) -> object:
    """Give the data in a YAML text; raises `RefusedError`."""
    try:
        _require_shallow(text)
        return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe one
    except RefusedError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RefusedError("is not YAML") from error


def _require_shallow(text: str) -> None:
    """Refuse a text so nested that reading it would exhaust the stack, or whose aliases would grow without bound."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or isinstance(event, yaml.AliasEvent):
            raise RefusedError("is nested too deep" if depth > DEEPEST else "holds an alias")


def cast_list(kind: str, value: object, own: Callable[[str, object], object] = cast) -> list[object]:
    """Give several values of the type, from a list or from a text such as `[a, b]`.

    Raises `RefusedError` for anything else.
    """
    items = _items(value) if isinstance(value, str) else value
    if not isinstance(items, list):
        raise RefusedError("is not a list", "give a list, as in [a, b]")
    return [own(kind, item) for item in items]


def _items(text: str) -> object:
    """Split a list's text without reading its items: 3.10 is no number yet."""
    try:
        _require_shallow(text)
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text
    except RefusedError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RefusedError("is not a list", "give a list, as in [a, b]") from error


def shown(value: object) -> str:
    """Give a value as a message shows it: never longer than a line."""
    text = repr(value[: 2 * _SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise RefusedError("is not text", "quote it in the answers file")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    answer = _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if answer is None:
        raise RefusedError("is neither yes nor no")
    return answer


def _integer(value: object) -> int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return int(value)
        except ValueError:
            pass
    elif isinstance(value, float) and value.is_integer():
        return int(value)
    raise RefusedError("is not a whole number")


def _number(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise RefusedError("is not a number")


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        data = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RefusedError("is not JSON") from error
    if depth(data) > DEEPEST:
        raise RefusedError("is nested too deep")
    return data


def _yaml(value: object) -> object:
    return load(value) if isinstance(value, str) else value


_CASTS: Mapping[str, Callable[[object], object]] = {
    "str": _text,
    "int": _integer,
    "float": _number,
    "bool": _boolean,
    "json": _json,
    "yaml": _yaml,
    "path": _text,
}
