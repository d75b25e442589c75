"""Where edits are tried: a template with its releases, and a project that is carried from one to another many times.

A project and both of its releases are rendered once; from there on the way is the engine's own. `today` is what this
repository holds, `ordinary` an ordinary release made of it.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import ordinary
import witness
from corpus import Edit
from museum import Repository, git, repository_of_today
from releases import released

from stackgen import merge, project, render, report, repository, revision, update

TODAY, ORDINARY = "89.0.0", "90.0.0"
Look = Callable[[Path], witness.Files]
# The corpus is written for the newest release; its project meets today's changes and an ordinary release's.
NEWEST = list(released())[-1]
ANSWERS: Mapping[str, object] = {"name": "my-shop", "deploy": "kubernetes"}


def template(folder: Path) -> Path:
    """Make a repository in which every release has its tag, today's templates and an ordinary release among them."""
    made: Repository = repository_of_today(folder / "template")
    tags = {**released(), TODAY: made.release(TODAY), ORDINARY: ordinary.release(made, ORDINARY)}
    for version, commit in tags.items():
        git(made.path, "tag", "--force", f"v{version}", commit)
    return made.path


@dataclass(frozen=True)
class Ground:
    """A project as a release made it, and what that release and another make of its answers."""

    stack: str
    pristine: Path
    old: Path
    new: Path

    @property
    def files(self) -> int:
        return len(witness.files(self.pristine))


def lay(source: Path, stack: str, before: str, after: str, folder: Path) -> Ground:
    """Make the project, and render what it would be updated from and to."""
    pristine = folder / "pristine" / "my-shop"
    pristine.parent.mkdir(parents=True)
    render.make(str(source), f"v{before}", pristine, {"stack": stack, **ANSWERS})
    repository.start(pristine)
    made = project.read(pristine)
    target = render.Target(str(source), made.source, f"v{after}", {})
    old = render.old(made, str(source), folder / "old")
    return Ground(stack, pristine, old, render.new(made, target, folder / "new"))


@dataclass(frozen=True)
class Outcome:
    """What an update came to.

    The witness's complaints, what the report says, what an edit found nothing for, and whether it did anything.
    """

    complaints: list[str]
    report: update.Report
    missing: list[str]
    edited: bool


def carry(ground: Ground, edits: Iterable[Edit], work: Path) -> Outcome:
    """Let somebody do all of this to a fresh copy of the project, and update it."""
    shop = work / ground.pristine.name
    shutil.copytree(ground.pristine, shop, symlinks=True)
    missing = [each for edit in edits for each in edit.apply(shop)]
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--allow-empty", "--message", "Edit")
    had = witness.files(shop)
    complaints, told = updated(ground, shop, work)
    return Outcome(complaints, told, missing, had != witness.files(ground.pristine))


def updated(ground: Ground, shop: Path, work: Path, look: Look = witness.files) -> tuple[list[str], update.Report]:
    """Update what somebody has made of the project; give the witness's complaints, and what the report says."""
    had = look(shop)
    home = repository.find(shop)
    repository.require_ready(home)
    plan = revision.revise(project.read(shop), home, merge.open_store(work / "store", home), ground.old, ground.new)
    update.apply(plan)
    told = update.report(plan)
    case = witness.Case(witness.files(ground.old), had, witness.files(ground.new), look(shop), report.data(told))
    return witness.complaints(case), told
