"""Projects for the tests of operational files, rendered once."""

from pathlib import Path

import pytest
from operations_render import YAML_FILES, Project, distinct, one_of_each_stack, render_all
from operations_tools import go_tool, run

OVERLAY = "deploy/kustomize/overlays/production"


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> list[Project]:
    """Each stack with every deployment, CI and licence."""
    return render_all(tmp_path_factory.mktemp("operations"))


@pytest.fixture(scope="session")
def manifests(projects: list[Project], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each stack's production overlay, as Kustomize puts it together."""
    folder = tmp_path_factory.mktemp("manifests")
    built = {}
    for project in one_of_each_stack(projects, deploy="kubernetes"):
        result = run([go_tool("kustomize"), "build", project.path / OVERLAY])
        assert result.returncode == 0, f"{project}: {result.stderr}"
        built[project.stack] = folder / f"{project.stack}.yaml"
        built[project.stack].write_text(result.stdout, encoding="utf-8")
    return built


@pytest.fixture(scope="session")
def good(projects: list[Project]) -> dict[str, Path]:
    """Each operational file of the node-ts stack, by its place in the project."""
    files = distinct([project for project in projects if project.stack == "node-ts"], *YAML_FILES, "*", ".dockerignore")
    return {path.relative_to(_root(path, projects)).as_posix(): path for path in files}


def _root(path: Path, projects: list[Project]) -> Path:
    return next(project.path for project in projects if project.path in path.parents)
