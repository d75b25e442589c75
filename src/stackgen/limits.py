"""What JSON Schema can say of a validator: the patterns, lengths and forbidden values that its expression looks for.

A condition that is not recognized is left out: the schema then accepts more than `new` does.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import nodes

from stackgen.expressions import Expressions, UnsettledError
from stackgen.questionnaire import Question

_NEGATED = {
    "lt": "gteq",
    "lteq": "gt",
    "gt": "lteq",
    "gteq": "lt",
    "eq": "ne",
    "ne": "eq",
    "in": "notin",
    "notin": "in",
}
_LENGTHS = {"gteq": ("minLength", 0), "gt": ("minLength", 1), "lteq": ("maxLength", 0), "lt": ("maxLength", -1)}
_NUMBERS = {"gteq": "minimum", "gt": "exclusiveMinimum", "lteq": "maximum", "lt": "exclusiveMaximum"}


def limits(
    expressions: Expressions, question: Question, constants: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], bool]:
    """Give what an answer must meet, as schemas, and whether that is all that the validator looks for."""
    found: list[dict[str, Any]] = []
    whole = True
    for wanted in _wanted(expressions.parse(question.validator)):
        said = _said(_Reader(expressions, question.key, constants), wanted) if wanted is not None else None
        whole = whole and said is not None
        found += [said] if said else []
    return found, whole


def _wanted(tree: nodes.Template) -> Iterator[nodes.Expr | None]:
    """Yield what must hold for an answer to pass: the opposite of each condition with a complaint below it."""
    for node in tree.body:
        if isinstance(node, nodes.If) and not node.else_:
            for branch in (node, *node.elif_):
                yield from _opposites(branch.test)  # type: ignore[arg-type] # jinja2 says Node for an expression
        elif not _is_blank(node):
            yield None


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Output) and all(
        isinstance(part, nodes.TemplateData) and not part.data.strip() for part in node.nodes
    )


def _opposites(test: nodes.Expr) -> Iterator[nodes.Expr]:
    """Yield expressions which all have to hold for `test` not to."""
    if isinstance(test, nodes.Or):
        yield from _opposites(test.left)
        yield from _opposites(test.right)
    elif isinstance(test, nodes.Not):
        yield from _parts(test.node)
    elif isinstance(test, nodes.Compare) and len(test.ops) == 1:
        yield nodes.Compare(test.expr, [nodes.Operand(_NEGATED[test.ops[0].op], test.ops[0].expr)])
    else:
        yield nodes.Not(test)


def _parts(expression: nodes.Expr) -> Iterator[nodes.Expr]:
    if isinstance(expression, nodes.And):
        yield from _parts(expression.left)
        yield from _parts(expression.right)
    else:
        yield expression


class _Reader:
    """Reads the parts of one validator: the answer itself, and what is known without any answer."""

    def __init__(self, expressions: Expressions, key: str, constants: Mapping[str, Any]) -> None:
        self._expressions = expressions
        self._key = key
        self._constants = constants

    def is_answer(self, node: nodes.Node) -> bool:
        return isinstance(node, nodes.Name) and node.name == self._key

    def filtered(self, node: nodes.Node, *names: str) -> bool:
        """Tell whether a node is the answer, put through the filters in turn."""
        for name in reversed(names):
            if not (isinstance(node, nodes.Filter) and node.name == name and node.node):
                return False
            node = node.node
        return self.is_answer(node)

    def known(self, node: nodes.Expr) -> Any:
        """Give the value of what no answer changes, None where there is none."""
        names = {found.name for found in node.find_all(nodes.Name)}
        if isinstance(node, nodes.Name):
            names.add(node.name)
        if names - set(self._constants):
            return None
        try:
            return self._expressions.constant(node, self._constants)
        except (UnsettledError, TypeError, ValueError):
            return None


def _said(reader: _Reader, wanted: nodes.Expr) -> dict[str, Any] | None:
    """Give one requirement as a schema, empty where the type says it already, None where it cannot be said."""
    if isinstance(wanted, nodes.Test) and reader.is_answer(wanted.node) and wanted.name == "string":
        return {}
    if isinstance(wanted, nodes.Not):
        positive = _pattern(reader, wanted.node)
        return {"not": positive} if positive else None
    if isinstance(wanted, nodes.Compare) and len(wanted.ops) == 1:
        return _compared(reader, wanted.expr, wanted.ops[0].op, wanted.ops[0].expr)
    return _pattern(reader, wanted)


def _pattern(reader: _Reader, node: nodes.Expr) -> dict[str, Any] | None:
    if not (isinstance(node, nodes.Filter) and node.name == "regex_search" and node.node):
        return None
    expression = node.args[0] if len(node.args) == 1 and not node.kwargs else None
    if not reader.is_answer(node.node) or not isinstance(expression, nodes.Const):
        return None
    return {"pattern": as_ecma(str(expression.value))}


def _compared(reader: _Reader, left: nodes.Expr, operator: str, right: nodes.Expr) -> dict[str, Any] | None:
    value = reader.known(right)
    if value is None:
        return None
    if reader.filtered(left, "trim", "length"):
        return {"pattern": r"\S"} if (operator, value) in {("ne", 0), ("gt", 0), ("gteq", 1)} else None
    if reader.filtered(left, "length") and operator in _LENGTHS:
        name, step = _LENGTHS[operator]
        return {name: value + step}
    if not reader.is_answer(left):
        return None
    if operator in {"notin", "in"} and isinstance(value, list):
        return {"not": {"enum": value}} if operator == "notin" else {"enum": value}
    return {_NUMBERS[operator]: value} if operator in _NUMBERS else None


def as_ecma(pattern: str) -> str:
    """Give a Python pattern as JSON Schema's dialect has it."""
    ignoring_case = pattern.startswith("(?i)")
    # In Python a plain $ also stands before a last newline; validators written there read the schema too.
    text = pattern.removeprefix("(?i)").replace(r"\A", "^").replace(r"\Z", r"$(?!\n)")
    if not ignoring_case:
        return text
    tokens = re.findall(r"\\.|\[[^\]]*\]|\(\?.|.", text)
    return "".join(f"[{t.lower()}{t.upper()}]" if len(t) == 1 and t.isalpha() else t for t in tokens)
