"""`stackgen update` in a project whose template has moved on."""

from collections.abc import Callable
from pathlib import Path

import copier
import museum
import pytest
from running import Run

Stackgen = Callable[..., Run]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project made by release 0.1.0 of a template whose newest release is 0.2.0."""
    template = museum.toy_repository(tmp_path / "template")
    template.commit(version="0.1.0")
    museum.git(template.path, "tag", "v0.1.0")
    template.commit(museum.SECOND, "0.2.0")
    museum.git(template.path, "tag", "v0.2.0")
    made = tmp_path / "shop"
    copier.run_copy(str(template.path), made, vcs_ref="v0.1.0", data={"stack": "demo"}, defaults=True, quiet=True)
    museum.git(made, "init", "--quiet", "--initial-branch=main")
    commit(made)
    return made


def commit(project: Path) -> None:
    museum.git(project, "add", "--all")
    museum.git(project, "commit", "--quiet", "--message", "Work")


def test_it_carries_the_project_forward(stackgen: Stackgen, project: Path) -> None:
    (project / "mine.txt").write_text("mine\n")
    commit(project)
    run = stackgen("update", str(project))
    assert run.code == 0, run.err
    assert "v0.1.0 → v0.2.0" in run.out
    assert (project / "added.txt").exists()
    assert (project / "mine.txt").read_text() == "mine\n"


def test_a_second_update_says_that_it_is_current(stackgen: Stackgen, project: Path) -> None:
    stackgen("update", str(project))
    commit(project)
    assert stackgen("update", str(project)).out == "Already current: v0.2.0\n"


def test_json_says_what_changed(stackgen: Stackgen, project: Path) -> None:
    result = stackgen("update", str(project), "--json").json["result"]
    assert (result["from"], result["to"], result["conflicts"]) == ("v0.1.0", "v0.2.0", [])
    assert "added.txt" in result["changed"]


def test_answers_are_changed_by_data(stackgen: Stackgen, project: Path) -> None:
    assert stackgen("update", str(project), "--data", "colour=blue").code == 0
    assert "the colour is blue" in (project / "readme.txt").read_text()


def test_a_conflict_is_exit_code_5_with_the_files_named(stackgen: Stackgen, project: Path) -> None:
    readme = project / "readme.txt"
    readme.write_text(readme.read_text().replace("one\n", "uno\n"))
    commit(project)
    run = stackgen("update", str(project))
    assert run.code == 5
    assert "readme.txt" in run.err
    assert "uno" in readme.read_text()


def test_a_conflict_in_json_is_one_envelope_with_the_report_as_details(stackgen: Stackgen, project: Path) -> None:
    readme = project / "readme.txt"
    readme.write_text(readme.read_text().replace("one\n", "uno\n"))
    commit(project)
    run = stackgen("update", str(project), "--json")
    assert run.code == 5
    assert run.json["error"]["code"] == "conflict"
    assert run.json["error"]["details"]["conflicts"] == ["readme.txt"]


def test_uncommitted_work_is_never_touched(stackgen: Stackgen, project: Path) -> None:
    (project / "readme.txt").write_text("half done\n")
    run = stackgen("update", str(project))
    assert run.code == 3
    assert "uncommitted changes" in run.err
    assert (project / "readme.txt").read_text() == "half done\n"
    assert not (project / "added.txt").exists()


def test_an_unknown_answer_is_refused(stackgen: Stackgen, project: Path) -> None:
    assert stackgen("update", str(project), "--data", "color=blue").code == 2
    assert museum.git(project, "status", "--porcelain") == ""
