"""Runs git for templates and for projects: not where a git that started us points, and never waiting for a person."""

import os
import re
import subprocess
from collections.abc import Mapping
from typing import TypeAlias

from stackgen.errors import SourceError

# What git sets for the commands that it starts, hooks and aliases among them, would lead us to another repository.
_LOCAL = re.compile(
    r"GIT_(DIR|WORK_TREE|IMPLICIT_WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|PREFIX"
    r"|NAMESPACE|ATTR_SOURCE|SHALLOW_FILE|GRAFT_FILE|(LITERAL|GLOB|NOGLOB|ICASE)_PATHSPECS)"
)
# The same for its settings; to read a template they stay, since they may hold the way and the access to it.
_SETTINGS = re.compile(r"GIT_CONFIG(_PARAMETERS|_COUNT)?")
_OURS = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}

AS_IT_STANDS = {"core.autocrlf": "false", "core.attributesFile": os.devnull, "core.hooksPath": os.devnull}
"""Settings for reading a template: nothing that the user has set for git has a say in how it reads."""

Done: TypeAlias = subprocess.CompletedProcess[bytes]


def attempt(*arguments: str, stdin: bytes = b"", also: Mapping[str, str] | None = None, inherit: bool = False) -> Done:
    """Run git, whatever comes of it; `inherit` keeps the settings that the environment holds.

    Raises `SourceError` where git cannot be started.
    """
    environment = {key: value for key, value in os.environ.items() if not _LOCAL.fullmatch(key)}
    if not inherit:
        environment = {key: value for key, value in environment.items() if not _SETTINGS.fullmatch(key)}
    environment |= {**_OURS, **(also or {})}
    try:
        return subprocess.run(["git", *arguments], input=stdin, capture_output=True, env=environment, check=False)
    except FileNotFoundError:
        message = "git is not installed, and neither templates nor projects can be had without it"
        raise SourceError(message, "install git") from None


def reason(complaint: str) -> str:
    """Give the one line of git's complaint that says what is wrong."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()] or ["git gave no reason"]
    place = next((i for i, line in enumerate(lines) if line.startswith(("fatal:", "error:"))), -1)
    if place > 0 and lines[place].endswith("Could not read from remote repository."):
        place -= 1  # where ssh has said why
    return lines[place].removeprefix("fatal: ")


def hint(complaint: str) -> str:
    """Give what to do about a complaint of git's that no template is the reason of, an empty string for any other."""
    return "put git's configuration right" if "bad config" in complaint else ""


def is_full(complaint: str) -> bool:
    """Tell whether a complaint of git's is about a disk without room."""
    return any(words in complaint for words in ("No space left", "Out of diskspace", "Disk quota exceeded"))
