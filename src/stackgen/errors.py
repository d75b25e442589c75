"""Everything that can go wrong on purpose. Each class carries the exit code that users script against."""

from collections.abc import Mapping
from typing import ClassVar


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
        self.message = message
        self.hint = hint


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
