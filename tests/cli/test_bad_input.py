"""Bad input is refused in one line with nothing written; odd but honest input comes out as it went in."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import copier
import pytest
import terminals
import yaml
from bad_input import HOSTILE_TEXTS, REFUSED_NAMES
from hypothesis import given
from hypothesis import strategies as st
from running import Run

from stackgen import questions
from stackgen.errors import UsageError

ROOT = Path(__file__).parents[2]
Stackgen = Callable[..., Run]
STACKS = questions.read(ROOT).stacks()


def contents(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_a_bad_name_is_refused_and_nothing_is_written(stackgen: Stackgen, tmp_path: Path, name: str) -> None:
    for arguments in (["--", name], ["--data", f"name={name}"]):
        run = stackgen("new", "--yes", *arguments)
        assert run.code == 2
        assert run.out == ""
        assert len(run.err.splitlines()) <= 2
        assert contents(tmp_path) == []


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The templates' questions outside of git, where copier need not clone them for each name."""
    folder = tmp_path_factory.mktemp("template")
    for path in [ROOT / "copier.yml", *ROOT.glob("templates/*/*.yml")]:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return folder


@pytest.mark.parametrize("name", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_copier_itself_refuses_the_same_names(template: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="Validation error for question 'name'"):
        copier.run_copy(str(template), tmp_path / "x", data={"name": name}, defaults=True, quiet=True)
    assert contents(tmp_path) == []


@given(st.from_regex(r"\A[a-z][a-z0-9]{0,18}(-[a-z0-9]{1,9}){0,2}\Z"))
def test_every_name_of_the_right_form_is_accepted_unless_reserved_or_too_short(name: str) -> None:
    asked = questions.read(ROOT)
    reserved = yaml.safe_load((ROOT / "templates/common/reserved-names.yml").read_text())["reserved_names"]["default"]
    if len(name) < 2 or name in sum(yaml.safe_load(reserved), []):  # noqa: RUF017
        with pytest.raises(UsageError):
            asked.resolve({"name": name, "stack": STACKS[0]})
    else:
        assert asked.resolve({"name": name, "stack": STACKS[0]})["name"] == name


@given(st.text())
def test_any_other_name_is_refused(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        with pytest.raises(UsageError):
            questions.read(ROOT).resolve({"name": name, "stack": STACKS[0]})


# Each text once, two in a run: every run renders a whole project.
NAMES = list(HOSTILE_TEXTS)
PAIRS = list(zip(NAMES[::2], NAMES[1::2], strict=True))


@pytest.mark.parametrize("names", PAIRS, ids=" and ".join)
def test_hostile_text_passes_through_an_answers_file(
    stackgen: Stackgen, tmp_path: Path, names: tuple[str, str]
) -> None:
    description, owner = (HOSTILE_TEXTS[name] for name in names)
    (tmp_path / "answers.json").write_text(json.dumps({"description": description, "owner": owner}))
    run = stackgen("new", "my-shop", "--yes", "--dry-run", "--answers", "answers.json", "--json")
    assert run.code == 0, run.err
    assert (run.json["result"]["answers"]["description"], run.json["result"]["answers"]["owner"]) == (
        description,
        owner,
    )


def test_an_owner_must_not_be_blank_and_texts_have_an_end(stackgen: Stackgen, tmp_path: Path) -> None:
    assert stackgen("new", "my-shop", "--yes", "-d", "owner=  ").code == 2
    assert stackgen("new", "my-shop", "--yes", "-d", f"owner={'x' * 201}").code == 2
    assert stackgen("new", "my-shop", "--yes", "-d", f"description={'x' * 501}").code == 2
    assert contents(tmp_path) == []


@pytest.mark.parametrize("text", ["a\0b", "a\rb", "a\x1b[31mb", "\ud800"], ids=["NUL", "return", "escape", "surrogate"])
def test_control_characters_are_refused(stackgen: Stackgen, tmp_path: Path, text: str) -> None:
    for key in ("description", "owner"):
        run = stackgen("new", "my-shop", "--yes", "-d", f"{key}={text}")
        assert run.code == 2
        assert "control characters" in run.err
    assert contents(tmp_path) == []


def test_an_unknown_key_is_refused_with_the_nearest_one(stackgen: Stackgen, tmp_path: Path) -> None:
    run = stackgen("new", "my-shop", "--yes", "-d", "licence=mit")
    assert run.code == 2
    assert "unknown key 'licence'" in run.err
    assert "did you mean 'license'?" in run.err
    assert contents(tmp_path) == []


def test_a_bad_value_is_refused_with_the_nearest_one(stackgen: Stackgen, tmp_path: Path) -> None:
    run = stackgen("new", "my-shop", "--yes", "-d", "deploy=kubernets")
    assert run.code == 2
    assert "did you mean 'kubernetes'?" in run.err
    assert contents(tmp_path) == []


def test_an_answer_to_a_question_that_is_not_asked_is_refused(stackgen: Stackgen, tmp_path: Path) -> None:
    for flags, reason in (
        (["--data", "ml_training=torch"], "ml_training does not apply to the stack 'go'"),
        (["--data", "kind=cli", "--data", "jobs=true"], "jobs does not apply with the other answers"),
    ):
        run = stackgen("new", "shop", "--yes", "--stack", "go", *flags)
        assert run.code == 2
        assert reason in run.err
    assert contents(tmp_path) == []


def test_a_computed_key_cannot_be_set(stackgen: Stackgen) -> None:
    assert stackgen("new", "my-shop", "--yes", "-d", "kubernetes=true").code == 2
    assert stackgen("new", "my-shop", "--yes", "-d", "decision={}").code == 2


@pytest.mark.parametrize("body", ["[1, 2]", "name: [", "\udce9".encode("utf-8", "surrogateescape").decode("latin-1")])
def test_an_answers_file_that_cannot_be_read_is_refused(stackgen: Stackgen, tmp_path: Path, body: str) -> None:
    (tmp_path / "answers.yml").write_bytes(body.encode("latin-1"))
    assert stackgen("new", "my-shop", "--yes", "--answers", "answers.yml").code == 2
    assert stackgen("new", "my-shop", "--yes", "--answers", "nosuch.yml").code == 2


def test_a_folder_that_is_not_empty_is_refused_untouched(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "my-shop").mkdir()
    (tmp_path / "my-shop" / "mine.txt").write_text("mine")
    run = stackgen("new", "my-shop", "--yes")
    assert run.code == 3
    assert contents(tmp_path) == ["my-shop", "my-shop/mine.txt"]


def test_a_file_in_the_way_is_refused_untouched(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "my-shop").write_text("mine")
    assert stackgen("new", "my-shop", "--yes").code == 3
    assert (tmp_path / "my-shop").read_text() == "mine"


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_symbolic_link_in_the_way_is_refused_untouched(stackgen: Stackgen, tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "my-shop").symlink_to(target)
    assert stackgen("new", "my-shop", "--yes").code == 3
    assert contents(tmp_path) == ["elsewhere", "my-shop"]


def test_a_missing_output_folder_is_refused(stackgen: Stackgen, tmp_path: Path) -> None:
    assert stackgen("new", "my-shop", "--yes", "--output-dir", "nosuch").code == 3
    assert contents(tmp_path) == []


def test_an_empty_folder_is_used(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "my-shop").mkdir()
    assert stackgen("new", "my-shop", "--yes").code == 0
    assert (tmp_path / "my-shop" / ".git").is_dir()


def test_a_parent_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    parent = tmp_path / "locked"
    parent.mkdir()
    parent.chmod(0o555)
    command = [sys.executable, "-m", "stackgen", "new", "my-shop", "--yes", "--output-dir", str(parent)]
    if os.geteuid() == 0:
        # Root may write anywhere: take that away for the one process.
        command = [
            "setpriv",
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--no-new-privs",
            "--ambient-caps=-all",
            *command,
        ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert contents(parent) == []


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_removes_what_it_wrote_and_nothing_else(tmp_path: Path, how: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    ending = terminals.ending_at(tmp_path / "hook", "os.mkdir", 40, how)  # some folders of the project are written
    command = [sys.executable, "-m", "stackgen", "new", "my-shop", "--yes"]
    done = subprocess.run(
        command,
        cwd=place,
        env={**os.environ, **ending},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stderr) == (130, "stackgen: interrupted, nothing was left behind\n")
    assert contents(place) == ["mine.txt"]


def test_inside_a_repository_no_other_one_is_made(stackgen: Stackgen, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert stackgen("new", "my-shop", "--yes").code == 0
    assert not (tmp_path / "my-shop" / ".git").exists()


def test_no_git_means_no_git(stackgen: Stackgen, tmp_path: Path) -> None:
    assert stackgen("new", "my-shop", "--yes", "--no-git").code == 0
    assert not (tmp_path / "my-shop" / ".git").exists()
