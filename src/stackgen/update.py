"""Carries a project to another release, other answers or another template: planned first, then written, then proven."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackgen import endings, journal, proof, repository, revision, workshop
from stackgen.errors import DestinationError, LossError
from stackgen.journal import Journal
from stackgen.migrations import Met
from stackgen.project import Project
from stackgen.releases import Note
from stackgen.repository import Repository
from stackgen.revision import Conflict, File, Revision, Wish

BEFORE = "refs/stackgen/before-update"


@dataclass(frozen=True, slots=True)
class Report:
    """What an update has done, or a plan would do.

    `given_up` are lines of a file that make way for newer pins, or for the new answers; `drifted` are files that the
    template maintains and that were not as the old release had made them; `notes` is
    what the releases on the way say to this project, `met` are migrations of both that cannot stay as they are;
    `ignored` are new files that git ignores here.
    """

    path: Path
    from_version: str
    to_version: str
    files: tuple[File, ...] = ()
    given_up: tuple[tuple[str, str], ...] = ()
    digest: str = ""
    to_settle: tuple[Conflict, ...] = ()
    drifted: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    met: tuple[Met, ...] = ()
    ignored: tuple[str, ...] = ()

    def of(self, *fates: str) -> tuple[str, ...]:
        """Give the files that meet one of these fates."""
        return tuple(file.path for file in self.files if file.fate in fates)

    @property
    def changed(self) -> tuple[str, ...]:
        """Give every file that is not as it was."""
        return self.of("added", "changed", "merged", "conflict", "moved", "removed", "united")

    @property
    def moved(self) -> Mapping[str, str]:
        """Give the files of the user's that went where the template has put them, with their new places."""
        return {
            f.path: f.note.removeprefix("to ") for f in self.files if f.fate == "moved" and f.note.startswith("to ")
        }

    @property
    def kept(self) -> tuple[str, ...]:
        """Give the files that the template drops, but which the user had changed."""
        return self.of("kept")

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Give the files that only a person can settle."""
        return self.of("conflict")


def run(
    project: Project,
    data: Mapping[str, object],
    environment: Mapping[str, str],
    version: str | None = None,
) -> Report:
    """Carry a project to `version` (None: the newest release), or to other answers, or both."""
    return carry(project, Wish(data, version), environment)


def look(project: Project, wish: Wish, environment: Mapping[str, str], *, diff: bool = False) -> tuple[Report, bytes]:
    """Give what an update would do, with `diff` as one, too, without touching anything."""
    with _planned(project, wish, environment) as plan:
        if plan is None:
            return Report(project.path, project.version, project.version), b""
        return report(plan), plan.diff() if diff else b""


def carry(project: Project, wish: Wish, environment: Mapping[str, str], expected: str | None = None) -> Report:
    """Update a project; with `expected`, only if the plan is still the one that has this digest.

    Raises `DestinationError` where it is another by now, or the project is not ready for an update.
    """
    with _planned(project, wish, environment) as plan:
        if plan is None:
            return Report(project.path, project.version, project.version)
        if expected not in {None, plan.digest}:
            old = expected or "that had nothing to do"
            message = f"the plan {old} is out of date: the update would now be {plan.digest}"
            raise DestinationError(message, "look at the new one with `stackgen update --plan`")
        apply(plan)
        return report(plan)


@contextmanager
def _planned(project: Project, wish: Wish, environment: Mapping[str, str]) -> Iterator[Revision | None]:
    repository.require_merges()
    home = repository.find(project.path)
    with journal.locked(home):
        _refuse_unfinished(home)
        repository.require_ready(home)
        with workshop.folder() as folder:
            yield revision.make(project, home, wish, environment, folder)


def apply(plan: Revision) -> None:
    """Write the update whole or not at all."""
    home = plan.repository
    home.mark(BEFORE)
    before = proof.Proof(
        home.path,
        plan.template,
        (name for name in plan.changes if name in plan.ours),
        lambda path, content: home.kept(path, content, plan.store.objects),
    )
    versions = (plan.project.version, plan.to_version)
    written = journal.prepare(home, plan.changes, plan.conflicts, plan.store.objects, versions)
    try:
        _prove(before, written.root / "out" / home.prefix, plan)
        _require_as_planned(home)
    except BaseException:
        journal.discard(written)
        raise
    journal.begin(written)
    try:
        _refuse_meanwhile(journal.go_on(home, written))
        _prove(before, home.path, plan)
        _prove_alone(home, plan)
        journal.finish(home, written)
    except BaseException:
        journal.take_back(home, written)
        raise
    left = f", with conflicts in {len(plan.conflicts)} file(s)" if plan.conflicts else ""
    endings.finish(f"{plan.project.path} was updated to {plan.to_version}{left}")


def _require_as_planned(home: Repository) -> None:
    """Refuse what somebody has changed or committed since the update was planned: it would be written over."""
    repository.require_ready(home)
    if repository.find(home.path).head != home.head:
        raise DestinationError(f"{home.path} has another commit since the update was planned", "update again")


def _refuse_meanwhile(put_aside: tuple[str, ...]) -> None:
    if put_aside:
        places = ", ".join(map(repository.readable, put_aside))
        message = f"files were changed while the update was written, and put aside: {places}"
        raise DestinationError(message, "everything else is as it was; put them back, and commit or stash them")


def _prove(before: proof.Proof, after: Path, plan: Revision) -> None:
    for loss in before.losses(after, plan.changes, plan.given_up):
        message = (
            f"the update would have lost line {loss.line} of {repository.readable(loss.file)}: {loss.text.strip()!r}"
        )
        raise LossError(message, "everything is as it was; please report it")


def _prove_alone(home: Repository, plan: Revision) -> None:
    strangers = sorted(home.changed().keys() - plan.changes.keys() - plan.conflicts.keys())
    if strangers:
        message = (
            f"files changed that the update did not mean to touch: {', '.join(map(repository.readable, strangers))}"
        )
        raise LossError(message, "everything else is as it was; see whether something else is writing there")


def report(plan: Revision) -> Report:
    """Give what a plan does, as it is told to whoever asked for it."""
    given_up = tuple(
        (path, line.decode(errors="backslashreplace").strip())
        for path, lines in plan.given_up.items()
        for line in lines
    )
    return Report(
        plan.project.path,
        plan.project.version,
        plan.to_version,
        plan.files,
        given_up,
        plan.digest,
        plan.settle(),
        plan.drifted,
        plan.notes,
        plan.met,
        plan.repository.ignored(path for path, entry in plan.changes.items() if entry and path not in plan.ours),
    )


def _refuse_unfinished(home: Repository) -> None:
    unfinished = journal.load(home)
    if unfinished and unfinished.phase == journal.WRITING:
        message = f"an update of {home.path} to {unfinished.after} was interrupted"
        raise DestinationError(message, "end it with `stackgen update --continue`, or take it back with `--abort`")


@dataclass(frozen=True, slots=True)
class Ended:
    """An update that was ended or taken back; `put_aside` are files that had been changed since it began."""

    path: Path
    from_version: str
    to_version: str
    put_aside: tuple[str, ...]
    conflicts: tuple[str, ...] = ()


def end(path: Path) -> Ended:
    """End an update that was interrupted.

    Raises `DestinationError` where none was, or where it was being taken back.
    """
    with _journal(path) as (home, unfinished):
        if not unfinished or unfinished.phase != journal.WRITING:
            raise DestinationError(f"no update of {path} was interrupted", "start one with `stackgen update`")
        _refuse_elsewhere(home, unfinished)
        if not journal.can_go_on(home, unfinished):
            message = f"the update of {path} was being taken back when it was interrupted"
            raise DestinationError(message, "run `stackgen update --abort`")
        aside = journal.go_on(home, unfinished)
        journal.finish(home, unfinished)
        endings.finish(f"the update of {path} was ended")
        return Ended(path, unfinished.before, unfinished.after, aside, tuple(sorted(unfinished.stages)))


def take_back(path: Path) -> Ended:
    """Take an update back that was interrupted, or not committed yet.

    Raises `DestinationError` where there is none.
    """
    with _journal(path) as (home, last):
        if not last or (last.phase == journal.DONE and last.head != home.head):
            message = f"there is no update of {path} to take back"
            raise DestinationError(message, "one that was committed is taken back with `git revert`")
        aside: tuple[str, ...] = ()
        if last.head != home.head and not journal.is_begun(home, last):
            journal.discard(last)
        else:
            _refuse_elsewhere(home, last)
            aside = journal.take_back(home, last)
        endings.finish(f"the update of {path} was taken back")
        return Ended(path, last.before, last.after, aside)


def _refuse_elsewhere(home: Repository, unfinished: Journal) -> None:
    """Refuse to write an update's files, or those from before it, over another commit's."""
    if unfinished.head != home.head:
        began = unfinished.head[:12]
        message = f"the update of {home.path} that was interrupted began at {began}, and another commit is checked out"
        hint = f"git switch --detach {began}, or git reset --soft {began} if you have committed since; then try again"
        raise DestinationError(message, hint)


@contextmanager
def _journal(path: Path) -> Iterator[tuple[Repository, Journal | None]]:
    home = repository.find(path)
    with journal.locked(home):
        yield home, journal.load(home)
