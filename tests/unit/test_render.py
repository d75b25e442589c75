"""Generating: whole or not at all, exactly as previewed, and a repository afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from museum import Repository, git, toy_repository

from stackgen import render
from stackgen.errors import DestinationError, SourceError, StackgenError, UsageError
from stackgen.plan import Plan

DECISION = {"rule": "io", "reasons": ["first: one", "second"], "choices": [{"key": "b", "value": "a"}]}
FILES = (".copier-answers.yml", "dropped.txt", "readme.txt", "shared.txt")
GENERATE = """
import sys
from pathlib import Path
from stackgen import endings, plan, render
endings.watch()
try:
    render.generate(plan.Plan(sys.argv[1], "HEAD", Path(sys.argv[2]), {"name": "shop"}))
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(130)
"""


@pytest.fixture
def toy(tmp_path: Path) -> Repository:
    return toy_repository(tmp_path / "toy")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def plan(toy: Repository, place: Path) -> Plan:
    return Plan(str(toy.path), "HEAD", place / "shop", {"name": "shop", "stack": "demo", "decision": DECISION})


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def test_the_project_is_written_as_previewed(plan: Plan, capfd: pytest.CaptureFixture[str]) -> None:
    foreseen = render.preview(plan)
    assert not plan.destination.exists()
    made = render.generate(plan)
    assert made.files == foreseen == FILES
    assert set(tree(plan.destination)) == set(FILES)
    assert made.project.answers == {"name": "shop", "stack": "demo", "colour": "red", "decision": DECISION}
    assert (made.project.source, made.project.path) == (plan.source, plan.destination)
    assert capfd.readouterr() == ("", "")


def test_it_becomes_a_repository_with_everything_in_its_first_commit(plan: Plan) -> None:
    assert render.generate(plan).repository
    assert git(plan.destination, "status", "--porcelain", "--ignored") == ""
    assert git(plan.destination, "branch", "--show-current") == "main"
    assert git(plan.destination, "rev-list", "--count", "HEAD") == "1"
    assert tuple(git(plan.destination, "ls-files").splitlines()) == FILES


def test_without_git_no_repository_is_made(plan: Plan) -> None:
    assert not render.generate(replace(plan, git=False)).repository
    assert not (plan.destination / ".git").exists()


def test_inside_a_repository_no_other_is_made(plan: Plan, place: Path) -> None:
    git(place, "init", "--quiet")
    assert not render.generate(plan).repository
    assert not (plan.destination / ".git").exists()
    assert "shop/" in git(place, "status", "--porcelain")


def test_no_setting_of_the_user_can_stop_the_first_commit(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "template/hooks"
    hooks.mkdir(parents=True)
    for name in ("pre-commit", "commit-msg", "prepare-commit-msg"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "ignore").write_text("*.txt\n")
    (tmp_path / "config").write_text(
        f"[commit]\n gpgSign = true\n[gpg]\n program = /none\n[user]\n useConfigOnly = true\n"
        f"[core]\n excludesFile = {tmp_path}/ignore\n[init]\n templateDir = {tmp_path}/template\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    for name in [name for name in os.environ if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER"))] + ["EMAIL"]:
        monkeypatch.delenv(name, raising=False)
    render.generate(plan)
    assert tuple(git(plan.destination, "ls-files").splitlines()) == FILES
    assert git(plan.destination, "log", "--format=%an <%ae>") == "stackgen <stackgen@localhost>"
    assert (plan.destination / ".git/hooks/pre-commit").exists()


def test_an_empty_folder_is_filled(plan: Plan, place: Path) -> None:
    plan.destination.mkdir()
    render.generate(plan)
    assert [path.name for path in place.iterdir()] == ["shop"]
    assert set(tree(plan.destination)) == set(FILES)


def non_empty(destination: Path) -> None:
    destination.mkdir()
    (destination / "mine.txt").write_text("mine")


def a_hidden_file(destination: Path) -> None:
    destination.mkdir()
    (destination / ".mine").write_text("mine")


def a_file(destination: Path) -> None:
    destination.write_text("mine")


def a_link(destination: Path) -> None:
    (destination.parent / "elsewhere").mkdir()
    destination.symlink_to("elsewhere")


def a_dangling_link(destination: Path) -> None:
    destination.symlink_to("nowhere")


def no_parent(destination: Path) -> None:
    destination.parent.rmdir()


def a_parent_that_is_a_file(destination: Path) -> None:
    destination.parent.rmdir()
    destination.parent.write_text("mine")


@pytest.mark.parametrize(
    "spoil", [non_empty, a_hidden_file, a_file, a_link, a_dangling_link, no_parent, a_parent_that_is_a_file]
)
def test_a_bad_destination_is_refused_and_untouched(plan: Plan, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(plan.destination)
    before = {str(path): path.read_bytes() if path.is_file() else b"" for path in tmp_path.rglob("*")}
    for attempt in (render.generate, render.preview):
        with pytest.raises(DestinationError) as caught:
            attempt(plan)
        assert "\n" not in caught.value.message
        assert caught.value.hint
    assert {str(path): path.read_bytes() if path.is_file() else b"" for path in tmp_path.rglob("*")} == before


def test_a_parent_that_cannot_be_written_to_is_refused(place: Path, tmp_path: Path) -> None:
    place.chmod(0o555)
    tmp_path.chmod(0o755)
    # Root may write anywhere, so the process becomes somebody else first.
    code = (
        "import os; from pathlib import Path; from stackgen import destination, errors\n"
        "if os.getuid() == 0: os.setresuid(65534, 65534, 65534)\n"
        "try: destination.check(Path('here/shop'))\n"
        "except errors.DestinationError as error: print(error.message)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "here cannot be written to\n"


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"copier.yml": "a: [\n"}, SourceError),
        ({"copier.yml": "_subdirectory: ../..\n"}, SourceError),
        ({"copier.yml": "_tasks: [touch evil]\n"}, SourceError),
        ({"copier.yml": "_min_copier_version: '99'\n"}, SourceError),
        ({"templates/demo/project/z.txt.jinja": "[= missing.attribute =]\n"}, SourceError),
        ({"templates/demo/project/z.txt.jinja": "[=% if =]\n"}, SourceError),
        ({"copier.yml": "stack: demo\nname: shop\n_subdirectory: templates/common\n"}, SourceError),
        ({"templates/demo/questions.yml": "colour: {type: int}\n"}, UsageError),
    ],
)
def test_a_template_that_fails_leaves_nothing_and_says_one_line(
    toy: Repository, plan: Plan, place: Path, files: Mapping[str, str], error: type[StackgenError]
) -> None:
    toy.commit(files)
    (place / "mine.txt").write_text("mine")
    with pytest.raises(error) as caught:
        render.generate(plan)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert [path.name for path in place.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"source": "/nowhere"}, SourceError),
        ({"version": "v9.9.9"}, SourceError),
        ({"answers": {"stack": "cobol"}}, UsageError),
    ],
)
def test_a_plan_that_does_not_fit_leaves_nothing(
    plan: Plan, place: Path, change: Mapping[str, object], error: type[StackgenError]
) -> None:
    with pytest.raises(error) as caught:
        render.generate(replace(plan, **change))
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_removes_what_it_wrote_and_nothing_else(
    toy: Repository, plan: Plan, place: Path, number: signal.Signals
) -> None:
    files = {f"templates/demo/project/file-{index}.txt.jinja": "[= name =]\n" for index in range(400)}
    # However busy the machine is, the signal comes before the end.
    slow = "[=% for _ in range(9999) %=][=% for _ in range(9999) %=][=% endfor %=][=% endfor %=]"
    toy.commit({**files, "templates/demo/project/slow.txt.jinja": slow})
    (place / "mine.txt").write_text("mine")
    process = subprocess.Popen(
        [sys.executable, "-c", GENERATE, plan.source, str(plan.destination)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(render.__file__).parents[1])},
    )
    deadline = time.monotonic() + 300
    while not list(place.glob(".stackgen-*/shop/file-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(place.glob(".stackgen-*/shop/file-*")), "it was never caught at work"
    process.send_signal(number)
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, output, errors) == (130, "interrupted\n", "")
    assert [path.name for path in place.iterdir()] == ["mine.txt"]


def test_importing_the_room_does_not_import_copier() -> None:
    code = "import sys, stackgen.render; print(sorted({'copier', 'questionary', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
