"""`stackgen update`: carry a project to another release, or show, end or take back an update."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stackgen import project, report, standing
from stackgen import update as updating
from stackgen.errors import ConflictError, FoundError, UsageError
from stackgen.outcome import Outcome
from stackgen.repository import readable
from stackgen.revision import Wish
from stackgen.update import Report


@dataclass(frozen=True, slots=True)
class How:
    """What is to be done with an update: at most one of these, and nothing said is to do it."""

    plan: bool = False
    diff: bool = False
    check: bool = False
    apply: str | None = None
    go_on: bool = False
    abort: bool = False

    def refuse_several(self, wish: Wish) -> None:
        """Refuse flags that exclude each other."""
        flags = {"--plan": self.plan, "--apply": self.apply, "--continue": self.go_on, "--abort": self.abort}
        given = [flag for flag, value in {**flags, "--check": self.check}.items() if value]
        if len(given) > 1 or ((self.go_on or self.abort) and wish != Wish({})):
            asked = " and ".join(given) if len(given) > 1 else f"{given[0]} and a change"
            raise UsageError(f"{asked} cannot go together", "see stackgen update --help")


def carry(path: Path, wish: Wish, how: How) -> Outcome:
    """Carry the project in `path` to what is wished for, or do what else is to be done with an update."""
    how.refuse_several(wish)
    if how.go_on or how.abort:
        return _end_update(path, back=how.abort)
    if how.check:
        return _check_for_update(path, wish)
    if how.plan:
        return _plan_update(path, wish, how)
    done = updating.carry(project.read(path), wish, os.environ, how.apply)
    return Outcome(
        data=lambda: report.data(done),
        text=lambda style: report.done_text(done, style),
        settle=lambda: _refuse_conflicts(done.conflicts, report.data(done)),
    )


def _refuse_conflicts(names: tuple[str, ...], details: Mapping[str, object]) -> None:
    if names:
        raise ConflictError(
            f"{len(names)} file(s) have conflicts: {', '.join(map(readable, names))}",
            "settle and commit them, or take the update back with `stackgen update --abort`",
            details,
        )


def _plan_update(path: Path, wish: Wish, how: How) -> Outcome:
    seen, changes = updating.look(project.read(path), wish, os.environ)
    shown = changes.decode(errors="backslashreplace") if how.diff else ""
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
