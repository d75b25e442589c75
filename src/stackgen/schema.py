"""The JSON Schema of everything that `new` accepts, derived from the choices and the template's questions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stackgen.choices import DOMAINS, EXPLANATIONS, LABELS, MEANINGS, Choices
from stackgen.conditions import ABSENT, Case, Cases
from stackgen.expressions import Expressions, Step
from stackgen.limits import limits
from stackgen.questionnaire import MISSING
from stackgen.questions import Question, Questions

_TYPES: Mapping[str, Any] = {
    "str": "string",
    "path": "string",
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    # A text is read as JSON or YAML, and might be neither: give the data itself.
    "json": ["object", "array", "number", "boolean", "null"],
    "yaml": ["object", "array", "number", "boolean", "null"],
}


def schema(questions: Questions, stack: str | None = None) -> dict[str, Any]:
    """Give the schema for one stack, or for any of the template's when none is named."""
    stacks = [stack] if stack else list(questions.stacks())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Answers for stackgen new"}
    if stack:
        return {**head, **_for_stack(questions, stack)}
    definitions = {name: _for_stack(questions, name) for name in stacks}
    return {**head, "anyOf": [{"$ref": f"#/$defs/{name}"} for name in stacks], "$defs": definitions}


def _for_stack(questions: Questions, stack: str) -> dict[str, Any]:
    properties = {key: _choice(key) for key in DOMAINS}
    properties["stack"] = {"const": stack, "description": "Overrides the recommendation."}
    required: list[str] = []
    rules: list[dict[str, Any]] = []
    for found in questions.cases(stack):
        if found.asked or found.retired:
            properties[found.question.key] = _property(questions, found)
        if found.asked:
            always = not found.complete or all(case.step for case in found.rows)
            required += [found.question.key] if found.question.required and always else []
            rules += _rules(found)
    whole = {"type": "object", "additionalProperties": False, "properties": properties, "required": required}
    return {**whole, "allOf": rules} if rules else whole


def _choice(key: str) -> dict[str, Any]:
    return {
        "type": "string",
        "description": MEANINGS[key],
        "oneOf": [
            {"const": member.value, "description": _described(LABELS[member.value], EXPLANATIONS[member.value])}
            for member in DOMAINS[key]
        ],
        "default": getattr(Choices(), key).value,
    }


def _property(questions: Questions, found: Cases) -> dict[str, Any]:
    question = found.question
    steps = [case.step for case in found.rows if case.step]
    described: dict[str, Any] = {"description": steps[0].help if steps else question.help}
    kinds = {step.type for step in steps} or {question.type}
    options = {_offered(step) for step in steps} if found.complete else set()
    described |= _form(question, kinds.pop() if len(kinds) == 1 else "", steps[0] if len(options) == 1 else None)
    described |= _limited(questions, question)
    defaults = [step.default for step in steps if step.default is not MISSING]
    if question.default is not MISSING and not _is_open(question) and not question.secret:
        described["default"] = defaults[0] if defaults else question.default
    return described | ({"deprecated": True} if found.retired else {})


def _is_open(question: Question) -> bool:
    """Tell whether a default is an expression, which says nothing to a reader of the schema."""
    return isinstance(question.default, str) and "[=" in question.default


def _form(question: Question, kind: str, step: Step | None) -> dict[str, Any]:
    form: dict[str, Any] = {"type": _TYPES[kind]} if kind in _TYPES else {}
    options = _listed(step) if step else []
    form |= {"oneOf": options} if options else {}
    return {"type": "array", "items": form} if question.multiselect else form


def _listed(step: Step) -> list[dict[str, Any]]:
    return [
        {"const": option.value, "description": _described(option.label, option.explanation)}
        for option in step.options
        if not option.refused
    ]


def _described(label: str, explanation: str) -> str:
    return f"{label}. {explanation}" if explanation else label


def _offered(step: Step) -> str:
    return repr([option.value for option in step.options if not option.refused])


def _limited(questions: Questions, question: Question) -> dict[str, Any]:
    if not question.validator or question.multiselect:
        return {}
    expressions = Expressions(questions)
    constants = {item.key: expressions.default(item, {}) for item in questions.items if _is_known(expressions, item)}
    found, _ = limits(expressions, question, constants)
    return {"allOf": found} if found else {}


def _is_known(expressions: Expressions, question: Question) -> bool:
    return question.computed and not expressions.names(question.default)


def _rules(found: Cases) -> Iterator[dict[str, Any]]:
    """Yield what `if` and `then` say of a question that other answers decide about."""
    key, rows = found.question.key, found.rows
    if not found.complete:
        return
    off = [case for case in rows if not case.step]
    if off:
        yield {"if": _when(found, off), "then": {"properties": {key: False}}}
        if found.question.required:
            on = [case for case in rows if case.step]
            yield {"if": _when(found, on), "then": {"required": [key]}}
    offers: dict[str, list[Case]] = {}
    for case in rows:
        if case.step:
            offers.setdefault(_offered(case.step), []).append(case)
    if len(offers) > 1:
        for cases in offers.values():
            step = cases[0].step
            form = _form(found.question, "", step) if step else {}
            yield {"if": _when(found, cases), "then": {"properties": {key: form}}}


def _when(found: Cases, wanted: list[Case]) -> dict[str, Any]:
    """Give a condition that holds for the wanted combinations and for no other, as short as it can be said."""
    rest = [case for case in found.rows if not any(case is one for one in wanted)]
    if (box := _box(found, wanted)) is not None:
        return box
    if (box := _box(found, rest)) is not None:
        return {"not": box}
    return {"anyOf": [{"allOf": [_is_one_of(key, [value]) for key, value in case.given.items()]} for case in wanted]}


def _box(found: Cases, wanted: list[Case]) -> dict[str, Any] | None:
    """Give a condition key by key, None where the wanted combinations are not each with each."""
    sides = {key: _distinct(case.given[key] for case in wanted) for key in found.keys}
    inside = [case for case in found.rows if all(_among(case.given[key], sides[key]) for key in found.keys)]
    if len(inside) != len(wanted):
        return None
    whole = {key: _distinct(case.given[key] for case in found.rows) for key in found.keys}
    parts = [_is_one_of(key, sides[key]) for key in found.keys if len(sides[key]) < len(whole[key])]
    return parts[0] if len(parts) == 1 else {"allOf": parts}


def _distinct(values: Iterable[object]) -> list[object]:
    found: list[object] = []
    for value in values:
        found += [] if _among(value, found) else [value]
    return found


def _among(value: object, values: Iterable[object]) -> bool:
    return any(value is other or (type(value) is type(other) and value == other) for other in values)


def _is_one_of(key: str, values: Iterable[object]) -> dict[str, Any]:
    """Give the condition that a key has one of the values, or is left out where `ABSENT` is among them."""
    distinct = _distinct(values)
    given = [value for value in distinct if value is not ABSENT]
    if not given:
        return {"not": {"required": [key]}}
    condition: dict[str, Any] = {"properties": {key: {"enum": given}}}
    return condition if len(given) < len(distinct) else {**condition, "required": [key]}
