"""The template's questions: one source for flags, prompts, schema and docs."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from stackgen import conditions, questionnaire, walk
from stackgen.choices import suggest
from stackgen.conditions import Cases
from stackgen.errors import SourceError, UsageError
from stackgen.expressions import Step
from stackgen.questionnaire import MISSING, Question, Questionnaire
from stackgen.walk import NOTHING, Answers, Ask, Guess

__all__ = ["Question", "Questions", "read"]
_SOMETHING: Mapping[str, object] = {"int": 1, "float": 1.0, "bool": False, "json": {}, "yaml": {}}


class Questions(Questionnaire):
    """The questions of one template, in its own order."""

    def asked(self, stack: str) -> tuple[Question, ...]:
        """Give the questions that may be asked for a stack, `stack` itself left out."""
        return tuple(found.question for found in self.cases(stack) if found.asked)

    def retired(self, stack: str) -> tuple[Question, ...]:
        """Give the questions of a stack that nobody is asked any more: only an answer of their own makes them apply."""
        return tuple(found.question for found in self.cases(stack) if found.retired)

    def cases(self, stack: str) -> tuple[Cases, ...]:
        """Give when each question applies for a stack, `stack` itself and what is computed left out."""
        if stack not in self._cases:
            own = [question for question in self.items if question.key != "stack" and not question.computed]
            self._cases[stack] = tuple(conditions.cases(self, question, stack) for question in own)
        return self._cases[stack]

    def resolve(self, given: Mapping[str, object], instead: Mapping[str, object] = NOTHING) -> dict[str, object]:
        """Give the complete answers: those given, checked, and the defaults of all others that apply.

        `instead` holds defaults that stand in for the template's own.

        Raises `UsageError` for an unknown key, a value that is refused or a required one that is missing.
        """
        self.refuse_unknown(given)
        answers = walk.walk(self, given, instead=instead)
        self._refuse_unused(answers)
        return dict(answers.values)

    def walk(self, given: Mapping[str, object], ask: Ask, instead: Mapping[str, object] = NOTHING) -> Answers:
        """Go through all questions once, and say which of the given answers turned out not to apply."""
        return walk.walk(self, given, ask, instead)

    def following(self, given: Mapping[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
        """Give those of the wanted answers that were not given; none where they would shut out one that was."""
        with suppress(UsageError):
            if walk.walk(self, given, _stand_in, wanted).unused:
                return {}
        return {key: value for key, value in wanted.items() if key not in given}

    def refuse_unknown(self, given: Mapping[str, object], also: Iterable[str] = ()) -> None:
        """Raise `UsageError` for a key that no question has; `also` names keys that are known elsewhere."""
        known = [*also, *self.keys()]
        for key in given:
            if key not in self.keys():
                raise UsageError(f"unknown key {key[:80]!r}", suggest(key, known) or f"known keys: {', '.join(known)}")

    def check_given(self, given: Mapping[str, object]) -> None:
        """Raise `UsageError` for the first given value that is refused, before anything else is asked."""
        walk.foresee(self, given)

    def changed(self, answers: Mapping[str, object], instead: Mapping[str, object] = NOTHING) -> dict[str, object]:
        """Give the answers that somebody must say to get them all, beside the name and the stack; no secret is told."""
        changed: dict[str, object] = {}

        def compare(step: Step) -> object:
            if step.key not in {"name", "stack"} and answers[step.key] != step.default:
                changed[step.key] = answers[step.key]
            return answers[step.key]

        reached = walk.walk(self, {}, compare, instead).values
        changed |= {key: value for key, value in answers.items() if reached.get(key) != value}
        return {key: value for key, value in changed.items() if key not in self.secrets()}

    def expected(self, given: Mapping[str, object], instead: Mapping[str, object] = NOTHING) -> int:
        """Give how many questions are still to be asked, if every one of them gets its default."""
        count = 0

        def counted(step: Step) -> object:
            nonlocal count
            count += 1
            return _stand_in(step)

        with suppress(UsageError):
            walk.walk(self, given, counted, instead)
        return count

    def secrets(self) -> tuple[str, ...]:
        """Give the keys whose answers are shown and recorded nowhere."""
        return tuple(question.key for question in self.items if question.secret)

    def refuse_foreign(self, given: Mapping[str, object], stack: str) -> None:
        """Raise `UsageError` for a given answer that no project of the stack has, whatever else is answered."""
        known = {question.key for question in (*self.asked(stack), *self.retired(stack))}
        for key in given:
            if key not in known:
                raise UsageError(f"{key} does not apply to the stack {stack!r}", "leave it out")

    def refuse_idle(self, given: Mapping[str, object], recorded: Mapping[str, object]) -> None:
        """Raise `UsageError` for a given answer that does not apply beside those that a project has recorded."""
        known = {key: value for key, value in recorded.items() if key in self.keys()}
        try:
            answers = walk.walk(self, {**known, **given}, _stand_in)
        except UsageError:  # a value is refused: whoever renders says which
            return
        self._refuse_unused(Answers(answers.values, tuple(key for key in answers.unused if key in given)))

    def _refuse_unused(self, answers: Answers) -> None:
        stack = str(answers.values.get("stack"))
        for key in answers.unused:
            of_stack = key in {question.key for question in self.asked(stack)}
            reason = "with the other answers" if of_stack else f"to the stack {stack!r}"
            raise UsageError(f"{key} does not apply {reason}", "leave it out")

    @property
    def _cases(self) -> dict[str, tuple[Cases, ...]]:
        found: dict[str, tuple[Cases, ...]] = self.__dict__.setdefault("_found", {})
        return found


def _stand_in(step: Step) -> Guess:
    """Answer as somebody would who takes every default, and says something of the right type where there is none."""
    if step.default is not MISSING:
        return Guess(step.default)
    if step.options:
        value = next((option.value for option in step.options if not option.refused), step.options[0].value)
        return Guess([value] if step.question.multiselect else value)
    return Guess(_SOMETHING.get(step.type, step.placeholder or "x"))


def read(folder: Path) -> Questions:
    """Read the questions of the template in `folder`; raises `SourceError` when it is not one."""
    config = questionnaire.load(folder)
    questions = Questions(questionnaire.questions_in(config), config.get("_envops", {}))
    if not questions.stacks():
        raise SourceError(f"{folder} is not a stackgen template: its copier.yml asks for no stack")
    return questions
