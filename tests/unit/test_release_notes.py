"""What releases say to those who update: ours can be read, and say nothing that no project could meet."""

import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from museum import git
from packaging.version import Version
from releases import released

from stackgen import questions, releases
from stackgen.errors import SourceError

ROOT = Path(__file__).parents[2]
ASKED = questions.read(ROOT)


@pytest.mark.parametrize("stack", ASKED.stacks())
def test_our_own_notes_can_be_shown_and_name_answers_that_there_are(stack: str) -> None:
    folder = ROOT / "templates" / stack / releases.FOLDER
    releases.check(folder)
    values = {
        question.key: {*question.values, *([True, False] * (question.type == "bool"))}
        for question in ASKED.asked(stack)
    }
    for path in folder.iterdir():
        for key, wanted in releases.conditions(path):
            assert wanted <= values[key], path


@pytest.mark.parametrize("stack", ASKED.stacks())
def test_a_note_is_about_files_that_a_project_has_before_it_updates(stack: str) -> None:
    """One about a folder that its release brings would be shown to nobody."""
    known = [*released(), "99.0.0"]
    for path in (ROOT / "templates" / stack / releases.FOLDER).iterdir():
        version = ".".join(path.name.split(".")[:3])
        before = next(one for one, following in pairwise(known) if Version(following) >= Version(version))
        for patterns in releases.subjects(path):
            note = releases.Note(version, "changes", "", patterns)
            assert any(map(note.is_about, had(before))), f"{path.name}: {patterns}"


@cache
def had(version: str) -> list[str]:
    """Give the files of a release's projects, of any stack and any answers: they are lent from stack to stack."""
    names = git(ROOT, "ls-tree", "-r", "--name-only", released()[version], "--", "templates").splitlines()
    plain = (re.sub(r"\[=%.*?%=\]|\.jinja$", "", name) for name in names if "/project/" in name or "/common/" in name)
    return [re.sub(r"^templates/[^/]+/(project/)?", "", name) for name in plain]


@pytest.mark.parametrize("stack", ASKED.stacks())
def test_what_is_said_to_all_stacks_is_said_to_each(stack: str) -> None:
    shared = {path.resolve() for path in (ROOT / "templates/common/releases").iterdir()}
    assert shared <= {path.resolve() for path in (ROOT / "templates" / stack / releases.FOLDER).iterdir()}


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("next.yml", "changes: [{text: a}]\n", "not named after a release"),
        ("1.0.0.yml", "change: [{text: a}]\n", "change"),
        ("1.0.0.yml", "changes: [{text: a, file: b}]\n", "changes.0.file"),
        ("1.0.0.yml", "changes: [{text: ' '}]\n", "changes.0.text"),
        ("1.0.0.yml", "renamed: [{was: a}]\n", "renamed.0.now"),
        ("1.0.0.yml", "changes: [\n", "neither YAML nor JSON"),
    ],
)
def test_notes_that_could_not_be_shown_are_refused(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=complaint):
        releases.check(tmp_path)


def test_a_link_that_leads_nowhere_is_the_templates_fault(tmp_path: Path) -> None:
    (tmp_path / "1.0.0.yml").symlink_to("elsewhere.yml")
    with pytest.raises(SourceError, match=r"1\.0\.0\.yml cannot be read"):
        releases.check(tmp_path)
