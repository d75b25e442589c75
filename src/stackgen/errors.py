"""Everything that can go wrong on purpose. Each class carries the exit code that users script against."""

import re
from collections.abc import Mapping
from typing import ClassVar

_LONG_WORD = re.compile(r"\S{161,}")
_LONGEST = 2000


def cut(text: str) -> str:
    """Give a text that repeats what somebody said, without the middle of what is longer than it can be read."""
    text = _LONG_WORD.sub(lambda found: f"{found[0][:100]}…{found[0][-40:]}", text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 200]} … {text[-200:]}"


class StackgenError(Exception):
    """An expected failure: one line saying what is wrong, and one saying what to do next.

    `code` is the stable name in the JSON envelope, `exit_code` the process's exit status;
    `details` is what a program may want to know beside them.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "", details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.details = details
        self.message = cut(message)
        self.hint = cut(hint)


class LossError(StackgenError):
    """The update would have lost something of the user's: a bug, and everything was put back."""

    code = "loss"


class UsageError(StackgenError):
    """The choices, answers, flags or the project's name cannot be used."""

    code = "usage"
    exit_code = 2


class DestinationError(StackgenError):
    """The folder to write to, or the project to read, is not usable."""

    code = "destination"
    exit_code = 3


class SourceError(StackgenError):
    """The template, or the release that a project was made from, cannot be had."""

    code = "source"
    exit_code = 4


class ConflictError(StackgenError):
    """The update is done, but left conflicts that only a person can settle."""

    code = "conflict"
    exit_code = 5


class CheckError(StackgenError):
    """A generated project's own checks failed."""

    code = "check"
    exit_code = 6


class FoundError(StackgenError):
    """`--check` found something to do."""

    code = "found"
    exit_code = 7
