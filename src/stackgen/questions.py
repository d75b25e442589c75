"""The template's questions, read from its copier.yml: one source for flags, prompts, schema and docs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from jinja2 import Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

from stackgen.choices import suggest
from stackgen.errors import SourceError, UsageError

_ENVIRONMENT_KEYS = re.compile(r"(block|variable|comment)_(start|end)_string|keep_trailing_newline")


@dataclass(frozen=True, slots=True)
class Question:
    """One question of copier.yml; `default`, `validator` and `when` may be Jinja expressions."""

    key: str
    type: str
    help: str
    choices: tuple[tuple[str, Any], ...]
    default: Any
    required: bool
    validator: str
    when: str | bool
    placeholder: str

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of the choices, empty for a free answer."""
        return tuple(value for _, value in self.choices)


class Questions:
    """The questions of one template, in its own order."""

    def __init__(self, items: tuple[Question, ...], envops: Mapping[str, Any]) -> None:
        self.items = items
        self._envops = {key: value for key, value in envops.items() if _ENVIRONMENT_KEYS.fullmatch(key)}

    def keys(self) -> tuple[str, ...]:
        """Give the keys that a person may answer, whatever the stack."""
        return tuple(question.key for question in self.items if question.when is not False)

    def stacks(self) -> tuple[str, ...]:
        """Give the stacks that the template offers."""
        return next((question.values for question in self.items if question.key == "stack"), ())

    def asked(self, stack: str) -> tuple[Question, ...]:
        """Give the questions that concern a stack, `stack` itself left out."""
        return tuple(q for q in self.items if q.key != "stack" and self._when(q, {"stack": stack}))

    def retired(self, stack: str) -> tuple[Question, ...]:
        """Give the questions of a stack that nobody is asked any more: only an answer of their own makes them apply."""
        return tuple(
            q
            for q in self.items
            if not self._when(q, {"stack": stack})
            and any(self._when(q, {"stack": stack}, {q.key: value}) for value in q.values or (True,))
        )

    def resolve(self, given: Mapping[str, object]) -> dict[str, object]:
        """Give the complete answers: those given, checked, and the defaults of all others that apply.

        Raises `UsageError` for an unknown key, a value that is refused or a required one that is missing.
        """
        self.refuse_unknown(given)
        context: dict[str, object] = {}
        answers: dict[str, object] = {}
        for question in self.items:
            if not self._when(question, context, given):
                context[question.key] = self._default(question, context)
            elif question.key in given:
                context[question.key] = answers[question.key] = self.check(question, given[question.key], context)
            else:
                context[question.key] = answers[question.key] = self.default(question, context)
        self._refuse_inapplicable(given, answers)
        return answers

    def refuse_unknown(self, given: Mapping[str, object], also: Iterable[str] = ()) -> None:
        """Raise `UsageError` for a key that no question has; `also` names keys that are known elsewhere."""
        known = [*also, *self.keys()]
        for key in given:
            if key not in self.keys():
                raise UsageError(f"unknown key {key!r}", suggest(key, known) or f"known keys: {', '.join(known)}")

    def check_given(self, given: Mapping[str, object]) -> None:
        """Raise `UsageError` for the first given value that is refused, before anything else is asked."""
        for question in self.items:
            if question.key in given:
                self.check(question, given[question.key], given)

    def check(self, question: Question, value: object, context: Mapping[str, object]) -> object:
        """Give the value as the question's type; raises `UsageError` when it is refused."""
        answer = _cast(question, value)
        if question.choices and answer not in question.values:
            known = [str(v) for v in question.values]
            raise UsageError(f"{question.key}: {value!r} is not one of {', '.join(known)}", suggest(str(value), known))
        problem = self._render(question.validator, {**context, question.key: answer}).strip()
        if problem:
            raise UsageError(f"{question.key}: {answer!r} {problem}")
        return answer

    def default(self, question: Question, context: Mapping[str, object]) -> object:
        """Give the question's default for the answers so far; raises `UsageError` where it has none."""
        if question.required:
            raise UsageError(
                f"{question.key} is required",
                f"give it with --data {question.key}=… or as the key {question.key!r} of an answers file",
            )
        return self.check(question, self._default(question, context), context)

    def _refuse_inapplicable(self, given: Mapping[str, object], answers: Mapping[str, object]) -> None:
        stack = str(answers.get("stack"))
        of_stack = {question.key for question in self.asked(stack)}
        retired = {question.key for question in self.retired(stack)}
        for key in given:
            if key not in answers and key not in retired:
                reason = "with the other answers" if key in of_stack else f"to the stack {stack!r}"
                raise UsageError(f"{key} does not apply {reason}", "leave it out")

    def _default(self, question: Question, context: Mapping[str, object]) -> object:
        default = question.default
        rendered = self._render(default, context) if isinstance(default, str) else default
        return _load_text(rendered) if question.type == "yaml" and isinstance(rendered, str) else rendered

    def _when(
        self, question: Question, context: Mapping[str, object], given: Mapping[str, object] = MappingProxyType({})
    ) -> bool:
        """Tell whether a question applies; as in copier, its condition sees an answer of its own that was given."""
        if isinstance(question.when, bool):
            return question.when
        own = {question.key: given[question.key]} if question.key in given else {}
        return self._render(question.when, {**context, **own}).strip().lower() in {"true", "1", "yes", "y", "on"}

    def _render(self, text: str, context: Mapping[str, object]) -> str:
        try:
            return self._template(text).render({**self._constants, **context})
        except TemplateError as error:
            raise SourceError(f"the template's questions cannot be evaluated: {error}") from error

    def _template(self, text: str) -> Template:
        """Compile a text, once: that takes far longer than to render it."""
        if text not in self._templates:
            self._templates[text] = self._environment.from_string(text)
        return self._templates[text]

    @cached_property
    def _templates(self) -> dict[str, Template]:
        return {}

    @cached_property
    def _constants(self) -> dict[str, object]:
        """Lists kept as `when: false` questions, which validators look things up in."""
        hidden = [q for q in self.items if q.when is False and q.type == "yaml"]
        return {q.key: _load_text(str(q.default)) for q in hidden}

    @cached_property
    def _environment(self) -> SandboxedEnvironment:
        return SandboxedEnvironment(extensions=[AnsibleCoreFiltersExtension], **self._envops)


def read(folder: Path) -> Questions:
    """Read the questions of the template in `folder`; raises `SourceError` when it is not one."""
    config = _load(folder, folder / "copier.yml")
    items = tuple(_question(key, spec) for key, spec in config.items() if not key.startswith("_"))
    questions = Questions(items, config.get("_envops", {}))
    if not questions.stacks():
        raise SourceError(f"{folder} is not a stackgen template: its copier.yml asks for no stack")
    return questions


def _load(root: Path, path: Path) -> dict[str, Any]:
    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=_loader(root)))
    except FileNotFoundError as error:
        raise SourceError(f"{root} is not a stackgen template: {path.name} is missing") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError(f"{path.name} of the template cannot be read: {_first_line(error)}") from error
    merged: dict[str, Any] = {}
    for document in documents:
        for part in document if isinstance(document, list) else [document]:
            merged.update(part or {})
    return merged


_BaseLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where built


def _load_text(text: str) -> object:
    return yaml.load(text, Loader=_BaseLoader)  # noqa: S506 - a safe one


def _loader(root: Path) -> type[yaml.SafeLoader]:
    class Loader(_BaseLoader):  # type: ignore[misc, valid-type, unused-ignore]
        """A safe loader that also knows copier's `!include`."""

    def include(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> list[dict[str, Any]]:
        pattern = loader.construct_scalar(node)
        return [_load(root, path) for path in sorted(root.glob(pattern))]

    Loader.add_constructor("!include", include)
    return Loader


def _question(key: str, spec: object) -> Question:
    details: dict[str, Any] = spec if isinstance(spec, dict) else {"default": spec}
    return Question(
        key=key,
        type=details.get("type", "str"),
        help=details.get("help", key),
        choices=tuple(_pairs(details.get("choices", ()))),
        default=details.get("default", ""),
        required="default" not in details,
        validator=details.get("validator", ""),
        when=details.get("when", True),
        placeholder=details.get("placeholder", ""),
    )


def _pairs(choices: object) -> Iterator[tuple[str, Any]]:
    if isinstance(choices, dict):
        yield from choices.items()
    elif isinstance(choices, list):
        for choice in choices:
            yield tuple(choice) if isinstance(choice, list) else (str(choice), choice)


_BOOLEANS = {"true": True, "yes": True, "y": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "no": False, "n": False, "off": False, "0": False}


def _cast(question: Question, value: object) -> object:
    if question.type == "bool":
        answer = value if isinstance(value, bool) else _BOOLEANS.get(str(value).lower())
        if answer is None:
            raise UsageError(f"{question.key}: {value!r} is neither yes nor no")
        return answer
    if question.type == "str" and not isinstance(value, str):
        raise UsageError(f"{question.key}: {value!r} is not text", "quote it in the answers file")
    return value


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
