"""Tries an update in copies of the project: what passed before it and does not after it is the update's doing."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackgen import git, project, provenance, proving, report, repository, update, verify, workshop
from stackgen.errors import CheckError, ConflictError, DestinationError, UsageError
from stackgen.project import Project
from stackgen.proving import Tell
from stackgen.revision import Wish
from stackgen.verify import Result, State


@dataclass(frozen=True, slots=True)
class Trial:
    """A step of the new release, and what became of it before the update; None where the step is new."""

    result: Result
    before: State | None

    @property
    def is_blamed(self) -> bool:
        """Tell whether the step was fine, or not there, before the update and is not fine after it."""
        return self.result.state is not State.PASSED and not self.was_left_out and self.before in {None, State.PASSED}

    @property
    def was_left_out(self) -> bool:
        """Tell whether it was not run since another step had failed, which is blamed in its place."""
        return self.result.state is State.LEFT

    def data(self) -> dict[str, object]:
        """Give it as JSON data."""
        return {**proving.step_data(self.result), "before": str(self.before) if self.before else None}


def compare(before: Sequence[Result], after: Sequence[Result]) -> tuple[Trial, ...]:
    """Put the steps after an update beside those before it."""
    states = {each.name: each.state for each in before}
    return tuple(Trial(each, states.get(each.name)) for each in after)


def copy_of(path: Path, folder: Path) -> Path:
    """Give a project as its last commit has it, in a clone; raises `DestinationError` where none can be made."""
    home = repository.find(path)
    top = os.fsdecode(home.git("rev-parse", "--show-toplevel")).rstrip("\n")
    cloned = git.attempt("clone", "--quiet", "-c", "advice.detachedHead=false", top, str(folder))
    if cloned.returncode:
        message = f"{top} cannot be cloned: {git.reason(cloned.stderr.decode(errors='replace'))}"
        raise DestinationError(message, "update without --verify, then run stackgen verify")
    return folder / home.prefix


def attempt(
    here: Project, wish: Wish, environment: Mapping[str, str], tell: Tell, skip: Sequence[str] = ()
) -> tuple[tuple[Trial, ...], str | None]:
    """Verify copies of the project before and after the update; give the steps, and the digest of what was tried.

    Raises `CheckError` for what passed before and does not after, and for what could be run neither before nor after,
    and `ConflictError` where there would be conflicts: then nothing has been written.
    """
    proving.require_posix()
    seen, _ = update.look(here, wish, environment)
    if not seen.changed and seen.from_version == seen.to_version:
        return (), None
    if seen.conflicts:
        message = f"the update would leave {len(seen.conflicts)} file(s) in conflict, so it cannot be verified before"
        raise ConflictError(
            message, "update without --verify, settle them, then run stackgen verify", report.data(seen)
        )
    logs = Path(tempfile.mkdtemp(prefix="stackgen-verify-"))
    try:
        with workshop.folder() as place:
            old, new = (copy_of(here.path, place / name) for name in ("before", "after"))
            update.carry(project.read(new), wish, environment, seen.digest)
            _refuse_no_steps(new, skip)
            before = _put_through(old, logs / "before", skip, lambda page: tell(f"Before the update\n{page}"))
            after = _put_through(new, logs / "after", skip, lambda page: tell(f"After the update\n{page}"))
        tried = compare(before, after)
        _refuse_broken(here, tried)
        _refuse_unproven(here, tried)
    except CheckError:
        raise
    except BaseException:
        workshop.remove(logs)
        raise
    workshop.remove(logs)
    return tried, seen.digest


def _refuse_no_steps(at: Path, skip: Sequence[str]) -> None:
    """Refuse a release that does not say how a project is verified, and names that no step of it has."""
    found = project.read(at)
    names = verify.names(provenance.record(found).proof, found.answers)[1:]
    if not names:
        message = f"the update cannot be proven: {found.version} does not say how a project is verified"
        raise CheckError(message, "update without --verify, and run the project's own checks")
    for name in skip:
        if name not in names:
            raise UsageError(f"--skip: there is no step {name!r}", f"the steps are {', '.join(names)}")


def _put_through(at: Path, logs: Path, skip: Sequence[str], tell: Tell) -> Sequence[Result]:
    """Verify a copy; nothing of a release that does not say how, and only those steps are left out that it has."""
    found = project.read(at)
    record = provenance.record(found)
    logs.mkdir()
    return proving.put_through(found, record, logs, skip, tell) if record.proof.steps else ()


def _refuse_broken(here: Project, tried: Sequence[Trial]) -> None:
    blamed = [each.result for each in tried if each.is_blamed]
    if blamed:
        first = blamed[0]
        message = f"the update would break {', '.join(each.name for each in blamed)}: {first.name}: {first.detail}"
        hint = f"nothing was changed in {here.path}" + (f"; the output is in {first.log}" if first.log else "")
        raise CheckError(message, hint, {"verified": [each.data() for each in tried]})


def _refuse_unproven(here: Project, tried: Sequence[Trial]) -> None:
    """Refuse what nobody can vouch for: a step that lacked a program in both copies, or not one that passed."""
    details = {"verified": [each.data() for each in tried]}
    steps = [each.result for each in tried if each.result.name != verify.TOOLCHAIN]
    lacking = [each for each in steps if each.state is State.SKIPPED and each.detail != verify.AS_ASKED]
    if lacking:
        names = ", ".join(each.name for each in lacking)
        message = f"the update cannot be proven: {names} could not be run: {lacking[0].detail}"
        skips = " ".join(f"--skip {each.name}" for each in lacking)
        raise CheckError(message, f"nothing was changed in {here.path}: see stackgen doctor, or give {skips}", details)
    if not any(each.state is State.PASSED for each in steps):
        wrong = next((each for each in steps if each.state is State.FAILED), steps[0])
        message = f"the update cannot be proven, as no step passes before it either: {wrong.name}: {wrong.detail}"
        raise CheckError(message, f"nothing was changed in {here.path}: put it right with stackgen verify", details)
