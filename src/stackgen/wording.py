"""How a question and its answer stand on a terminal, whatever its width; pure."""

import json

import yaml

from stackgen.expressions import Step
from stackgen.layout import Style, behind
from stackgen.questionnaire import MISSING

_ROOM = 20  # for questionary's "(Use arrow keys)", or for the beginning of an answer


def message(place: str, text: str, style: Style) -> str:
    """Give a question as it fits behind its number, with room for what stands behind it."""
    start = f"{place} "
    message = behind(start, text, style)
    used = len(message.rpartition("\n")[2]) + (0 if "\n" in message else len(start))
    return message if used + _ROOM <= style.width else f"{message}\n{' ' * len(place)}"


def example(place: str, message: str, placeholder: str, style: Style) -> tuple[str, str]:
    """Give a question, and an example of its answer: below it where it is too long to stand behind it."""
    hint, start = f"(for example {placeholder})", " " * len(place)
    *above, last = f"{place} {message}".split("\n")
    if len(f"{last}  {hint} ") < style.width:  # with questionary's own spaces
        return message, hint
    below = message if above and not last.strip() else f"{message}\n{start}"
    return below, f"{behind(f'{start}  ', hint, style)}\n{start} "


def told(place: str, text: str, answer: str, style: Style) -> str:
    """Give a question and its answer, beside each other where there is room, and no word broken."""
    start = f"{place} "
    line = f"{start}{text} {answer}"
    if len(line) < style.width and "\n" not in line:
        return f"{start}{style.bold(text)} {style.accent(answer)}"
    below = f"\n{' ' * len(start)}{style.accent(behind(start, answer, style))}" if answer else ""
    return f"{start}{style.bold(behind(start, text, style))}{below}"


def as_said(step: Step, answer: object) -> str:
    """Give an answer as it is told once it was given."""
    if step.question.secret:
        return "(not shown)"
    if step.options:
        chosen = answer if isinstance(answer, list) else [answer]
        return ", ".join(o.label for o in step.options if any(is_same(o.value, each) for each in chosen))
    return ("yes" if answer else "no") if step.type == "bool" else str(answer)


def as_text(step: Step) -> str:
    """Give a default as a person would type it."""
    if step.default is MISSING or step.default is None:
        return ""
    if isinstance(step.default, str):
        return step.default
    if step.type == "json":
        return json.dumps(step.default, indent=2 if step.multiline else None, ensure_ascii=False)
    if step.type == "yaml":
        flow = not step.multiline
        return str(yaml.safe_dump(step.default, default_flow_style=flow, width=1 << 30, allow_unicode=True)).strip()
    return str(step.default)


def is_same(value: object, other: object) -> bool:
    """Tell whether two values are one: 1 and true are not."""
    return type(value) is type(other) and value == other
