"""What people do to their projects is done, one after the other, and every project updates with nothing lost.

The edits are data (`corpus.py`), what they meet is an ordinary release made of today's templates (`ordinary.py`), and
what counts as lost is the witness's business. All edits of all stacks are tried before a release; else some of one
stack, picked by the run's seed. The two-year project has seen many at once, and comes from the oldest release.
"""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import corpus
import grounds
import museum
import pytest
import releases
import witness
from grounds import TODAY, Ground
from museum import ROOT, git
from sizes import is_release, seed

from stackgen import project, questions, render, report, repository, update

STACKS = questions.read(ROOT).stacks()
SOME = 3
ABOUT = 30
KINDS = {
    "feature", "example", "renaming", "reformatting", "dependency", "list", "documentation", "pipeline", "migration",
    "deletion", "settings", "generated", "pins", "code",
}  # fmt: skip
MARKERS = re.compile(rb"(?m)^(<{7} yours|={7}|>{7} template)\r?\n")


def picked() -> Iterator[object]:
    """Give some edits of one stack, and which one no run knows before; before a release all edits of all stacks."""
    some = [(stack, place) for stack in STACKS for place in range(len(corpus.edits(stack)))]
    stack = STACKS[seed() % len(STACKS)]
    mine = random.Random(seed()).sample([each for each in some if each[0] == stack], SOME)
    for each in some if is_release() else mine:
        name = re.sub(r"\W+", "-", corpus.edits(each[0])[each[1]].name)
        yield pytest.param(*each, id=f"{each[0]}-{name}", marks=pytest.mark.full)


@pytest.mark.parametrize("stack", STACKS)
def test_the_corpus_holds_what_people_do(stack: str) -> None:
    edits = corpus.edits(stack)
    assert len(edits) >= ABOUT
    assert len({edit.name for edit in edits}) == len(edits)
    assert {edit.kind for edit in edits} >= KINDS


def test_the_corpus_and_the_templates_never_change_in_one_commit() -> None:
    """A rate of conflicts that has become better since the edits have would say nothing about the templates."""
    commits = git(ROOT, "log", "--no-merges", "--format=%H", "--", str(corpus.FOLDER)).split()
    both = [each for each in commits if git(ROOT, "show", "--format=", "--name-only", each, "--", "templates")]
    assert both == []


@pytest.mark.parametrize(("stack", "place"), list(picked()))
def test_an_edit_meets_an_ordinary_release_and_nothing_is_lost(
    ground: Callable[[str], Ground], tmp_path: Path, stack: str, place: int
) -> None:
    edit = corpus.edits(stack)[place]
    outcome = grounds.carry(ground(stack), [edit], tmp_path)
    assert outcome.complaints == []
    assert outcome.edited
    # What is written for every stack finds less in one that has fewer files.
    assert outcome.missing == [] or edit.common


@pytest.mark.parametrize("stack", [pytest.param(stack, marks=pytest.mark.release) for stack in STACKS])
def test_an_ordinary_release_reaches_a_project_that_nobody_has_changed(
    ground: Callable[[str], Ground], tmp_path: Path, stack: str
) -> None:
    outcome = grounds.carry(ground(stack), [], tmp_path)
    assert (outcome.complaints, outcome.report.conflicts) == ([], ())
    assert {"added", "changed", "moved", "removed"} - {"moved"} <= {file.fate for file in outcome.report.files}


def two_years(template: Path, stack: str, folder: Path) -> project.Project:
    """Make the project of somebody who began with the oldest release, and has done much to it."""
    oldest = next(version for version in releases.released() if stack in releases.stacks_of(version))
    made = folder / "my-shop"
    render.make(str(template), f"v{oldest}", made, {"stack": stack, "name": "my-shop"})
    repository.start(made)
    done = [edit.name for edit in corpus.two_years(stack) if len(edit.apply(made)) == 0]
    assert len(done) >= 15
    git(made, "add", "--all")
    git(made, "commit", "--quiet", "--message", "Two years")
    return project.read(made)


def carried(template: Path, made: project.Project, version: str, folder: Path) -> tuple[witness.Case, update.Report]:
    """Update a project as its owner does, and give what the witness has to see."""
    had = witness.files(made.path)
    old = render.old(made, str(template), folder / "old")
    new = render.new(made, render.Target(str(template), made.source, f"v{version}", {}), folder / "new")
    told = update.run(made, {}, {}, version=version)
    sides = (witness.files(old), had, witness.files(new), witness.files(made.path))
    return witness.Case(*sides, report.data(told)), told


def settle(made: project.Project, told: update.Report) -> None:
    """Keep both sides of every conflict, and commit."""
    for name in told.conflicts:
        if (made.path / name).is_file():
            (made.path / name).write_bytes(MARKERS.sub(b"", (made.path / name).read_bytes()))
    git(made.path, "add", "--all")
    git(made.path, "commit", "--quiet", "--message", told.to_version)


def chosen() -> Iterator[object]:
    one = STACKS[(seed() + 1) % len(STACKS)]
    for stack in STACKS:
        yield pytest.param(stack, marks=pytest.mark.full if stack == one else pytest.mark.release)


@pytest.mark.parametrize("stack", list(chosen()))
def test_the_two_year_project_comes_from_the_oldest_release_with_nothing_lost(
    template: Path, tmp_path: Path, stack: str
) -> None:
    made = two_years(template, stack, tmp_path)
    case, told = carried(template, made, TODAY, tmp_path)
    assert witness.complaints(case) == []
    # What a reviewer needs: each thing that was decided for him, why, and what he has to do.
    fates = {file.fate for file in told.files}
    assert {"added", "changed", "merged", "stays deleted"} <= fates
    assert [file.path for file in told.files if file.fate == "generated" and not file.note] == []
    assert {note.kind for note in told.notes} >= {"changes"}
    assert sorted(each.path for each in told.to_settle) == sorted(told.conflicts)


@pytest.mark.release
@pytest.mark.parametrize("stack", STACKS)
def test_the_two_year_project_goes_through_every_release_with_nothing_lost(
    template: Path, tmp_path: Path, stack: str
) -> None:
    made = two_years(template, stack, tmp_path)
    versions = [version for version in releases.released() if f"v{version}" != made.version]
    for version in [*versions[list(releases.released()).index(made.version[1:]) :], TODAY]:
        case, told = carried(template, made, version, tmp_path / version)
        assert (version, witness.complaints(case)) == (version, [])
        settle(made, told)
        made = project.read(made.path)
    assert museum.git(made.path, "status", "--porcelain") == ""
