"""Puts a project through the steps of its proof, and shows how far it has come."""

import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from stackgen import serving, verify
from stackgen.errors import DestinationError
from stackgen.layout import Style, style_of, table, wrapped
from stackgen.project import Project
from stackgen.stacks import Record
from stackgen.verify import Result, Scene, State

Tell = Callable[[str], None]
MARKS = {State.PASSED: "ok", State.FAILED: "FAILED", State.SKIPPED: "skipped", State.LEFT: "not run"}


def require_posix() -> None:
    """Refuse a machine on which a server and all that it started cannot be ended."""
    if os.name != "posix":
        raise DestinationError("verify needs process groups and signals", "run it on Linux, macOS or in WSL")


def put_through(found: Project, record: Record, folder: Path, skip: Sequence[str], tell: Tell) -> list[Result]:
    """Run a project's steps with their logs in `folder`, and give what became of each."""
    names = verify.names(record.proof, found.answers)
    environment = {name: value for name, value in os.environ.items() if name not in verify.NOT_OURS}
    values = {"folder": str(folder), "random": secrets.token_hex(4), "project": str(found.answers.get("name", ""))}
    scene = Scene(found.path, folder, environment, values)
    results: list[Result] = []
    style = style_of(sys.stderr)
    tell(text(names, results, style))
    for result in verify.run(found, record, scene, serving.prove, skip):
        results.append(result)
        tell(text(names, results, style))
    return results


def text(names: Sequence[str], results: Sequence[Result], style: Style) -> str:
    """Give the table of steps: those that have ended, then those to come."""
    rows = [("step", "", "seconds", "")]
    rows += [(each.name, MARKS[each.state], f"{each.seconds:.1f}", each.detail) for each in results]
    rows += [(name, "", "", "") for name in names[len(results) :]]
    lines = list(table(rows, style))
    if len(results) == len(names):
        lines += ["", wrapped(_summary(results), style)]
    return "\n".join(lines)


def _summary(results: Sequence[Result]) -> str:
    count = Counter(result.state for result in results)
    return ", ".join(f"{count[state]} {state}" for state in State if count[state]) + "."


def step_data(result: Result) -> dict[str, object]:
    """Give what became of a step as JSON data."""
    return {
        "step": result.name,
        "state": str(result.state),
        "seconds": round(result.seconds, 3),
        "detail": result.detail,
        "command": result.command,
        "log": str(result.log) if result.log else None,
    }
