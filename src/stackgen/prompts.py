"""Questions to a person, asked only on a terminal and only for what was not given."""

from collections.abc import Callable, Mapping
from typing import Any

import questionary

from stackgen.article import TITLES
from stackgen.choices import DOMAINS, LABELS, MEANINGS, Choices, Stack
from stackgen.errors import UsageError
from stackgen.questions import Question, Questions
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
    answers: dict[str, object] = {"stack": stack.value}
    for question in questions.asked(stack.value):
        if question.key in given:
            answers[question.key] = questions.check(question, given[question.key], answers)
        else:
            answers[question.key] = _ask(questions, question, answers)
    for question in questions.retired(stack.value):
        if question.key in given:
            answers[question.key] = questions.check(question, given[question.key], answers)
    del answers["stack"]
    return answers


def _ask(questions: Questions, question: Question, answers: Mapping[str, object]) -> object:
    default = "" if question.required else questions.default(question, answers)
    if question.choices:
        return _select(question.help, list(question.choices), default)
    if question.type == "bool":
        return _answer(questionary.confirm(question.help, default=bool(default)))
    hint = f"(for example {question.placeholder}) " if question.placeholder else None
    validate = _validator(questions, question, answers)
    return _answer(questionary.text(question.help, default=str(default), validate=validate, instruction=hint))


def _validator(questions: Questions, question: Question, answers: Mapping[str, object]) -> Callable[[str], bool | str]:
    def validate(text: str) -> bool | str:
        try:
            questions.check(question, text, answers)
        except UsageError as error:
            return error.message
        return True

    return validate


def _select(message: str, options: list[tuple[str, Any]], default: Any) -> Any:
    choices = [questionary.Choice(label, value=value) for label, value in options]
    return _answer(questionary.select(message, choices=choices, default=default, use_shortcuts=False))


def _answer(question: questionary.Question) -> Any:
    return question.unsafe_ask()
