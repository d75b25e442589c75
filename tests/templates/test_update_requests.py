"""The pipelines that open an update as a request: their scripts are run, on real git, with stackgen itself.

What is not here are GitHub and GitLab: a program in the place of theirs writes down what it was asked.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import copier
import museum
import pytest
import yaml
from museum import ROOT, git

COMMON = ROOT / "templates/common"
TOLD = """#!/bin/sh
for word in "$@"; do
  printf '%s\\n' "$word"
  case $word in *plan.md) cat "${{word#*@}}" ;; esac
done >> {}
"""
BRANCH = "template-update/v0.2.0"


def script(host: str) -> str:
    if host == "github":
        job = yaml.safe_load((COMMON / ".github/workflows/template-update.yml").read_text())["jobs"]["propose"]
        return str(job["steps"][-1]["run"])
    return str(yaml.safe_load((COMMON / ".gitlab/template-update.yml").read_text())["template-update"]["script"][0])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone of a project whose template has moved on."""
    template = museum.toy_repository(tmp_path / "template")
    template.commit(version="0.1.0")
    git(template.path, "tag", "v0.1.0")
    template.commit(museum.SECOND, "0.2.0")
    git(template.path, "tag", "v0.2.0")
    made = tmp_path / "made"
    copier.run_copy(str(template.path), made, vcs_ref="v0.1.0", data={"stack": "demo"}, defaults=True, quiet=True)
    git(made, "init", "--quiet", "--initial-branch=main")
    git(made, "add", "--all")
    git(made, "commit", "--quiet", "--message", "Start")
    git(tmp_path, "clone", "--quiet", "--bare", str(made), "origin.git")
    return clone(tmp_path, "one")


def clone(folder: Path, name: str) -> Path:
    git(folder, "clone", "--quiet", str(folder / "origin.git"), name)
    return folder / name


def propose(host: str, project: Path, **also: str) -> tuple[int, str]:
    """Run a pipeline's script as its host would; give the exit code and what the host was asked."""
    bin_, told = project.parent / "bin", project.parent / "told.txt"
    bin_.mkdir(exist_ok=True)
    told.write_text("")
    for name in ("gh", "curl"):
        (bin_ / name).write_text(TOLD.format(told))
        (bin_ / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "-e", "-c", script(host)],
        cwd=project,
        env={**os.environ, **surroundings(project, bin_), **also},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, told.read_text() or done.stderr


def surroundings(project: Path, bin_: Path) -> Mapping[str, str]:
    return {
        "PATH": f"{bin_}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(bin_),
        "GH_TOKEN": "a-token",
        "BASE": "main",
        "STACKGEN_TOKEN": "a-token",
        "CI_SERVER_FQDN": "git.example.com",
        "CI_PROJECT_PATH": "acme/shop",
        "CI_API_V4_URL": "https://git.example.com/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_DEFAULT_BRANCH": "main",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{project.parent}/origin.git.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://stackgen:a-token@git.example.com/acme/shop.git",
    }


@pytest.mark.parametrize("host", ["github", pytest.param("gitlab", marks=pytest.mark.full)])
def test_an_update_becomes_a_request_once_and_a_conflict_stands_in_it(project: Path, host: str) -> None:
    origin = project.parent / "origin.git"
    readme = project / "readme.txt"
    readme.write_text(readme.read_text().replace("one\n", "uno\n"))
    git(project, "commit", "--quiet", "--all", "--message", "Ours")
    git(project, "push", "--quiet", "origin", "main")

    code, asked = propose(host, project)
    assert code == 0, asked
    assert ("Update the template to v0.2.0" in asked, "v0.1.0 → v0.2.0: 1 added" in asked) == (True, True)
    assert "<<<<<<< yours" in git(origin, "show", f"{BRANCH}:readme.txt")
    assert git(origin, "show", f"{BRANCH}:added.txt") == "added by 0.2.0"
    proposed = git(origin, "rev-parse", BRANCH)
    assert git(origin, "rev-parse", f"{BRANCH}^") == git(origin, "rev-parse", "main")

    again = clone(project.parent, "again")
    code, asked = propose(host, again)
    assert (code, "Update the template" in asked) == (0, False)
    assert git(origin, "rev-parse", BRANCH) == proposed


def test_without_a_token_the_workflow_says_what_is_missing_and_touches_nothing(project: Path) -> None:
    code, said = propose("github", project, GH_TOKEN="")
    assert (code, "STACKGEN_TOKEN" in said) == (1, True)
    assert git(project, "status", "--porcelain") == ""
