"""When a question applies, found by trying every combination of the answers that its condition looks at."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackgen.expressions import Expressions, Step, UnsettledError
from stackgen.questionnaire import MISSING, Question, Questionnaire

MOST_COMBINATIONS = 512


class Absent:
    """Stands in a combination for an answer that nobody gives, so that its default counts."""


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Case:
    """One combination of answers, and the question as it stands then; None where it does not apply."""

    given: Mapping[str, Any]
    step: Step | None
    retired: bool


@dataclass(frozen=True, slots=True)
class Cases:
    """All combinations of the answers that decide about one question of a stack.

    `complete` is False where they are too many to try, or where a free answer decides.
    """

    question: Question
    keys: tuple[str, ...]
    rows: tuple[Case, ...]
    complete: bool

    @property
    def asked(self) -> bool:
        """Whether somebody may be asked."""
        return not self.complete or any(case.step for case in self.rows)

    @property
    def retired(self) -> bool:
        """Whether nobody is asked any more, though an answer is accepted."""
        return not self.asked and any(case.retired for case in self.rows)


def cases(questionnaire: Questionnaire, question: Question, stack: str) -> Cases:
    """Try every combination of what the question's condition and choices look at."""
    expressions = Expressions(questionnaire)
    needed = _closure(questionnaire, expressions, question)
    items = [item for item in questionnaire.items if item.key in needed]
    free = [item for item in items if not item.computed and item.key != "stack"]
    domains = [(*_domain(questionnaire, expressions, item), ABSENT) for item in free]
    complete = all(len(domain) > 1 for domain in domains) and _size(domains) <= MOST_COMBINATIONS
    combinations = itertools.product(*domains) if complete else [(ABSENT,) * len(free)]
    rows = []
    for values in combinations:
        given = dict(zip((item.key for item in free), values, strict=True))
        try:
            rows.append(_case(expressions, items, question, given, stack))
        except UnsettledError:
            complete = False
    return Cases(question, tuple(item.key for item in free), tuple(rows), complete)


def _case(
    expressions: Expressions, items: Iterable[Question], question: Question, given: Mapping[str, Any], stack: str
) -> Case:
    said = {key: value for key, value in given.items() if value is not ABSENT} | {"stack": stack}
    context: dict[str, Any] = {}
    for item in items:
        value = said[item.key] if _is_said(expressions, item, context, said) else expressions.default(item, context)
        context |= {} if value is MISSING else {item.key: value}
    if not expressions.applies(question, context, {}):
        return Case(given, None, expressions.is_retired(question, context))
    return Case(given, _step(expressions, question, context), retired=False)


def _is_said(expressions: Expressions, item: Question, context: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
    return item.key in said and expressions.applies(item, context, said)


def _step(expressions: Expressions, question: Question, context: Mapping[str, Any]) -> Step:
    """Give the question, its default left open where that follows from answers that decide nothing here."""
    try:
        return expressions.step(question, context)
    except UnsettledError:
        plain = Question(**{**_fields(question), "default": MISSING, "placeholder": ""})
        return expressions.step(plain, context)


def _fields(question: Question) -> dict[str, Any]:
    return {name: getattr(question, name) for name in question.__slots__}


def _size(domains: Iterable[tuple[Any, ...]]) -> int:
    size = 1
    for domain in domains:
        size *= len(domain)
    return size


def _domain(questionnaire: Questionnaire, expressions: Expressions, question: Question) -> tuple[Any, ...]:
    """Give the answers that a question can have, none where they are without end."""
    if question.multiselect or isinstance(question.choices, str):
        return ()
    if question.type == "bool" and not question.choices:
        return (True, False)
    constants = {item.key: expressions.default(item, {}) for item in questionnaire.items if _is_constant(item)}
    return tuple(option.value for option in expressions.step(_bare(question), constants).options)


def _bare(question: Question) -> Question:
    return Question(**{**_fields(question), "default": MISSING, "help": "", "placeholder": ""})


def _is_constant(question: Question) -> bool:
    return question.computed and not isinstance(question.default, str)


def _closure(questionnaire: Questionnaire, expressions: Expressions, question: Question) -> set[str]:
    """Give the keys that a question's condition and choices look at, and those that these follow from."""
    by_key = {item.key: item for item in questionnaire.items}
    found: set[str] = set()
    waiting = list(expressions.names(question.when, question.choices, question.type))
    while waiting:
        key = waiting.pop()
        if key in found or key not in by_key or key == question.key:
            continue
        found.add(key)
        waiting += expressions.names(*_decisive(by_key[key]))
    return found


def _decisive(question: Question) -> Iterator[Any]:
    yield from (question.when, question.default, question.choices, question.type)
