"""Questions to a person, asked only on a terminal and only for what was not given."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import questionary
from prompt_toolkit.application import get_app_session
from prompt_toolkit.filters import to_filter
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings

from stackgen import endings, keys, wording
from stackgen.choices import DOMAINS, EXPLANATIONS, LABELS, MEANINGS, Choices
from stackgen.errors import UsageError
from stackgen.expressions import Step
from stackgen.layout import Style, behind, style_of, wrapped
from stackgen.questions import Questions
from stackgen.recommend import Recommendation
from stackgen.stacks import Record
from stackgen.walk import NOTHING

T = TypeVar("T")
_HELP = "Enter takes what is marked or written, Ctrl-U empties the line, Shift-Tab goes back to the question before."
_STACK = "stack"
_POINTER, _DESCRIPTION = " » ", "  Description: "  # questionary's own
_TICK, _SEVERAL_LINES = "(Space ticks)", "(Esc, Enter ends)\n>"
_REVIEW = {"Create it": "create", "Change an answer": "change", "Quit, and write nothing": "quit"}


class BackError(Exception):
    """The person wants to return to the question before."""


class Talk:
    """A conversation that can go back: it is held again from its start, and what was answered is not asked again."""

    def __init__(self) -> None:
        self.style = style_of(sys.stdout)
        self.asked: list[str] = []
        self._said: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._known: tuple[Questions, Mapping[str, object], str | None] | None = None

    def hold(self, conversation: Callable[[], T]) -> T:
        """Give what the conversation comes to; Ctrl-C raises `KeyboardInterrupt`."""
        while True:
            try:
                return conversation()
            except BackError:
                if self.asked:
                    self._forget(self.asked[-1])

    def know(self, questions: Questions, given: Mapping[str, object], stack: str | None) -> None:
        """Take note of what will be asked after the choices, to say how many questions there are.

        `stack` is the one that was insisted on, and is not asked for.
        """
        self._known = (questions, given, stack)

    def ask_choices(self, given: Mapping[str, object]) -> dict[str, object]:
        """Give the choices, asking for those that are missing."""
        answers = dict(given)
        missing = [key for key in DOMAINS if key not in answers]
        for place, key in enumerate(missing):
            options = [_choice(LABELS[m.value], m.value, self.style, EXPLANATIONS[m.value]) for m in DOMAINS[key]]
            default = getattr(Choices(), key).value
            left = len(missing) - place - 1 + self._after_choices()
            make = lambda d, o=options, **k: _select(o, d, **k)  # noqa: E731
            answers[key] = self._ask(key, MEANINGS[key], left, make, default, as_said=LABELS.__getitem__)
        return answers

    def ask_stack(
        self, recommendation: Recommendation, offered: tuple[str, ...], text: str, instead: Mapping[str, object]
    ) -> str | None:
        """Show the recommendation, and give the stack insisted on instead of it, None to follow it."""
        pick, catalogue = recommendation.stack, recommendation.catalogue
        records = [
            catalogue.record(name) for name in (pick, *(n for n in catalogue.records if n != pick)) if name in offered
        ]
        options = [_choice(_title(r, pick), r.name, self.style, r.strength) for r in records]
        if _STACK not in self._said:
            self._present(f"\n{text}\n\n{self._holdings(records)}\n")
        left = self._expected(pick, instead)
        make = lambda default, **k: _select(options, default, **k)  # noqa: E731
        titles = {r.name: f"{r.name}: {r.title}" for r in records}
        chosen = str(
            self._ask(_STACK, "Which stack shall it be?", left, make, records[0].name, as_said=titles.__getitem__)
        )
        return None if chosen == pick else chosen

    def ask_answers(
        self, questions: Questions, stack: str, given: Mapping[str, object], instead: Mapping[str, object]
    ) -> dict[str, object]:
        """Give the answers to the template's questions for the stack, asking for those that are missing."""

        def ask(step: Step) -> object:
            left = max(self._expected(stack, instead) - 1, 0)
            return self._ask(
                step.key,
                step.help,
                left,
                lambda d, **k: _prompt(replace(step, default=d), self.style, **k),
                step.default,
                as_said=lambda answer: wording.as_said(step, answer),
            )

        walked = questions.walk({**given, "stack": stack}, ask, instead)
        if walked.unused:
            left_out = f"Left out, for they do not apply with these answers: {', '.join(walked.unused)}"
            self._show(wrapped(left_out, self.style))
        return {key: value for key, value in walked.values.items() if key != _STACK}

    def approves(self, page: Callable[[Style], str]) -> bool:
        """Show what is going to be made; False after a change of mind. To quit raises `KeyboardInterrupt`."""
        self._present(f"\n{page(self.style)}\n")
        options = [questionary.Choice(label, value) for label, value in _REVIEW.items()]
        answer = _answer(_select(options, "create", message="Shall it be created?"))
        if answer == "quit":
            raise KeyboardInterrupt
        if answer == "change":
            titles = [_choice(self._names[key], key, self.style) for key in self.asked]
            self._change(_answer(_select(titles, self.asked[-1], message="Which answer?")))
        return bool(answer == "create")

    def _change(self, key: str) -> None:
        """Ask again for one answer, and for the stack too where the recommendation may be another one then."""
        self._forget(key)
        if key in DOMAINS and _STACK in self.asked:
            self._forget(_STACK)

    def _ask(  # noqa: PLR0913 - a question, its place, how it is put and how it is told
        self,
        key: str,
        text: str,
        left: int,
        make: Callable[..., questionary.Question],
        default: Any,
        *,
        as_said: Callable[[Any], str],
    ) -> Any:
        if key in self._said:
            return self._said[key]
        if not self.asked and not self._before:
            self._show(wrapped(_HELP, self.style))
        number = len(self.asked) + 1
        place = f"{number} of {number + left}"
        question = make(self._before.get(key, default), message=wording.message(place, text, self.style), qmark=place)
        answer = _answer(_with_a_way_back(question))
        self._show(wording.told(place, text, as_said(answer), self.style))
        self._said[key] = answer
        self._names[key] = text
        self.asked.append(key)
        return answer

    def _forget(self, key: str) -> None:
        self.asked.remove(key)
        self._before[key] = self._said.pop(key)

    def _after_choices(self) -> int:
        if self._known is None:
            return 0
        questions, _, stack = self._known
        return self._expected(stack) if stack else 1 + self._expected(questions.stacks()[0])

    def _expected(self, stack: str, instead: Mapping[str, object] = NOTHING) -> int:
        if self._known is None:
            return 0
        questions, given, _ = self._known
        known = questions.keys()
        said = {key: value for key, value in self._said.items() if key in known}
        return questions.expected({**said, **given, _STACK: stack}, instead)

    def _holdings(self, records: list[Record]) -> str:
        lines = ((r.name, wrapped(f"{r.name}: {(*r.contents, r.title)[0]}", self.style)) for r in records)
        return "\n".join(line.replace(name, self.style.accent(name), 1) for name, line in lines)

    def _present(self, text: str) -> None:
        """Show what is to be read before the next answer: a key that was typed before does not give it."""
        keys.forget()
        clear_typeahead(get_app_session().input)
        self._show(text)

    def _show(self, text: str) -> None:
        questionary.print(text) if not self.style.color else _print_formatted(text)


def _title(record: Record, pick: str) -> str:
    return f"{record.name}: {record.title}{' (recommended)' if record.name == pick else ''}"


def _print_formatted(text: str) -> None:
    from prompt_toolkit import print_formatted_text
    from prompt_toolkit.formatted_text import ANSI

    print_formatted_text(ANSI(text))


def _prompt(step: Step, style: Style, message: str, qmark: str) -> questionary.Question:
    """Give the prompt for one question of the template, in the form that its type needs."""
    words: dict[str, Any] = {"message": message, "qmark": qmark}
    if step.options:
        return (_check_boxes if step.question.multiselect else _select_option)(step, style, **words)
    if step.type == "bool":
        return questionary.confirm(default=step.default is True, **words)
    line: dict[str, Any] = {
        "default": wording.as_text(step),
        "validate": _validator(step, style),
        "validate_while_typing": False,
        **words,
    }
    if step.question.secret:
        return questionary.password(**line)
    if step.type == "path":
        return questionary.path(**line)
    hint = _SEVERAL_LINES if step.multiline else None
    if step.placeholder and not step.multiline:
        line["message"], hint = wording.example(qmark, message, step.placeholder, style)
    return questionary.text(multiline=step.multiline, instruction=hint, **line)


def _validator(step: Step, style: Style) -> Callable[[Any], bool | str]:
    def validate(answer: Any) -> bool | str:
        try:
            step.check(answer)
        except UsageError as error:
            return behind("", error.message, style)
        return True

    return validate


def _select(options: list[questionary.Choice], default: Any, **words: Any) -> questionary.Question:
    return questionary.select(choices=options, default=default, use_shortcuts=False, **words)


def _select_option(step: Step, style: Style, **words: Any) -> questionary.Question:
    choices = [_choice(o.label, o.value, style, o.explanation, disabled=o.refused or None) for o in step.options]
    default = next(
        (c for c, o in zip(choices, step.options, strict=True) if wording.is_same(o.value, step.default)), None
    )
    return questionary.select(choices=choices, default=default, **words)


def _check_boxes(step: Step, style: Style, **words: Any) -> questionary.Question:
    checked = step.default if isinstance(step.default, list) else []
    choices = [
        _choice(o.label, o.value, style, o.explanation, disabled=o.refused or None, checked=o.value in checked)
        for o in step.options
    ]
    return questionary.checkbox(choices=choices, validate=_validator(step, style), instruction=_TICK, **words)


def _choice(label: str, value: Any, style: Style, explanation: str = "", **words: Any) -> questionary.Choice:
    """Give an option of a list; its explanation stands below the list while it is pointed at."""
    described = behind(_DESCRIPTION, explanation, style) if explanation else None
    return questionary.Choice(behind(_POINTER, label, style), value, description=described, **words)


def _with_a_way_back(question: questionary.Question) -> questionary.Question:
    bindings = KeyBindings()

    @bindings.add("s-tab", eager=True)
    def back(event: KeyPressEvent) -> None:
        event.app.exit(exception=BackError())

    application = question.application
    own = [application.key_bindings] if application.key_bindings else []
    application.key_bindings = merge_key_bindings([*own, bindings])
    return question


def _answer(question: questionary.Question) -> Any:
    """Ask; Ctrl-C and a signal raise `KeyboardInterrupt`."""
    application = question.application
    for window in application.layout.find_all_windows():
        if window.height == 1:  # why an answer is refused may take more than one line
            window.height, window.dont_extend_height = None, to_filter(True)
    application.erase_when_done = True  # what it leaves behind would break words, and lose some
    ended: list[bool] = []

    def leave() -> None:
        if ended and application.future and not application.future.done():
            application.exit(exception=KeyboardInterrupt())

    def stop() -> None:
        ended.append(True)
        if application.loop:
            application.loop.call_soon_threadsafe(leave)

    application.pre_run_callables.append(leave)
    with endings.told_to(stop):
        return question.unsafe_ask()
