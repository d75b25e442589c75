"""The one walk through a template's questions: each is given, asked or left to its default.

Prompts, `--yes`, the JSON Schema and the reference all walk here, and it follows copier in what it asks
and records. A question sees the answers before it; its own condition also sees an answer of its own that was given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from jinja2 import StrictUndefined

from stackgen.errors import SourceError, UsageError
from stackgen.expressions import Expressions, Step
from stackgen.questionnaire import MISSING, Questionnaire

NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answers:
    """Where a walk ended: every answer that applies, and the given ones that do not."""

    values: Mapping[str, Any]
    unused: tuple[str, ...] = ()


Ask = Callable[[Step], object]


@dataclass(frozen=True, slots=True)
class Guess:
    """An answer that stands for one that is not known yet: nobody said it, so nothing refuses it."""

    value: object


def by_default(step: Step) -> object:
    """Answer a question with its default; raises `UsageError` where it has none."""
    if step.default is MISSING:
        raise UsageError(
            f"{step.key} is required",
            f"give it with --data {step.key}=… or as the key {step.key!r} of an answers file",
        )
    return step.default


def walk(
    questionnaire: Questionnaire,
    given: Mapping[str, object],
    ask: Ask = by_default,
    instead: Mapping[str, object] = NOTHING,
) -> Answers:
    """Go through all questions once; `ask` answers those that apply and were not given.

    `instead` holds defaults that stand in for the template's own, as far as their questions take them.
    """
    expressions = Expressions(questionnaire)
    context: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    unused: list[str] = []
    for question in questionnaire.items:
        if not expressions.applies(question, context, given):
            if question.key in given and not expressions.is_retired(question, context):
                unused.append(question.key)
            default = expressions.default(question, context)
            context |= {} if default is MISSING else {question.key: default}
            continue
        step = _with_default(expressions.step(question, context), instead)
        context[question.key] = answers[question.key] = _answer(
            step, given, ask, expressions.truth(question.ask, context)
        )
    return Answers(answers, tuple(unused))


def _with_default(step: Step, instead: Mapping[str, object]) -> Step:
    if step.key not in instead:
        return step
    try:
        return replace(step, default=step.check(instead[step.key]))
    except UsageError:  # a company's template may ask for something else under this name
        return step


def _answer(step: Step, given: Mapping[str, object], ask: Ask, asked: bool) -> Any:
    if step.key in given:
        return step.check(given[step.key])
    if asked:
        answer = ask(step)
        return answer.value if isinstance(answer, Guess) else step.check(answer)
    return step.check(by_default(step))


def foresee(questionnaire: Questionnaire, given: Mapping[str, object]) -> None:
    """Raise `UsageError` for a given value that no other answer could make right, before anything is asked."""
    expressions = Expressions(questionnaire, StrictUndefined)
    context: dict[str, Any] = {}
    for question in questionnaire.items:
        try:
            if question.computed:
                context[question.key] = expressions.default(question, context)
            elif question.key in given:
                context[question.key] = expressions.step(question, context).check(given[question.key])
        except SourceError:  # it needs an answer that nobody gave yet
            continue
