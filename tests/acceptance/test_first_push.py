"""The first push of a new project is green: each job of its pipelines runs as written, in a fresh clone, caches empty.

With `STACKGEN_TESTS=all` these are all jobs of each stack on GitHub, of the longest tests a part, and those of GitLab
that have other commands; before a release everything of both.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pipelines
import processes
import pytest
import working_page
from sizes import is_release, seed

pytestmark = pytest.mark.full

Environment = Mapping[str, str]
STACKS = ("node-ts", "hybrid-node-python-ml", "python-django", "go")
# Stacks whose tests of what must pass (AGENTS.md) are `repeated`, since it is run here.
BORN_GREEN = ("node-ts", "hybrid-node-python-ml")
# Jobs of GitLab that run everything that GitHub's jobs have otherwise.
OTHERWISE = {"hybrid-node-python-ml": "contract", "python-django": "check"}
LINTER = {"make lint": "true", "make generate": "true"}  # compiled for minutes; tested in test_go.py


# Tests of the hybrid that node-ts does not have, and those that look at all modules.
OWN = "test/ml test/generate test/jobs test/migrations test/openapi test/tenancy "


def shards(job: str, parts: int, files: str = "") -> str:
    """Give the command that runs a part of Node.js's tests, by the run's seed: the databases have different ones."""
    return f"npm test -- {files}--shard={1 + (seed() + (job == 'test')) % parts}/{parts}"


def some_files(parts: int) -> str:
    """Give the command that runs the tests of every so many files of python-django's, by the run's seed."""
    return f"uv run pytest $(git ls-files 'tests/*test_*.py' | awk 'NR % {parts} == {seed() % parts}')"


# What is run in place of a job's commands, but before a release.
SHORTER: dict[tuple[str, str], dict[str, str]] = {
    ("node-ts", "test"): {"npm test": shards("test", 4)},
    ("node-ts", "test-postgres"): {"npm test": shards("test-postgres", 4)},
    ("hybrid-node-python-ml", "test"): {"npm test": shards("test", 3, OWN)},
    ("hybrid-node-python-ml", "test-postgres"): {"npm test": shards("test-postgres", 3, OWN)},
    ("python-django", "test"): {"uv run pytest --cov": some_files(3)},
    ("python-django", "test-postgres"): {"uv run pytest": some_files(6)},
    ("go", "check"): LINTER,
    ("go", "test-postgres"): {"make race": "CGO_ENABLED=1 go test -race ./internal/store ./internal/app"},
}


@pytest.fixture
def machine(tools: Environment, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that runs a pipeline for the first time."""
    return pipelines.runner(tools, tmp_path)


Clone = Callable[[str, str], Path]


@pytest.fixture
def clone(render: Callable[..., Path], machine: Environment, postgres_url: str, tmp_path: Path) -> Clone:
    """Give a fresh clone of a new project of a stack, for one of the two services."""

    def make(stack: str, ci: str) -> Path:
        return pipelines.clone(render(stack, ci=ci), tmp_path / ci / "my-shop", ci, postgres_url, machine["STAND_INS"])

    return make


def asked(project: Path, ci: str) -> set[str]:
    """Give each command of a pipeline but those of the jobs that are left to others."""
    found = pipelines.jobs(project, ci)
    return {line for name, job in found.items() if name not in pipelines.ELSEWHERE for line in job}


@pytest.mark.parametrize(
    ("stack", "ci"),
    [(stack, "github") for stack in STACKS]
    + [pytest.param(stack, "gitlab", marks=pytest.mark.release) for stack in STACKS],
)
def test_every_job_passes(clone: Clone, machine: Environment, tmp_path: Path, stack: str, ci: str) -> None:
    project = clone(stack, ci)
    if stack in BORN_GREEN:
        assert {*working_page.commands(project, working_page.PASS)} <= asked(project, ci)
    names = [name for name in pipelines.jobs(project, ci) if name not in pipelines.ELSEWHERE]
    assert {"check", "test", "test-postgres"} <= {*names}
    assert {job for of, job in SHORTER if of == stack} <= {*names}
    for name in names:
        if not is_release() and (stack, name) in SHORTER:
            pipelines.shorten(project, ci, name, SHORTER[stack, name])
        said = pipelines.RUN[ci](project, tmp_path, name, machine)
        # Tests of PostgreSQL are skipped where a job does not bring them one.
        assert name != "test-postgres" or not re.search(r"\b\d+ skipped\b", said), said[-4000:]
    if stack == "go":
        for folder in (project, project / "tools"):
            verified = processes.sh("go mod download && go mod verify", folder, machine).stdout
            assert "all modules verified" in verified
    assert processes.sh("git status --porcelain --ignored=no", project, machine).stdout == ""


@pytest.mark.parametrize("stack", OTHERWISE)
def test_a_job_of_gitlab_passes_that_has_other_commands(
    clone: Clone, machine: Environment, tmp_path: Path, stack: str
) -> None:
    project = clone(stack, "gitlab")
    pipelines.gitlab(project, tmp_path, OTHERWISE[stack], machine)
    assert processes.sh("git status --porcelain --ignored=no", project, machine).stdout == ""


@pytest.mark.parametrize("stack", STACKS)
def test_gitlab_runs_what_github_runs(clone: Clone, stack: str) -> None:
    github, gitlab = (clone(stack, ci) for ci in ("github", "gitlab"))
    ours, theirs = files(github), files(gitlab)
    differing = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    of_pipelines = (".git", ".copier-answers.yml", "docs/decisions/", "docs/updating.md")
    assert all(name.startswith(of_pipelines) for name in differing), differing
    otherwise = asked(gitlab, "gitlab") - asked(github, "github")
    assert otherwise <= {*pipelines.jobs(gitlab, "gitlab").get(OTHERWISE.get(stack, ""), ())}


def test_what_is_left_to_others_is_in_a_pipeline(clone: Clone) -> None:
    named = {name for ci in pipelines.FILES for name in pipelines.jobs(clone("go", ci), ci)}
    assert {*pipelines.ELSEWHERE} <= named


@pytest.mark.parametrize("ci", pipelines.RUN)
def test_a_job_that_fails_is_seen_to_fail(clone: Clone, machine: Environment, tmp_path: Path, ci: str) -> None:
    project = clone("node-ts", ci)
    file = project / pipelines.FILES[ci]
    written = file.read_text(encoding="utf-8").replace("npm ci", "echo")
    file.write_text(written.replace("npm run check", "echo"), encoding="utf-8")
    pipelines.commit(project)
    pipelines.RUN[ci](project, tmp_path, "check", machine)
    file.write_text(written.replace("npm run check", "exit 3"), encoding="utf-8")
    pipelines.commit(project)
    with pytest.raises(pytest.fail.Exception, match="exited"):
        pipelines.RUN[ci](project, tmp_path, "check", machine)


def files(project: Path) -> dict[str, bytes]:
    found = (path.relative_to(project) for path in project.rglob("*") if path.is_file())
    return {path.as_posix(): (project / path).read_bytes() for path in found if path.parts[0] != ".git"}
