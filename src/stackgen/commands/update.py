"""`stackgen update`: carry a project to another release, or show, end or take back an update."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stackgen import project, report, standing, trial, values
from stackgen import update as updating
from stackgen.errors import ConflictError, FoundError, UsageError
from stackgen.outcome import Outcome
from stackgen.proving import Tell
from stackgen.repository import readable
from stackgen.revision import Wish
from stackgen.trial import Trial
from stackgen.update import Report
from stackgen.verify import State

_DIGEST = "[0-9a-f]{16}"


@dataclass(frozen=True, slots=True)
class How:
    """What is to be done with an update: at most one of these, and nothing said is to do it."""

    plan: bool = False
    diff: bool = False
    check: bool = False
    apply: str | None = None
    go_on: bool = False
    abort: bool = False
    verify: bool = False
    skip: tuple[str, ...] = ()

    def refuse_nonsense(self, wish: Wish) -> None:
        """Refuse flags that exclude each other, and what is no digest."""
        if self.apply and not re.fullmatch(_DIGEST, self.apply):
            raise UsageError(f"--apply: {values.shown(self.apply)} is not the digest of a plan", "--plan shows it")
        apply = self.apply is not None
        flags = {"--plan": self.plan, "--apply": apply, "--continue": self.go_on, "--abort": self.abort}
        given = [flag for flag, value in {**flags, "--check": self.check}.items() if value]
        if len(given) > 1 or ((self.go_on or self.abort) and wish != Wish({})):
            asked = " and ".join(given) if len(given) > 1 else f"{given[0]} and a change"
            raise UsageError(f"{asked} cannot go together", "see stackgen update --help")
        if self.skip and not self.verify:
            raise UsageError("--skip leaves steps of --verify out", "give both")
        if self.verify and {*given} - {"--apply"}:
            raise UsageError(f"--verify and {given[0]} cannot go together", "see stackgen update --help")


def _no_page(_: str) -> None:
    """Show nothing of the steps."""


def carry(path: Path, wish: Wish, how: How, tell: Tell = _no_page) -> Outcome:
    """Carry the project in `path` to what is wished for, or do what else is to be done with an update.

    Before an update that is to be verified, `tell` is given the table of steps whenever one has ended.
    """
    how.refuse_nonsense(wish)
    if how.go_on or how.abort:
        return _end_update(path, back=how.abort)
    if how.check:
        return _check_for_update(path, wish)
    if how.plan:
        return _plan_update(path, wish, how)
    here = project.read(path)
    tried, digest = trial.attempt(here, wish, os.environ, tell, how.skip) if how.verify else ((), None)
    done = updating.carry(here, wish, os.environ, digest if how.apply is None else how.apply)
    verified = {"verified": [each.data() for each in tried]} if how.verify else {}
    return Outcome(
        data=lambda: {**report.data(done), **verified},
        text=lambda style: "\n".join(filter(None, (report.done_text(done, style), _verified(tried)))),
        settle=lambda: _refuse_conflicts(done.conflicts, report.data(done)),
    )


def _verified(tried: Sequence[Trial]) -> str:
    """Give what was verified, and what was no better before."""
    if not tried:
        return ""
    passed = sum(each.result.state is State.PASSED for each in tried)
    wrong = [f"{each.result.name} ({each.result.state})" for each in tried if each.result.state is not State.PASSED]
    said = f"Verified before it was written: {passed} of {len(tried)} steps passed"
    return f"{said}; not better before it: {', '.join(wrong)}" if wrong else f"{said}."


def _refuse_conflicts(names: tuple[str, ...], details: Mapping[str, object]) -> None:
    if names:
        raise ConflictError(
            f"{len(names)} file(s) have conflicts: {', '.join(map(readable, names))}",
            "settle and commit them, or take the update back with `stackgen update --abort`",
            details,
        )


def _plan_update(path: Path, wish: Wish, how: How) -> Outcome:
    seen, changes = updating.look(project.read(path), wish, os.environ, diff=how.diff)
    shown = changes.decode(errors="backslashreplace")
    return Outcome(
        data=lambda: {**report.data(seen), **({"diff": shown} if how.diff else {})},
        text=lambda style: "\n".join(filter(None, (report.plan_text(seen, style), shown))),
    )


def _check_for_update(path: Path, wish: Wish) -> Outcome:
    """Look for a newer release, and for drift, which costs one rendering where there is nothing else to do."""
    here = project.read(path)
    seen, _ = updating.look(here, wish, os.environ)
    if not seen.digest:
        seen = replace(seen, drifted=standing.look(here, os.environ).drifted)

    def settle() -> None:
        found = [f"an update is to be had: {seen.from_version} -> {seen.to_version}"] if _is_to_be_had(seen) else []
        hint = "run `stackgen update`"
        if seen.drifted:
            names = ", ".join(map(readable, seen.drifted))
            found += [f"{len(seen.drifted)} file(s) that the template maintains have been changed: {names}"]
            hint = "move what is yours into files of its own, and take the template's back" if len(found) == 1 else hint
        if found:
            raise FoundError("; ".join(found), hint, report.data(seen))

    return Outcome(
        data=lambda: report.data(seen),
        text=lambda style: report.plan_text(seen, style),
        settle=settle,
    )


def _is_to_be_had(seen: Report) -> bool:
    return bool(seen.changed) or seen.from_version != seen.to_version


def _end_update(path: Path, *, back: bool) -> Outcome:
    ended = updating.take_back(path) if back else updating.end(path)
    return Outcome(
        data=lambda: report.ended_data(ended),
        text=lambda style: report.ended_text(ended, style, back=back),
        settle=lambda: _refuse_conflicts(ended.conflicts, report.ended_data(ended)),
    )
