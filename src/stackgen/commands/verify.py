"""`stackgen verify`: a project is proven on this machine, from its tools to its end."""

import os
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from stackgen import project, provenance, serving, verify
from stackgen.errors import CheckError, DestinationError, SourceError, UsageError
from stackgen.layout import Style, style_of, table, wrapped
from stackgen.outcome import Outcome
from stackgen.project import Project
from stackgen.verify import Result, Scene, State

Tell = Callable[[str], None]
MARKS = {State.PASSED: "ok", State.FAILED: "FAILED", State.SKIPPED: "skipped", State.LEFT: "not run"}


def prove(path: Path, skip: Sequence[str], tell: Tell, *, keep_logs: bool) -> Outcome:
    """Put the project in `path` through its steps; `tell` is given the table of them whenever one has ended."""
    if os.name != "posix":
        raise DestinationError("verify needs process groups and signals", "run it on Linux, macOS or in WSL")
    found = project.read(path)
    record = provenance.record(found)
    names = verify.names(record.proof, found.answers)
    for name in skip:
        if name not in names[1:]:
            raise UsageError(f"--skip: there is no step {name!r}", f"the steps are {', '.join(names[1:])}")
    if names == (verify.TOOLCHAIN,):
        message = f"{found.version} of {found.stack} does not say how a project is verified"
        raise SourceError(message, "bring the project to a newer release: stackgen update")
    folder = Path(tempfile.mkdtemp(prefix="stackgen-verify-"))
    environment = {name: value for name, value in os.environ.items() if name not in verify.NOT_OURS}
    values = {"folder": str(folder), "random": secrets.token_hex(4), "project": str(found.answers.get("name", ""))}
    scene = Scene(found.path, folder, environment, values)
    results: list[Result] = []
    style = style_of(sys.stderr)
    tell(proof_text(names, results, style))
    try:
        for result in verify.run(found, record, scene, serving.prove, skip):
            results.append(result)
            tell(proof_text(names, results, style))
    except BaseException:
        _remove(folder)
        raise
    if not keep_logs and _first_wrong(results) is None:
        _remove(folder)
    return Outcome(
        data=lambda: _data(found, results),
        text=lambda style: proof_text(names, results, style),
        settle=lambda: _refuse(found, results),
    )


def proof_text(names: Sequence[str], results: Sequence[Result], style: Style) -> str:
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


def _refuse(found: Project, results: Sequence[Result]) -> None:
    wrong = _first_wrong(results)
    if wrong is not None:
        hint = f"in {found.path}: {wrong.command}" + (f"; its output is in {wrong.log}" if wrong.log else "")
        message = f"{wrong.name} {'failed' if wrong.state is State.FAILED else 'was skipped'}: {wrong.detail}"
        raise CheckError(message, hint, _data(found, results))


def _first_wrong(results: Sequence[Result]) -> Result | None:
    """Give the first step that failed, else the first that was skipped though nobody had asked for it."""
    failed = (each for each in results if each.state is State.FAILED)
    skipped = (each for each in results if each.state is State.SKIPPED and each.detail != "as asked")
    return next(failed, None) or next(skipped, None)


def _data(found: Project, results: Sequence[Result]) -> dict[str, object]:
    return {
        "project": str(found.path),
        "stack": found.stack,
        "version": found.version,
        "steps": [
            {
                "step": each.name,
                "state": str(each.state),
                "seconds": round(each.seconds, 3),
                "detail": each.detail,
                "command": each.command,
                "log": str(each.log) if each.log else None,
            }
            for each in results
        ],
    }


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
