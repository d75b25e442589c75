"""What an instance is made of: the types that `task.py` declares its inputs with."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

FLOAT32_MAX = float(np.finfo(np.float32).max)
# Beyond these, JavaScript has no whole numbers.
SAFE_INTEGER = 2**53 - 1

Number = Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX, allow_inf_nan=False)]
Integer = Annotated[int, Field(ge=-SAFE_INTEGER, le=SAFE_INTEGER)]
Text = Annotated[str, Field(max_length=1000)]


class Row(BaseModel):
    """A row of named columns.

    Strict: what the contract calls a number is one, not "1" and not true.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
