"""The JSON Schema of everything that `new` accepts, derived from the choices and the template's questions."""

from typing import Any

from stackgen.choices import DOMAINS, LABELS, MEANINGS, Choices
from stackgen.questions import Question, Questions

_TYPES = {"str": "string", "bool": "boolean", "int": "integer", "float": "number"}


def schema(questions: Questions, stack: str | None = None) -> dict[str, Any]:
    """Give the schema for one stack, or for any of the template's when none is named."""
    stacks = [stack] if stack else list(questions.stacks())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Answers for stackgen new"}
    if stack:
        return {**head, **_for_stack(questions, stack)}
    definitions = {name: _for_stack(questions, name) for name in stacks}
    return {**head, "anyOf": [{"$ref": f"#/$defs/{name}"} for name in stacks], "$defs": definitions}


def _for_stack(questions: Questions, stack: str) -> dict[str, Any]:
    asked = questions.asked(stack)
    properties = {key: _choice(key) for key in DOMAINS}
    properties["stack"] = {"const": stack, "description": "Overrides the recommendation."}
    properties |= {question.key: _property(question) for question in asked}
    properties |= {question.key: _property(question) | {"deprecated": True} for question in questions.retired(stack)}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [question.key for question in asked if question.required],
    }


def _choice(key: str) -> dict[str, Any]:
    return {
        "type": "string",
        "description": MEANINGS[key],
        "oneOf": [{"const": member.value, "description": LABELS[member.value]} for member in DOMAINS[key]],
        "default": getattr(Choices(), key).value,
    }


def _property(question: Question) -> dict[str, Any]:
    described: dict[str, Any] = {"description": question.help}
    if question.type in _TYPES:
        described["type"] = _TYPES[question.type]
    if question.choices:
        described["oneOf"] = [{"const": value, "description": label} for label, value in question.choices]
    if not question.required and not (isinstance(question.default, str) and "[=" in question.default):
        described["default"] = question.default
    return described
