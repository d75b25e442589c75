"""Refreshes the requirements*.txt of every template that pip or uv installs, with the projects' own dependencies.py.

    uv run tools/python_locks.py            # after a change of a pyproject.toml.jinja; the rest keeps its version
    uv run tools/python_locks.py --upgrade  # everything that it does not pin moves to its newest version

A file of pins that answers change has one template for each answer, under a name with the condition.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import copier

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Pins:
    """The pins of one set of answers: where they are in a project of theirs, and the condition in their names."""

    stack: str
    folder: str
    answers: tuple[tuple[str, object], ...]
    condition: str

    def template(self, name: str) -> Path:
        """Give the template of a file of pins."""
        place = ROOT / "templates" / self.stack / "project" / self.folder
        conditional = place / f"[=% if {self.condition} %=]{name}[=% endif %=]"
        return conditional if conditional.exists() else place / name


PINS = (
    Pins("python-django", ".", (("data_tools", True),), "notebook"),
    Pins("python-django", ".", (("data_tools", False),), "csv_only"),
    Pins("python-django", ".", (("example", False),), "without_example"),
    Pins("hybrid-node-python-ml", "services/ml", (("ml_training", "sklearn"),), "ml_sklearn"),
    Pins("hybrid-node-python-ml", "services/ml", (("ml_training", "torch"),), "ml_torch"),
)


def render(pins: Pins, project: Path) -> Path:
    """Give the folder with the pins, in a project of their answers."""
    data = {"stack": pins.stack, "name": "locks", **dict(pins.answers)}
    copier.run_copy(str(ROOT), project, data=data, vcs_ref="HEAD", defaults=True, quiet=True)
    return project / pins.folder


def refresh(pins: Pins, arguments: list[str]) -> None:
    """Let a project of these answers write its pins, and keep what it wrote."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = render(pins, Path(temporary, "project"))
        # Nobody's own index gets into a file of pins.
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("UV_", "PIP_"))}
        command = [sys.executable, "dependencies.py", "--no-install", *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True)
        for written in sorted(folder.glob("requirements*.txt")):
            template = pins.template(written.name)
            print(template.relative_to(ROOT))
            template.write_text(written.read_text(encoding="utf-8"), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Refresh the pins of every set of answers."""
    for pins in PINS:
        refresh(pins, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
