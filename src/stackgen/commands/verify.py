"""`stackgen verify`: a project is proven on this machine, from its tools to its end."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from stackgen import project, provenance, proving, verify, workshop
from stackgen.errors import CheckError, SourceError, UsageError
from stackgen.outcome import Outcome
from stackgen.project import Project
from stackgen.proving import Tell
from stackgen.verify import Result, State


def prove(path: Path, skip: Sequence[str], tell: Tell, *, keep_logs: bool) -> Outcome:
    """Put the project in `path` through its steps; `tell` is given the table of them whenever one has ended.

    Raises `UsageError` for a step that there is not, `SourceError` where the release does not say how it is verified.
    """
    proving.require_posix()
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
    try:
        results = proving.put_through(found, record, folder, skip, tell)
    except BaseException:
        workshop.remove(folder)
        raise
    if not keep_logs and _first_wrong(results) is None:
        workshop.remove(folder)
    return Outcome(
        data=lambda: _data(found, results),
        text=lambda style: proving.text(names, results, style),
        settle=lambda: _refuse(found, results),
    )


def _refuse(found: Project, results: Sequence[Result]) -> None:
    wrong = _first_wrong(results)
    if wrong is not None:
        hint = f"in {found.path}: {wrong.command}" + (f"; its output is in {wrong.log}" if wrong.log else "")
        message = f"{wrong.name} {'failed' if wrong.state is State.FAILED else 'was skipped'}: {wrong.detail}"
        raise CheckError(message, hint, _data(found, results))


def _first_wrong(results: Sequence[Result]) -> Result | None:
    """Give the first step that failed, else the first that was skipped though nobody had asked for it."""
    failed = (each for each in results if each.state is State.FAILED)
    skipped = (each for each in results if each.state is State.SKIPPED and each.detail != verify.AS_ASKED)
    return next(failed, None) or next(skipped, None)


def _data(found: Project, results: Sequence[Result]) -> dict[str, object]:
    return {
        "project": str(found.path),
        "stack": found.stack,
        "version": found.version,
        "steps": [proving.step_data(each) for each in results],
    }
