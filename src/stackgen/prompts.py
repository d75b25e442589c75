"""Questions to a person, asked only on a terminal and only for what was not given."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import questionary
import yaml

from stackgen.article import TITLES
from stackgen.choices import DOMAINS, LABELS, MEANINGS, Choices, Stack
from stackgen.errors import UsageError
from stackgen.expressions import Step
from stackgen.questionnaire import MISSING
from stackgen.questions import Questions
from stackgen.recommend import Recommendation


def ask_choices(given: Mapping[str, object]) -> dict[str, object]:
    """Give the choices, asking for those that are missing; Ctrl-C raises `KeyboardInterrupt`."""
    answers = dict(given)
    for key, domain in DOMAINS.items():
        if key not in answers:
            options = [(LABELS[member.value], member.value) for member in domain]
            answers[key] = _select(MEANINGS[key], options, getattr(Choices(), key).value)
    return answers


def ask_stack(recommendation: Recommendation, offered: tuple[str, ...]) -> Stack | None:
    """Give the stack insisted on instead of the recommended one, None to follow the recommendation."""
    pick = recommendation.stack
    rest = [stack for stack in Stack if stack is not pick]
    options = [
        (f"{stack.value}: {TITLES[stack]}{' (recommended)' if stack is pick else ''}", stack.value)
        for stack in [pick, *rest]
        if stack.value in offered
    ]
    default = pick.value if pick.value in offered else options[0][1]
    chosen = Stack(_select("Which stack shall it be?", options, default))
    return None if chosen is pick else chosen


def ask_answers(questions: Questions, stack: Stack, given: Mapping[str, object]) -> dict[str, object]:
    """Give the answers to the template's questions for the stack, asking for those that are missing."""
    walked = questions.walk({**given, "stack": stack.value}, ask)
    if walked.unused:
        questionary.print(f"Left out, for they do not apply with these answers: {', '.join(walked.unused)}")
    return {key: value for key, value in walked.values.items() if key != "stack"}


def ask(step: Step) -> object:
    """Ask one question of the template."""
    if step.options:
        return _check_boxes(step) if step.question.multiselect else _select_option(step)
    if step.type == "bool":
        return _answer(questionary.confirm(step.help, default=step.default is True))
    hint = f"(for example {step.placeholder}) " if step.placeholder else None
    default = _as_text(step)
    if step.question.secret:
        return _answer(questionary.password(step.help, default=default, validate=_validator(step)))
    if step.type == "path":
        return _answer(questionary.path(step.help, default=default, validate=_validator(step)))
    return _answer(
        questionary.text(
            step.help,
            default=default,
            validate=_validator(step),
            instruction=None if step.multiline else hint,
            multiline=step.multiline,
            validate_while_typing=False,
        )
    )


def _as_text(step: Step) -> str:
    """Give a default as a person would type it."""
    if step.default is MISSING or step.default is None:
        return ""
    if step.type == "json":
        return json.dumps(step.default, indent=2 if step.multiline else None, ensure_ascii=False)
    if step.type == "yaml":
        flow = not step.multiline
        return str(yaml.safe_dump(step.default, default_flow_style=flow, width=1 << 30, allow_unicode=True)).strip()
    return str(step.default)


def _validator(step: Step) -> Callable[[str], bool | str]:
    def validate(text: str) -> bool | str:
        try:
            step.check(text)
        except UsageError as error:
            return error.message
        return True

    return validate


def _select_option(step: Step) -> Any:
    choices = [questionary.Choice(o.label, value=o.value, disabled=o.refused or None) for o in step.options]
    default = next((c for c, o in zip(choices, step.options, strict=True) if _is(o.value, step.default)), None)
    return _answer(questionary.select(step.help, choices=choices, default=default))


def _check_boxes(step: Step) -> Any:
    checked = step.default if isinstance(step.default, list) else []
    choices = [
        questionary.Choice(o.label, value=o.value, disabled=o.refused or None, checked=o.value in checked)
        for o in step.options
    ]

    def validate(chosen: list[Any]) -> bool | str:
        try:
            step.check(chosen)
        except UsageError as error:
            return error.message
        return True

    return _answer(questionary.checkbox(step.help, choices=choices, validate=validate))


def _is(value: object, default: object) -> bool:
    return type(value) is type(default) and value == default


def _select(message: str, options: list[tuple[str, Any]], default: Any) -> Any:
    choices = [questionary.Choice(label, value=value) for label, value in options]
    return _answer(questionary.select(message, choices=choices, default=default, use_shortcuts=False))


def _answer(question: questionary.Question) -> Any:
    return question.unsafe_ask()
