"""Updating: the user's work survives, conflicts are named, and a failure leaves no trace."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from museum import README, SECOND, Repository, git, toy_repository

from stackgen import project, render, update
from stackgen.errors import DestinationError, SourceError, StackgenError, UsageError
from stackgen.plan import Plan
from stackgen.project import Project

# Not in alphabetical order: what is recorded must come back the same however YAML sorts it.
DECISION = {"rule": "io", "reasons": ["first: one", "second"], "choices": [{"key": "b", "value": "a"}]}
UPDATE = """
import os, sys
from pathlib import Path
from stackgen import endings, project, update
endings.watch()
try:
    update.run(project.read(Path(sys.argv[1])), {}, os.environ)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def toy(tmp_path: Path) -> Repository:
    repository = toy_repository(tmp_path / "toy")
    repository.commit(version="0.1.0")
    return repository


@pytest.fixture
def shop(toy: Repository, tmp_path: Path) -> Project:
    bundle = toy.pack(tmp_path / "packed") / "templates.bundle"
    (tmp_path / "here").mkdir()
    answers = {"name": "shop", "stack": "demo", "decision": DECISION}
    return render.generate(Plan(str(bundle), "v0.1.0", tmp_path / "here/shop", answers)).project


def release(toy: Repository, shop: Project, files: dict[str, str | None] = SECOND, version: str = "0.2.0") -> None:
    toy.commit(files, version)
    Path(shop.source).unlink()
    toy.pack(Path(shop.source).parents[1] / version)
    (Path(shop.source).parents[1] / version / "templates.bundle").rename(shop.source)


def edit(shop: Project, name: str, old: str, new: str) -> None:
    content = (shop.path / name).read_text()
    assert old in content
    (shop.path / name).write_text(content.replace(old, new))
    save(shop)


def save(shop: Project) -> None:
    git(shop.path, "add", "--all")
    git(shop.path, "commit", "--quiet", "--message=Edit")


def test_the_templates_changes_arrive_and_the_users_stay(toy: Repository, shop: Project) -> None:
    edit(shop, "readme.txt", "five", "five and mine")
    (shop.path / "mine.txt").write_text("mine")
    save(shop)
    release(toy, shop)
    report = update.run(shop, {}, {})
    assert (report.from_version, report.to_version) == ("v0.1.0", "v0.2.0")
    assert report.changed == (".copier-answers.yml", "added.txt", "dropped.txt", "readme.txt")
    assert (report.kept, report.conflicts) == ((), ())
    content = (shop.path / "readme.txt").read_text()
    assert content == README.format("ONE").replace("[= name =]", "shop").replace("[= colour =]", "red").replace(
        "five", "five and mine"
    )
    assert not (shop.path / "dropped.txt").exists()
    assert (shop.path / "mine.txt").read_text() == "mine"


def test_an_answer_can_be_changed_and_the_decision_stays_as_it_was(toy: Repository, shop: Project) -> None:
    recorded = (shop.path / project.ANSWERS_FILE).read_text()
    report = update.run(shop, {"colour": "blue"}, {})
    assert report.changed == (".copier-answers.yml", "readme.txt")
    assert (shop.path / project.ANSWERS_FILE).read_text() == recorded.replace("red", "blue")
    save(shop)
    release(toy, shop)
    update.run(project.read(shop.path), {}, {})
    again = (shop.path / project.ANSWERS_FILE).read_text()
    assert again == recorded.replace("red", "blue").replace("v0.1.0", "v0.2.0")


def test_the_decision_can_be_changed_with_the_answers(shop: Project) -> None:
    update.run(shop, {"stack": "other", "decision": {"rule": "by hand"}}, {})
    after = project.read(shop.path)
    assert (after.stack, after.answers["decision"]) == ("other", {"rule": "by hand"})


@pytest.mark.parametrize("data", [{"color": "blue"}, {"stack": "cobol"}])
def test_an_answer_that_does_not_fit_is_refused_and_nothing_changes(shop: Project, data: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        update.run(shop, data, {})
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert git(shop.path, "status", "--porcelain") == ""


def test_the_same_release_and_answers_change_nothing(shop: Project) -> None:
    for data in ({}, {"colour": "red"}):
        report = update.run(shop, data, {})
        assert (report.from_version, report.to_version, report.changed) == ("v0.1.0", "v0.1.0", ())
    assert git(shop.path, "status", "--porcelain") == ""


def test_a_dropped_file_that_the_user_changed_is_kept_and_named(toy: Repository, shop: Project) -> None:
    edit(shop, "dropped.txt", "dropped", "changed, so not dropped")
    release(toy, shop)
    report = update.run(shop, {}, {})
    assert report.kept == ("dropped.txt",)
    assert (shop.path / "dropped.txt").read_text() == "changed, so not dropped by 0.2.0\n"
    assert "dropped.txt" not in report.changed


def test_a_file_that_the_user_deleted_stays_deleted(toy: Repository, shop: Project) -> None:
    (shop.path / "shared.txt").unlink()
    save(shop)
    release(toy, shop, {**SECOND, "templates/common/shared.txt": "changed\n"})
    assert update.run(shop, {}, {}).conflicts == ()
    assert not (shop.path / "shared.txt").exists()


def test_conflicts_are_named(toy: Repository, shop: Project) -> None:
    edit(shop, "readme.txt", "one", "mine")
    release(toy, shop)
    report = update.run(shop, {}, {})
    assert report.conflicts == ("readme.txt",)
    content = (shop.path / "readme.txt").read_text()
    assert "mine" in content
    assert "ONE" in content
    with pytest.raises(DestinationError, match="uncommitted"):
        update.run(project.read(shop.path), {}, {})


def test_a_project_in_a_folder_of_a_larger_repository_updates(toy: Repository, shop: Project) -> None:
    top = shop.path.parent
    for path in sorted((shop.path / ".git").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (shop.path / ".git").rmdir()
    git(top, "init", "--quiet")
    save(Project(top, "", "", "", {}))
    (top / "dirty.txt").write_text("not part of the project")
    edit_in_subfolder = shop.path / "dropped.txt"
    edit_in_subfolder.write_text("mine\n")
    save(Project(top, "", "", "", {}))
    release(toy, shop)
    report = update.run(shop, {}, {})
    assert report.kept == ("dropped.txt",)
    assert report.changed == (".copier-answers.yml", "added.txt", "readme.txt")


def uncommitted(shop: Project) -> None:
    (shop.path / "readme.txt").write_text("changed")


def untracked(shop: Project) -> None:
    (shop.path / "new.txt").write_text("new")


def untracked_and_hidden(shop: Project) -> None:
    git(shop.path, "config", "status.showUntrackedFiles", "no")
    untracked(shop)


def no_repository(shop: Project) -> None:
    (shop.path / ".git").rename(shop.path.parent / "gone")


@pytest.mark.parametrize("spoil", [uncommitted, untracked, untracked_and_hidden, no_repository])
def test_what_git_could_not_bring_back_is_not_touched(toy: Repository, shop: Project, spoil) -> None:  # noqa: ANN001
    release(toy, shop)
    spoil(shop)
    before = {path: path.read_bytes() for path in shop.path.rglob("*.txt")}
    with pytest.raises(DestinationError) as caught:
        update.run(shop, {}, {})
    assert caught.value.hint
    assert {path: path.read_bytes() for path in shop.path.rglob("*.txt")} == before


@pytest.mark.parametrize(
    "files",
    [
        {"templates/demo/project/zz.txt.jinja": "[=% if =]"},
        {"copier.yml": "_tasks: [touch evil]\n"},
        {"templates/demo/questions.yml": "colour: {type: str}\nnew: {type: str}\n"},
    ],
)
def test_a_release_that_fails_leaves_the_project_as_it_was(
    toy: Repository, shop: Project, files: dict[str, str | None]
) -> None:
    (shop.path / ".gitignore").write_text(".env\n")
    save(shop)
    (shop.path / ".env").write_text("SECRET=1")
    release(toy, shop, {**SECOND, **files})
    with pytest.raises(StackgenError) as caught:
        update.run(shop, {}, {})
    assert "\n" not in caught.value.message
    assert git(shop.path, "status", "--porcelain") == ""
    assert (shop.path / ".env").read_text() == "SECRET=1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_update_leaves_the_project_as_it_was(
    toy: Repository, shop: Project, tmp_path: Path, number: signal.Signals
) -> None:
    """The project has a filter that takes its time, so that the update can be caught while it writes."""
    (shop.path / ".gitattributes").write_text("added.txt filter=slow\n")
    save(shop)
    git(shop.path, "config", "filter.slow.smudge", f"touch '{tmp_path}/caught'; sleep 30; cat")
    release(toy, shop)
    process = subprocess.Popen([sys.executable, "-c", UPDATE, str(shop.path)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while not (tmp_path / "caught").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "caught").exists(), "it was never caught at work"
    process.send_signal(number)
    assert (process.communicate(timeout=600)[1], process.returncode) == (b"", 130)
    assert git(shop.path, "status", "--porcelain") == ""
    assert project.read(shop.path) == shop
    git(shop.path, "config", "filter.slow.smudge", "cat")
    assert "added.txt" in update.run(shop, {}, {}).changed


def test_a_project_from_a_newer_stackgen_asks_for_an_upgrade(shop: Project) -> None:
    edit(shop, project.ANSWERS_FILE, "v0.1.0", "v0.3.0")
    with pytest.raises(SourceError, match=r"v0\.3\.0") as caught:
        update.run(project.read(shop.path), {}, {})
    assert "upgrade" in caught.value.hint


def test_a_template_that_has_gone_is_one_line(shop: Project) -> None:
    Path(shop.source).unlink()
    with pytest.raises(SourceError) as caught:
        update.run(shop, {}, {})
    assert "\n" not in caught.value.message


def test_a_version_can_be_chosen(toy: Repository, shop: Project) -> None:
    release(toy, shop)
    release(toy, shop, {"templates/demo/project/third.txt": "third\n"}, "0.3.0")
    assert update.run(shop, {}, {}, version="v0.2.0").to_version == "v0.2.0"
    assert not (shop.path / "third.txt").exists()


def test_a_checkout_carries_its_projects_from_commit_to_commit(toy: Repository, tmp_path: Path) -> None:
    made = render.generate(Plan(str(toy.path), "HEAD", tmp_path / "shop", {"name": "shop"})).project
    toy.commit(SECOND)
    report = update.run(made, {}, {})
    assert "added.txt" in report.changed
    assert report.to_version == git(toy.path, "rev-parse", "--short", "HEAD")


def test_plain_copier_update_does_the_same(toy: Repository, shop: Project, tmp_path: Path) -> None:
    edit(shop, "readme.txt", "five", "mine")
    git(tmp_path, "clone", "--quiet", str(shop.path), str(tmp_path / "twin/shop"))
    release(toy, shop)
    update.run(shop, {}, {})
    command = [sys.executable, "-m", "copier", "update", "--defaults", "--quiet"]
    subprocess.run(command, cwd=tmp_path / "twin/shop", env=os.environ, check=True, capture_output=True)
    for name in git(shop.path, "ls-files").splitlines():
        ours, theirs = shop.path / name, tmp_path / "twin/shop" / name
        assert ours.exists() == theirs.exists()
        assert not ours.exists() or ours.read_bytes() == theirs.read_bytes()
