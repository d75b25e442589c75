"""What an instance is made of: the types that `task.py` declares its inputs with."""

import base64
import re
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import core_schema

FLOAT32_MAX = float(np.finfo(np.float32).max)
# Beyond these, JavaScript has no whole numbers.
SAFE_INTEGER = 2**53 - 1

Number = Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX, allow_inf_nan=False)]
Integer = Annotated[int, Field(ge=-SAFE_INTEGER, le=SAFE_INTEGER)]
Text = Annotated[str, Field(max_length=1000)]

BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


@dataclass(frozen=True, slots=True)
class Octets:
    """Bytes, such as an image's file: `Annotated[bytes, Octets(50_000)]` takes so many of them.

    Callers send them in base64. What they mean is for the task's `encode` to say.
    """

    most: int

    def __get_pydantic_core_schema__(
        self, _: object, __: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Takes base64, and from Python the bytes themselves."""
        return core_schema.no_info_before_validator_function(
            self._decoded,
            core_schema.bytes_schema(min_length=1, max_length=self.most),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda content: base64.b64encode(content).decode(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, _: core_schema.CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """A string, as long as the most bytes are in base64."""
        return {
            "type": "string",
            "contentEncoding": "base64",
            "pattern": BASE64,
            "minLength": 4,
            "maxLength": self._characters,
        }

    @property
    def _characters(self) -> int:
        return (self.most + 2) // 3 * 4

    def _decoded(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        if len(value) > self._characters:
            raise ValueError(f"these are more than {self.most} bytes")
        if not re.fullmatch(BASE64, value):
            raise ValueError("this is no base64")
        return base64.b64decode(value)


class Row(BaseModel):
    """A row of named columns.

    Strict: what the contract calls a number is one, not "1" and not true.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
