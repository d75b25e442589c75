"""Projects of old releases still install, pass their own checks and start, as their own READMEs say."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import processes
import pytest
import releases
from museum import ROOT

import hatch_build
from stackgen import render
from stackgen.plan import Plan

# Each of them installs and tests a whole project.
pytestmark = [pytest.mark.release]
CASES = [
    (version, stack)
    for version in releases.oldest_middle_newest(list(releases.released()))
    for stack in releases.stacks_of(version)
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel carries: every release."""
    folder = tmp_path_factory.mktemp("packed")
    hatch_build.pack(ROOT, folder)
    return folder / "templates.bundle"


def commands(project: Path) -> tuple[list[str], str]:
    """Give the README's commands of the first minutes, and the one that starts the server."""
    readme = (project / "README.md").read_text(encoding="utf-8")
    first, second = (block.splitlines() for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)[:2])
    if "runserver" in second[-1]:
        return [line for line in first if line != "pip install uv"], second[-1]
    return first[:-1], first[-1]


@pytest.mark.parametrize(("version", "stack"), CASES)
def test_a_project_of_an_old_release_installs_passes_and_starts(
    bundle: Path,
    tmp_path: Path,
    tools: Mapping[str, str],
    free_port: Callable[[], int],
    version: str,
    stack: str,
) -> None:
    project = tmp_path / "my-shop"
    render.generate(Plan(str(bundle), f"v{version}", project, {"stack": stack, "name": "my-shop"}))
    environment = {**tools, "UV_PYTHON_DOWNLOADS": "never"}
    set_up, start = commands(project)
    assert set_up
    for command in set_up:
        processes.sh(command, project, environment)
    port = str(free_port())
    ports = {"PORT": port, "ADMIN_PORT": str(free_port()), "ML_URL": f"http://127.0.0.1:{free_port()}"}
    start += f" {port}" if "runserver" in start else ""
    ready = f"http://127.0.0.1:{port}/readyz"
    with processes.serve(start.split(), project, environment | ports, ready) as server:
        server.stop(group=True)
