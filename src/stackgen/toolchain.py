"""What a stack needs on this machine, and whether it is there."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from stackgen.stacks import Record


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that a stack needs, the oldest version that runs it, the one found here, and the ways to get it.

    `found` is an empty string where there is none, and `?` where there is one whose version cannot be asked for.
    """

    command: str
    name: str
    needed: str
    found: str
    ways: str

    @property
    def problem(self) -> str:
        """One line saying what is wrong with this machine's version, or an empty string."""
        if self.found and (self.found == _UNKNOWN or _parts(self.found) >= _parts(self.needed)):
            return ""
        what = f"{self.found} was found" if self.found else "none was found"
        return f"{self.name} {self.needed} or newer is needed, {what}" + (f": {self.ways}" if self.ways else "")


_UNKNOWN = "?"


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


KNOWN: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "node": ("Node.js", ("--version",), "from nodejs.org, with nvm, fnm or mise, or your package manager"),
    "go": ("Go", ("version",), "from go.dev/dl, mise or your package manager"),
    "uv": ("uv", ("--version",), "pip install uv, pipx install uv or your package manager"),
}
"""The programs that we know how to ask for their version, and no others are run: a template is data."""


def tools(record: Record) -> tuple[Tool, ...]:
    """Give what the stack needs, and what this machine has of it."""
    return tuple(_tool(command, needed) for command, needed in record.tools)


def problems(record: Record) -> tuple[str, ...]:
    """Give one line for each tool of the stack that this machine lacks or has too old."""
    return tuple(filter(None, (tool.problem for tool in tools(record))))


def _tool(command: str, needed: str) -> Tool:
    path = shutil.which(command)
    if command not in KNOWN:
        return Tool(command, command, needed, _UNKNOWN if path else "", "")
    name, question, ways = KNOWN[command]
    return Tool(command, name, needed, _version([path, *question]) if path else "", ways)


def _version(command: list[str]) -> str:
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", run.stdout)
    return ".".join(match.groups(default="0")) if match else ""
