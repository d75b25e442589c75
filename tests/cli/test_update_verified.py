"""`stackgen update --verify` proves an update in copies, and blames it only for what it breaks."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import museum
import pytest
import templating
from running import Run
from test_verify import FILES, PROOF

from stackgen import serving

Stackgen = Callable[..., Run]
PROJECT = "templates/rust-axum/project"


@pytest.fixture(scope="module")
def made_by_the_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("releases") / "template"
    templating.with_a_proof(folder, PROOF, FILES)
    museum.git(folder, "tag", "v1.0.0")
    return folder


@pytest.fixture
def template(made_by_the_first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_by_the_first, tmp_path / "template", symlinks=True))


@pytest.fixture
def shop(stackgen: Stackgen, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(serving, "READY_SECONDS", 8)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    assert stackgen("new", "shop", "--template", str(template), "--stack", "rust-axum", "--yes", "--quiet").code == 0
    return tmp_path / "shop"


def release(template: Path, **files: str) -> None:
    """Make release 1.1.0, in which files of the stack's project have these texts."""
    for name, text in files.items():
        (template / PROJECT / f"{name}.py").write_text(text, encoding="utf-8")
    museum.git(template, "commit", "--quiet", "--all", "--allow-empty", "--message", "1.1.0")
    museum.git(template, "tag", "v1.1.0")


def left(project: Path) -> tuple[str, list[str]]:
    """Give what has changed in a project, and what is left in the folder for temporary files.

    Templates are kept there as long as a process lives, and these tests are one.
    """
    names = (path.name for path in (project.parent / "temporary").iterdir())
    temporary = [name for name in names if not name.startswith("stackgen-template-")]
    return museum.git(project, "status", "--porcelain"), sorted(temporary)


def test_an_update_that_breaks_nothing_is_written_and_says_what_was_proven(
    stackgen: Stackgen, shop: Path, template: Path
) -> None:
    release(template, types_hold="# better\n")
    run = stackgen("update", "shop", "--verify")
    assert run.code == 0, run.err
    assert run.out.splitlines()[-1] == "Verified before it was written: 9 of 9 steps passed."
    assert (shop / "types_hold.py").read_text() == "# better\n"
    assert left(shop)[1] == []


def test_an_update_that_breaks_a_step_is_not_written(stackgen: Stackgen, shop: Path, template: Path) -> None:
    release(template, tests_pass="assert False, 'as released'\n", types_hold="# better\n")
    run = stackgen("update", "shop", "--verify", "--json")
    assert run.code == 6, run.out
    error = run.json["error"]
    assert error["message"].startswith("the update would break tests: tests: `")
    steps = {each["step"]: each for each in error["details"]["verified"]}
    assert (steps["tests"]["before"], steps["tests"]["state"]) == ("passed", "failed")
    assert "as released" in Path(steps["tests"]["log"]).read_text(encoding="utf-8")
    assert left(shop)[0] == ""
    assert (shop / "types_hold.py").read_text() == ""


@pytest.mark.full
def test_what_was_broken_before_is_not_the_updates_fault(stackgen: Stackgen, shop: Path, template: Path) -> None:
    (shop / "tests_pass.py").write_text("assert False\n")
    museum.git(shop, "commit", "--quiet", "--all", "--message", "Broken by its owner")
    release(template, types_hold="# better\n")
    run = stackgen("update", "shop", "--verify")
    assert run.code == 0, run.err
    assert run.out.splitlines()[-1].endswith("8 of 9 steps passed; not better before it: tests (failed)")
    assert (shop / "types_hold.py").read_text() == "# better\n"


@pytest.mark.full
def test_an_update_with_conflicts_is_not_written_either(stackgen: Stackgen, shop: Path, template: Path) -> None:
    (shop / "types_hold.py").write_text("# mine\n")
    museum.git(shop, "commit", "--quiet", "--all", "--message", "Mine")
    release(template, types_hold="# better\n")
    run = stackgen("update", "shop", "--verify")
    assert (run.code, left(shop)) == (5, ("", []))
    assert "cannot be verified" in run.err


def test_nothing_to_do_is_nothing_to_verify(stackgen: Stackgen, shop: Path) -> None:
    run = stackgen("update", "shop", "--verify")
    assert (run.code, run.out.startswith("Already current"), left(shop)) == (0, True, ("", []))


def test_a_template_without_releases_has_nothing_to_verify_either(stackgen: Stackgen, tmp_path: Path) -> None:
    bare = templating.with_a_proof(tmp_path / "bare", PROOF, {**FILES, "tests_pass.py": "assert False\n"})
    assert stackgen("new", "shop", "--template", str(bare), "--stack", "rust-axum", "--yes", "--quiet").code == 0
    run = stackgen("update", "shop", "--verify")
    assert (run.code, run.out.count("\n"), run.out.startswith("Already current")) == (0, 1, True)


@pytest.mark.full
def test_a_project_within_a_repository_is_verified_where_it_stands(
    stackgen: Stackgen, shop: Path, template: Path, tmp_path: Path
) -> None:
    inner = tmp_path / "mono/services/shop"
    inner.parent.mkdir(parents=True)
    shutil.copytree(shop, inner, ignore=shutil.ignore_patterns(".git"))
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "All")):
        museum.git(tmp_path / "mono", *arguments)
    release(template, types_hold="# better\n")
    run = stackgen("update", str(inner), "--verify", "--json")
    assert run.code == 0, run.out
    assert {each["state"] for each in json.loads(run.out)["result"]["verified"]} == {"passed"}
    assert (inner / "types_hold.py").read_text() == "# better\n"


def lacking(folder: Path, **steps: str) -> Path:
    """Make a template in whose two releases the steps that a project is verified by run these commands."""
    proof = {"verify": {"steps": [{"name": name, "run": [line]} for name, line in steps.items()]}}
    made = templating.with_a_proof(folder / "lacking", proof, {"types_hold.py": ""})
    museum.git(made, "tag", "v1.0.0")
    return made


def test_what_could_be_run_neither_before_nor_after_is_not_written(stackgen: Stackgen, tmp_path: Path) -> None:
    made = lacking(tmp_path, types=f"{sys.executable} types_hold.py", tests="no-such-program --all")
    assert stackgen("new", "shop", "--template", str(made), "--stack", "rust-axum", "--yes", "--quiet").code == 0
    release(made, types_hold="# better\n")
    run = stackgen("update", "shop", "--verify")
    assert (run.code, museum.git(tmp_path / "shop", "status", "--porcelain")) == (6, "")
    assert "cannot be proven: tests could not be run: needs no-such-program" in run.err
    assert "--skip tests" in run.err
    assert stackgen("update", "shop", "--verify", "--skip", "test").code == 2
    assert stackgen("update", "shop", "--skip", "tests").code == 2
    run = stackgen("update", "shop", "--verify", "--skip", "tests")
    assert run.code == 0, run.err
    passed, lacked = (2, "") if shutil.which("cargo") else (1, "toolchain (skipped), ")
    assert run.out.splitlines()[-1].endswith(
        f"{passed} of 3 steps passed; not better before it: {lacked}tests (skipped)"
    )
    assert (tmp_path / "shop/types_hold.py").read_text() == "# better\n"


@pytest.mark.parametrize("steps", [{"tests": f"{sys.executable} no_such_file.py"}, {}])
def test_an_update_of_which_nothing_can_be_proven_is_not_written(
    stackgen: Stackgen, tmp_path: Path, steps: dict[str, str]
) -> None:
    made = lacking(tmp_path, **steps)
    assert stackgen("new", "shop", "--template", str(made), "--stack", "rust-axum", "--yes", "--quiet").code == 0
    release(made, types_hold="# better\n")
    run = stackgen("update", "shop", "--verify")
    assert (run.code, "cannot be proven" in run.err) == (6, True)
    assert museum.git(tmp_path / "shop", "status", "--porcelain") == ""


@pytest.mark.parametrize("flag", ["--plan", "--check", "--continue", "--abort"])
def test_it_goes_with_no_flag_that_writes_nothing(stackgen: Stackgen, flag: str) -> None:
    run = stackgen("update", "--verify", flag)
    assert (run.code, f"--verify and {flag} cannot go together" in run.err) == (2, True)
