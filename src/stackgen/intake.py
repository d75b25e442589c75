"""What was given for a recommendation, from every place it may come from."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from stackgen import choices
from stackgen.choices import Choices
from stackgen.errors import UsageError
from stackgen.recommend import Recommendation, recommend


def gather(answers: str | None, data: Iterable[str] | None, **flags: str | None) -> dict[str, object]:
    """Give all that was given: the answers file, then --data, then flags, the later the stronger."""
    given: dict[str, object] = _read(answers) if answers else {}
    given |= dict(choices.pair(text) for text in data or ())
    return given | {key: value for key, value in flags.items() if value is not None}


def _read(file: str) -> dict[str, object]:
    if file == "-":
        return choices.load(sys.stdin.read(), "standard input")
    try:
        return choices.load(Path(file).read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the answers file {file} cannot be read: {_reason(error)}") from error


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"


def advise(given: Mapping[str, object], *, ask: bool) -> Recommendation:
    """Recommend a stack for what was given, asking for missing choices where there is somebody to ask."""
    deciding, override, _ = choices.split(given)
    return recommend(complete(deciding, ask=ask), override)


def complete(given: Mapping[str, object], *, ask: bool) -> Choices:
    """Give the choices, asking for the missing ones where there is somebody to ask."""
    parsed = choices.parse(given)
    if not ask:
        return parsed
    from stackgen import prompts  # questionary is slow to import

    return choices.parse(prompts.ask_choices(given))
