"""Projects for the tests of operational files, rendered once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from operations_render import STACKS, YAML_FILES, Project, distinct, one_of_each_stack, render_all
from operations_tools import go_tool, run

OVERLAY = "deploy/kustomize/overlays/production"


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
