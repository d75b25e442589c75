"""What a command comes to: one shape for all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackgen.layout import Style


def _nothing() -> None:
    """Let the outcome pass as success."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command has to say, as JSON data or as text; `settle` raises what must not pass as success.

    Where `is_data` holds, the text is JSON as well, and is written so that nothing of it is lost.
    """

    data: Callable[[], dict[str, object]]
    text: Callable[["Style"], str]
    settle: Callable[[], None] = _nothing
    is_data: bool = False
