"""Evaluates what copier.yml says about one question, given the answers before it: its condition, choices and limits."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, UndefinedError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

from stackgen import values
from stackgen.choices import spoken, suggest
from stackgen.errors import SourceError, UsageError
from stackgen.questionnaire import MISSING, Question, Questionnaire, Written, options
from stackgen.values import RefusedError, cast_list, cast_own, shown

_ENVIRONMENT_KEYS = re.compile(
    r"(block|variable|comment)_(start|end)_string|keep_trailing_newline|(trim|lstrip)_blocks"
)
_UNDEFINED = {"jinja2.StrictUndefined": StrictUndefined}
_STARTS = {"variable_start_string": "{{", "block_start_string": "{%", "comment_start_string": "{#"}
_UNSET = "\0unset"


class UnsettledError(SourceError):
    """An expression needs something that no answer says."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of the choices of a question; `refused` says why it cannot be taken with the answers before it.

    `explanation` says more than the label: what a project gets with it.
    """

    label: str
    value: Any
    refused: str = ""
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A question as it stands after the answers before it.

    `check` gives an answer as the question's type, or raises `UsageError`; `default` is `MISSING` where it has none.
    """

    question: Question
    type: str
    help: str
    placeholder: str
    multiline: bool
    options: tuple[Option, ...]
    default: Any
    check: Callable[[object], Any]

    @property
    def key(self) -> str:
        """The question's key."""
        return self.question.key


class Expressions:
    """Evaluates what copier.yml says about a question, given the answers before it."""

    def __init__(self, questionnaire: Questionnaire, undefined: type[Undefined] | None = None) -> None:
        envops = questionnaire.envops
        self._options = {key: value for key, value in envops.items() if _ENVIRONMENT_KEYS.fullmatch(key)}
        self._undefined = undefined or _UNDEFINED.get(envops.get("undefined", ""), Undefined)
        self._compiled = questionnaire.compiled
        self._constants = questionnaire.constants

    def applies(self, question: Question, context: Mapping[str, Any], given: Mapping[str, object]) -> bool:
        """Tell whether a question applies."""
        own = {question.key: given[question.key]} if question.key in given else {}
        return self.truth(question.when, {**context, **own})

    def is_retired(self, question: Question, context: Mapping[str, Any]) -> bool:
        """Tell whether only an answer of its own makes a question apply: it is asked no more, and still accepted."""
        values = question.values or (True,)
        return not question.computed and any(self.applies(question, context, {question.key: value}) for value in values)

    def default(self, question: Question, context: Mapping[str, Any]) -> Any:
        """Give a question's default as its type, unchecked; `MISSING` where it has none.

        Raises `SourceError` where the template's default is none.
        """
        if question.default is MISSING:
            return MISSING
        rendered = self.value(question.default, {"UNSET": _UNSET, **context})
        if rendered is question.default and question.key in self._constants:
            return self._constants[question.key]
        if rendered == _UNSET:
            return MISSING
        kind = self._kind(question, context)
        try:
            default = cast_list(kind, rendered, cast_own) if question.multiselect else cast_own(kind, rendered)
        except RefusedError as error:
            raise SourceError(f"the template's default of {question.key}, {shown(rendered)}, {error}") from error
        if rendered is question.default and kind == question.type:
            self._constants[question.key] = default
        return default

    def step(self, question: Question, context: Mapping[str, Any]) -> Step:
        """Give the question as it stands after the answers in `context`."""
        kind = self._kind(question, context)
        options = self._options_of(question, kind, context)
        return Step(
            question=question,
            type=kind,
            help=str(self.value(question.help, context)).strip(),
            placeholder=str(self.value(question.placeholder, context)),
            multiline=self.truth(question.multiline, context),
            options=options,
            default=self.default(question, context),
            check=lambda value: self._check(question, kind, options, value, context),
        )

    def truth(self, expression: str | bool, context: Mapping[str, Any]) -> bool:
        """Evaluate a condition, as copier reads one."""
        return values.truth(self.value(expression, context))

    def value(self, value: Any, context: Mapping[str, Any]) -> Any:
        """Evaluate a text, or every text of a list; anything else is what it is.

        Raises `SourceError` for what cannot be evaluated, `UnsettledError` for what rests on an unknown answer.
        """
        if isinstance(value, list):
            return [self.value(item, context) for item in value]
        if not isinstance(value, str) or not self._is_expression(value):
            return value
        try:
            return self._template(value).render(context)
        except UndefinedError as error:
            raise UnsettledError(f"the template's questions cannot be evaluated: {error}") from error
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise SourceError(f"the template's questions cannot be evaluated: {error}") from error

    def names(self, *texts: Any) -> set[str]:
        """Give the names that the expressions in the texts look at."""
        found: set[str] = set()
        for text in texts:
            if isinstance(text, dict):
                found |= self.names(*text, *text.values())
            elif isinstance(text, list | tuple):
                found |= self.names(*text)
            elif isinstance(text, str) and self._is_expression(text):
                found |= meta.find_undeclared_variables(self.parse(text))
        return found

    def parse(self, text: str) -> nodes.Template:
        """Give the syntax tree of an expression; raises `SourceError`."""
        try:
            return self._environment.parse(text)
        except TemplateError as error:
            raise SourceError(f"the template's questions cannot be evaluated: {error}") from error

    def constant(self, expression: nodes.Expr, context: Mapping[str, Any]) -> Any:
        """Give the value of a part of a syntax tree, which must be data that JSON can hold."""
        dumped = nodes.Filter(expression, "tojson", [], [], None, None)
        tree = nodes.Template([nodes.Output([nodes.MarkSafe(dumped)], lineno=1)], lineno=1)
        tree.set_environment(self._environment)
        code = self._environment.compile(tree)
        template = Template.from_code(self._environment, code, {}, None)
        return json.loads(template.render(context))

    def _is_expression(self, text: str) -> bool:
        return any(self._options.get(key, start) in text for key, start in _STARTS.items())

    def _kind(self, question: Question, context: Mapping[str, Any]) -> str:
        kind = str(self.value(question.type, context))
        if kind not in values.kinds():
            raise SourceError(f"{question.key} is of the type {kind!r}, which copier does not have")
        return kind

    def _options_of(self, question: Question, kind: str, context: Mapping[str, Any]) -> tuple[Option, ...]:
        choices = question.choices
        if isinstance(choices, str):
            choices = values.load(str(self.value(choices, context)))
        return tuple(self._option(written, kind, context) for written in options(choices))

    def _option(self, written: Written, kind: str, context: Mapping[str, Any]) -> Option:
        return Option(
            label=str(self.value(written.label, context)),
            value=cast_own(kind, self.value(written.value, context)),
            refused=str(self.value(written.validator, context)).strip(),
            explanation=str(self.value(written.explanation, context)).strip(),
        )

    def _check(
        self, question: Question, kind: str, options: tuple[Option, ...], value: object, context: Mapping[str, Any]
    ) -> Any:
        try:
            answer = cast_list(kind, value) if question.multiselect else values.cast(kind, value)
        except RefusedError as error:
            raise UsageError(f"{question.key}: {_said(question, value)} {error}", error.hint) from error
        if options:
            answer = _chosen(question, options, answer)
        problem = str(self.value(question.validator, {**context, question.key: answer})).strip()
        if problem:
            raise UsageError(f"{question.key}: {_said(question, answer)} {' '.join(problem.split())}")
        return answer

    def _template(self, text: str) -> Template:
        """Compile a text, once: that takes far longer than to render it."""
        known = self._compiled.setdefault(self._undefined, {})
        if text not in known:
            known[text] = self._environment.from_string(text)
        template: Template = known[text]
        return template

    @cached_property
    def _environment(self) -> SandboxedEnvironment:
        return SandboxedEnvironment(
            extensions=[AnsibleCoreFiltersExtension], undefined=self._undefined, **self._options
        )


def _said(question: Question, value: object) -> str:
    return "the answer" if question.secret else shown(value)


def _chosen(question: Question, options: tuple[Option, ...], answer: Any) -> Any:
    for item in answer if question.multiselect else [answer]:
        option = next((option for option in options if option.value == item), None)
        if option is None:
            known = [spoken(option.value) for option in options if not option.refused]
            hint = suggest(str(item)[:80], known)
            raise UsageError(f"{question.key}: {_said(question, item)} is not one of {', '.join(known)}", hint)
        if option.refused:
            raise UsageError(f"{question.key}: {_said(question, item)} cannot be taken: {option.refused}")
    return [option.value for option in options if option.value in answer] if question.multiselect else answer
