"""The signature of the model: what `task.py` declares, and what follows from that.

Everything is read from the JSON schema of an instance, which is the contract's: so what callers
are told and what the model is given cannot differ.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import Field, TypeAdapter

from ml import task
from ml.batch import Batch, Tensor, is_text, widened

# The name of the one column of instances that are no rows of named ones.
INPUT = "input"
# The longest float32 has 23 characters in JSON, and the longest whole number 17.
NUMBER_BYTES = 32
# A character beyond the first 65,536 as JSON may write it: \ud83d\ude00.
CHARACTER_BYTES = 12

_TYPES: Mapping[str, Any] = {
    "number": np.float32,
    "integer": np.int64,
    "boolean": np.bool_,
    "string": object,
}
_MISSING: Mapping[str, Any] = {"number": np.nan, "integer": np.nan, "string": ""}


@dataclass(frozen=True, slots=True)
class Column:
    """One input of an instance: a value, or a list of values of the same type."""

    kind: str
    optional: bool = False
    # How many values: None if that differs between instances.
    width: int | None = 1
    is_list: bool = False

    @classmethod
    def of(cls, name: str, schema: Mapping[str, Any]) -> Self:
        """The column that a JSON schema describes."""
        choices = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
        value, optional = choices[0], len(choices) < len(schema.get("anyOf", [schema]))
        is_list = value.get("type") == "array"
        width: int | None = 1
        if is_list:
            least, most = value.get("minItems"), value.get("maxItems")
            width = least if least == most else None
            value = value.get("items", {})
        if value.get("type") not in _TYPES or len(choices) > 1 or _is_octets(value):
            raise TypeError(f"task.py has to say in `encode` how {name!r} becomes a tensor")
        return cls(value["type"], optional, width, is_list)

    @property
    def type(self) -> Any:  # noqa: ANN401
        """The type of the tensor; only numbers that are no whole ones can be missing."""
        return np.float32 if self.optional and self.kind == "integer" else _TYPES[self.kind]

    def tensor(self, values: Sequence[Any] | Tensor) -> Tensor:
        """The values of so many instances, a row for each."""
        if self.optional:
            values = [self._missing() if value is None else value for value in values]
        if self.width is None:
            longest = max(1, *(len(value) for value in values))
            rows = [np.asarray([value], self.type).reshape(1, -1) for value in values]
            return np.concatenate([widened(row, longest) for row in rows])
        return np.asarray(values, dtype=self.type).reshape(len(values), self.width)

    def _missing(self) -> Any:  # noqa: ANN401
        if self.kind not in _MISSING:
            raise TypeError(f"task.py has to say in `encode` what a missing {self.kind} is")
        value = _MISSING[self.kind]
        return [value] * (self.width or 0) if self.is_list else value


@dataclass(frozen=True)
class Signature:
    """What an instance is, how it becomes tensors, and one that any model has to answer."""

    instance: Any
    example: Any
    outputs: int | None = None
    own_encode: Callable[[Any], Batch] | None = None

    @classmethod
    def of(cls, declared: ModuleType) -> Self:
        """The signature that a module declares, as `ml.task` does."""
        if not hasattr(declared, "Instance"):
            return cls._of_features(declared)
        outputs, encode = getattr(declared, "OUTPUTS", None), getattr(declared, "encode", None)
        return cls(declared.Instance, declared.EXAMPLE, outputs, encode)

    @classmethod
    def _of_features(cls, declared: ModuleType) -> Self:
        """As `task.py` declared it up to 0.9: so many numbers."""
        width = declared.FEATURES
        numbers = list[declared.Feature]  # type: ignore[name-defined]
        return cls(Annotated[numbers, Field(min_length=width, max_length=width)], [0.0] * width)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Checks instances, and gives them as JSON."""
        return TypeAdapter(self.instance)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of an instance, with its definitions in place."""
        schema = self.adapter.json_schema()
        inlined: dict[str, Any] = _inlined(schema, schema.get("$defs", {}))
        return inlined

    @cached_property
    def is_named(self) -> bool:
        """Whether an instance is a row of named columns."""
        return bool(self.schema.get("type") == "object")

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The columns, in their order."""
        fields = self.schema["properties"] if self.is_named else {INPUT: self.schema}
        return {name: Column.of(name, schema) for name, schema in fields.items()}

    def encode(self, instances: Sequence[Any] | Tensor) -> Batch:
        """What the model is given for these instances."""
        if self.own_encode is not None:
            return self._encoded(self.own_encode, instances)
        if not self.is_named:
            return Batch({INPUT: self.columns[INPUT].tensor(instances)}, self._varying)
        tensors = {
            name: column.tensor([getattr(one, name) for one in instances])
            for name, column in self.columns.items()
        }
        return Batch(tensors, self._varying)

    @staticmethod
    def _encoded(own_encode: Callable[[Any], Batch], instances: Sequence[Any] | Tensor) -> Batch:
        batch = own_encode(instances)
        if len(batch) != len(instances):
            raise TypeError(f"`encode` made {len(batch)} rows of {len(instances)} instances")
        return batch

    @cached_property
    def _varying(self) -> frozenset[str]:
        return frozenset(name for name, column in self.columns.items() if column.width is None)

    @cached_property
    def golden(self) -> Batch:
        """The example, as the model is given it."""
        return self.encode([self.adapter.validate_python(self.example)])

    @cached_property
    def features(self) -> int:
        """How many values of fixed place an instance becomes."""
        fixed = self.golden.tensors.items()
        return sum(tensor.size for name, tensor in fixed if name not in self.golden.varying)

    @cached_property
    def named_inputs(self) -> dict[str, str]:
        """The names and types of what a model is given, in their order; none for a lone vector."""
        tensors = self.golden.tensors.items() if self.golden.tensors.keys() != {INPUT} else ()
        return {
            name: "string" if is_text(tensor) else str(tensor.dtype) for name, tensor in tensors
        }

    @property
    def takes_octets(self) -> bool:
        """Whether an instance is numbers and nothing else, so that float32 say it all."""
        if self.is_named or self.own_encode is not None:
            return False
        column = self.columns[INPUT]
        return column.kind == "number" and not column.optional and column.width is not None

    @property
    def takes_text(self) -> bool:
        """Whether an instance is a text and nothing else."""
        return bool(self.schema.get("type") == "string") and not _is_octets(self.schema)

    @cached_property
    def longest(self) -> int | None:
        """The bytes of the longest instance in JSON; None if the contract sets no limit."""
        return _longest(self.schema)

    def as_json(self, instance: Any) -> Any:  # noqa: ANN401
        """An instance as a caller sends it."""
        return self.adapter.dump_python(instance, mode="json")


def _is_octets(schema: Mapping[str, Any]) -> bool:
    return "contentEncoding" in schema


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    return {key: _inlined(one, definitions) for key, one in schema.items() if key != "$defs"}


def _longest(schema: Mapping[str, Any]) -> int | None:
    """The bytes of the longest value that a schema allows."""
    parts: list[int | None]
    match schema:
        case {"anyOf": choices}:
            parts = [_longest(choice) for choice in choices]
            return None if None in parts else max(part for part in parts if part is not None)
        case {"enum": values}:
            return max(CHARACTER_BYTES * len(str(value)) + 2 for value in values)
        case {"const": value}:
            return CHARACTER_BYTES * len(str(value)) + 2
        case {"type": "object"}:
            names = schema.get("properties", {})
            parts = [_longest(one) for one in names.values()]
            own = sum(CHARACTER_BYTES * len(name) + 8 for name in names) + 8
            return None if None in parts else own + sum(part for part in parts if part is not None)
        case {"type": "array", "maxItems": most, "items": items}:
            item = _longest(items)
            return None if item is None else most * item + 8
        case {"contentEncoding": "base64", "maxLength": most}:
            return int(most) + 2
        case {"type": "string", "maxLength": most}:
            return CHARACTER_BYTES * int(most) + 2
        case {"type": "number" | "integer" | "boolean" | "null"}:
            return NUMBER_BYTES
    return None


SIGNATURE = Signature.of(task)

if TYPE_CHECKING:
    from ml.task import Instance as Instance
else:
    Instance = SIGNATURE.instance
