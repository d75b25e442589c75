"""The first push of a new project is green: a fresh clone, empty caches, and the commands of its own pipelines."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import processes
import pytest
import working_page
import yaml
from sizes import is_release, seed

pytestmark = pytest.mark.full

Environment = Mapping[str, str]
PIPELINES = (".github/workflows/ci.yml", ".gitlab-ci.yml")
# What a pipeline runs but this test leaves to others, and why. An entry that no pipeline has any more fails.
ELSEWHERE = {
    "make lint": "compiles the linter for minutes; tested in test_go.py",
    "make generate": "compiles the generators for minutes; tested in test_go.py",
    "git diff --exit-code": "looks at what `make generate` wrote",
    "make vuln": "asks a data base outside",
}
# By the run's seed: half of node-ts's tests, whose other half runs on PostgreSQL (test_node_ts.py), and a third of the
# hybrid's, which has them from there.
PART = {
    ("node-ts", "npm test"): f"npm test -- --shard={1 + seed() % 2}/2",
    ("hybrid-node-python-ml", "npm test"): f"npm test -- --shard={1 + seed() % 3}/3",
}
# Stacks whose tests of what must pass (AGENTS.md) are `repeated`, since it is run here.
BORN_GREEN = ("node-ts", "hybrid-node-python-ml")
# What a job installs into its container, and these tests not into the machine that they run on.
OF_THE_MACHINE = re.compile(r"/opt/uv|\bapt-get ")
UV = re.compile(r"\buv==(?P<version>[\d.]+|\$UV_VERSION)")


def jobs(document: dict[str, Any]) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Give the settings and the commands of each job that needs neither Docker nor a database server."""
    if "jobs" in document:
        for job in document["jobs"].values():
            if "services" not in job:
                settings = {**document.get("env", {}), **job.get("env", {})}
                yield settings, [step["run"] for step in job["steps"] if "run" in step]
        return
    for name, job in document.items():
        if isinstance(job, dict) and "script" in job and not name.startswith("."):
            base = document[job["extends"]]
            if "services" not in {**base, **job}:
                variables = {**base.get("variables", {}), **job.get("variables", {})}
                before = job.get("before_script", base.get("before_script", []))
                yield variables, [*flat(before), *flat(job["script"])]


def flat(lines: list[Any]) -> Iterator[str]:
    """Give the commands of a list that other lists of commands stand in."""
    for line in lines:
        yield from flat(line) if isinstance(line, list) else [line]


def commands(project: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Give the commands of a project's pipeline, one a line, without those of jobs that build images."""
    (pipeline,) = (project / name for name in PIPELINES if (project / name).exists())
    for settings, steps in jobs(yaml.safe_load(pipeline.read_text(encoding="utf-8"))):
        lines = [line for step in steps for line in re.split(r"\n| && ", step.strip())]
        if not any("docker " in line for line in lines):
            yield from ((settings, line) for line in lines)


@pytest.fixture
def cold(tools: Environment, tmp_path: Path) -> dict[str, str]:
    """The environment of a runner that has the tools and has never fetched anything, nor been configured."""
    caches = {name: str(tmp_path / name) for name in ("npm_config_cache", "UV_CACHE_DIR", "GOMODCACHE")}
    own = {"npm_config_userconfig": os.devnull, "UV_NO_CONFIG": "", "UV_PYTHON_DOWNLOADS": "never"}
    summary = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    return {name: value for name, value in (tools | caches | own | summary).items() if value}


def clone(project: Path, to: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", str(project), str(to)], check=True)
    return to


def install_uv(line: str, settings: Mapping[str, str], cold: dict[str, str], folder: Path) -> None:
    """Install the uv that a pipeline asks for, where no other program of this machine is touched."""
    found = UV.search(line)
    assert found, line
    version = found["version"].replace("$UV_VERSION", settings.get("UV_VERSION", ""))
    if not (folder / "bin/uv").exists():
        processes.sh(["uv", "venv", "--quiet", str(folder)], folder.parent, cold)
        install = ["uv", "pip", "install", "--quiet", "--python", str(folder / "bin/python"), f"uv=={version}"]
        processes.sh(install, folder.parent, cold)
        cold["PATH"] = os.pathsep.join([str(folder / "bin"), cold["PATH"]])
    assert processes.sh("uv --version", folder, cold).stdout.split()[1] == version


def test_a_pipelines_jobs_are_read_as_they_are_written() -> None:
    github = {
        "env": {"A": "1"},
        "jobs": {
            "check": {"steps": [{"uses": "x"}, {"run": "one"}, {"run": "two"}]},
            "postgres": {"services": {}, "steps": [{"run": "three"}]},
        },
    }
    gitlab = {
        ".base": {"before_script": ["one"], "variables": {"A": "1"}},
        ".postgres": {"services": []},
        "check": {"extends": ".base", "script": ["two"]},
        "other": {"extends": ".base", "before_script": [["zero", "half"]], "script": ["three"]},
        "postgres": {"extends": ".postgres", "script": ["four"]},
    }
    assert list(jobs(github)) == [({"A": "1"}, ["one", "two"])]
    assert list(jobs(gitlab)) == [({"A": "1"}, ["one", "two"]), ({"A": "1"}, ["zero", "half", "three"])]


def files(project: Path) -> dict[str, bytes]:
    found = (path.relative_to(project) for path in project.rglob("*") if path.is_file())
    return {path.as_posix(): (project / path).read_bytes() for path in found if path.parts[0] != ".git"}


@pytest.mark.parametrize("stack", ["node-ts", "hybrid-node-python-ml", "python-django", "go"])
def test_the_first_push_is_green(render: Callable[..., Path], cold: dict[str, str], tmp_path: Path, stack: str) -> None:
    """Each different command of both pipelines runs once, as the projects differ in their pipelines alone."""
    github, gitlab = (clone(render(stack, ci=ci), tmp_path / ci) for ci in ("github", "gitlab"))
    ours, theirs = files(github), files(gitlab)
    differing = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    of_pipelines = (".git", ".copier-answers.yml", "docs/decisions/", "docs/updating.md")
    assert all(name.startswith(of_pipelines) for name in differing), differing
    asked = [*commands(github), *commands(gitlab)]
    if stack in BORN_GREEN:
        assert {*working_page.commands(github, working_page.PASS)} <= {line for _, line in asked}
    ran: list[str] = []
    for settings, line in asked:
        if UV.search(line):
            install_uv(line, settings, cold, tmp_path / "uv")
        elif line not in ran and line not in ELSEWHERE and not OF_THE_MACHINE.search(line):
            run = line if is_release() else PART.get((stack, line), line)
            processes.sh(["bash", "-e", "-o", "pipefail", "-c", run], github, {**cold, **settings}, timeout=840)
            ran.append(line)
    assert len(ran) >= 2, ran
    assert {line for of, line in PART if of == stack} <= {*ran}
    if stack == "go":
        assert {*ELSEWHERE} <= {line for _, line in asked}
        for folder in (github, github / "tools"):
            assert "all modules verified" in processes.sh("go mod download && go mod verify", folder, cold).stdout
    assert processes.sh("git status --porcelain", github, cold).stdout == ""
