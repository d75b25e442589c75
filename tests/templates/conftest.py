"""Projects that many tests look at, rendered once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import grounds
import pytest
from grounds import NEWEST, ORDINARY, Ground
from operations_render import STACKS, YAML_FILES, Project, distinct, one_of_each_stack, render_all
from operations_tools import go_tool, run

OVERLAY = "deploy/kustomize/overlays/production"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every release of the template with its tag, today's files and an ordinary release behind them."""
    return grounds.template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def ground(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ground]:
    """The newest release's project of a stack, on its way to the ordinary release."""
    return cache(lambda stack: grounds.lay(template, stack, NEWEST, ORDINARY, tmp_path_factory.mktemp("ground")))


@pytest.fixture(scope="session")
def projects_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Project]]:
    """A stack with every deployment, CI and licence."""
    return cache(lambda stack: render_all(stack, tmp_path_factory.mktemp("operations")))


@pytest.fixture(scope="session")
def projects(projects_of: Callable[[str], list[Project]]) -> list[Project]:
    """All stacks so."""
    return [project for stack in STACKS for project in projects_of(stack)]


@pytest.fixture(scope="session")
def manifest_of(
    projects_of: Callable[[str], list[Project]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A stack's production overlay, as Kustomize puts it together."""

    def build(stack: str) -> Path:
        (project,) = one_of_each_stack(projects_of(stack), deploy="kubernetes")
        result = run([go_tool("kustomize"), "build", project.path / OVERLAY])
        assert result.returncode == 0, f"{project}: {result.stderr}"
        path = tmp_path_factory.mktemp("manifests") / f"{stack}.yaml"
        path.write_text(result.stdout, encoding="utf-8")
        return path

    return cache(build)


@pytest.fixture(scope="session")
def good(projects_of: Callable[[str], list[Project]]) -> dict[str, Path]:
    """Each operational file of the node-ts stack, by its place in the project."""
    projects = projects_of("node-ts")
    files = distinct(projects, *YAML_FILES, "*", ".dockerignore")
    return {path.relative_to(_root(path, projects)).as_posix(): path for path in files}


def _root(path: Path, projects: list[Project]) -> Path:
    return next(project.path for project in projects if project.path in path.parents)
