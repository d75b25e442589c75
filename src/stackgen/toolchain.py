"""What a stack needs on this machine, whether it is there, and how its project is started."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from stackgen.choices import Stack


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


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The tools of a stack and the commands that set its project up, check it and start it."""

    tools: tuple[Tool, ...]
    commands: tuple[str, ...]


NODE = Tool(
    ("node", "--version"),
    "Node.js",
    (22, 18),
    "from nodejs.org, with nvm, fnm or mise, or your package manager",
)
GO = Tool(("go", "version"), "Go", (1, 26), "from go.dev/dl, mise or your package manager")
UV = Tool(("uv", "--version"), "uv", (0, 8), "pip install uv, pipx install uv or your package manager")

TOOLCHAINS: Mapping[Stack, Toolchain] = {
    Stack.NODE: Toolchain((NODE,), ("npm ci", "npm run dev")),
    Stack.HYBRID: Toolchain((NODE, UV), ("npm run setup", "npm run dev")),
    Stack.DJANGO: Toolchain(
        (UV,),
        (
            (
                'uv venv --python ">=3.11" && uv pip sync --python .venv --require-hashes requirements-dev.txt'
                " && uv pip install --python .venv --no-deps --editable ."
            ),
            "cp .env.example .env && uv run python manage.py migrate && uv run python manage.py runserver",
        ),
    ),
    Stack.GO: Toolchain((GO,), ("make test", "make build")),
}


def problems(stack: Stack) -> tuple[str, ...]:
    """Give one line for each tool of the stack that this machine lacks or has too old."""
    return tuple(filter(None, (tool.problem() for tool in TOOLCHAINS[stack].tools)))
