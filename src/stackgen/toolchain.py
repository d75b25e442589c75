"""What a stack needs on this machine, and whether it is there."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from stackgen.stacks import Record


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that a stack needs, the oldest version that runs it and the ways to get it."""

    command: tuple[str, ...]
    name: str
    minimum: tuple[int, ...]
    ways: str

    def problem(self) -> str:
        """Give one line saying what is wrong with this machine's version, or an empty string."""
        needed = f"{self.name} {'.'.join(map(str, self.minimum))} or newer is needed"
        found = self._version()
        if found is None:
            return f"{needed}, none was found: {self.ways}"
        if found < self.minimum:
            return f"{needed}, {'.'.join(map(str, found))} was found: {self.ways}"
        return ""

    def _version(self) -> tuple[int, ...] | None:
        path = shutil.which(self.command[0])
        if path is None:
            return None
        try:
            run = subprocess.run([path, *self.command[1:]], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", run.stdout)
        return tuple(int(part) for part in match.groups(default="0")) if match else None


KNOWN: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "node": ("Node.js", ("--version",), "from nodejs.org, with nvm, fnm or mise, or your package manager"),
    "go": ("Go", ("version",), "from go.dev/dl, mise or your package manager"),
    "uv": ("uv", ("--version",), "pip install uv, pipx install uv or your package manager"),
}
"""The programs that we know how to ask for their version, and no others are run: a template is data."""


def problems(record: Record) -> tuple[str, ...]:
    """Give one line for each tool of the stack that this machine lacks or has too old."""
    return tuple(filter(None, (_problem(name, oldest) for name, oldest in record.tools)))


def _problem(name: str, oldest: str) -> str:
    if name in KNOWN:
        title, question, ways = KNOWN[name]
        return Tool((name, *question), title, tuple(map(int, oldest.split("."))), ways).problem()
    return "" if shutil.which(name) else f"{name} {oldest} or newer is needed, none was found"
