"""Every project the templates can produce, as far as operations are concerned, each distinct file looked at once."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path
from typing import Any

import copier
import yaml
from sizes import is_everybodys, is_release

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STACKS = sorted(questions.parent.name for questions in TEMPLATES.glob("*/questions.yml"))
# The application's sources are not looked at here, and rendering them would take most of the time.
SOURCES = ("*.ts", "*.tsx", "*.py", "*.go", "*.sql", "*.ts.jinja", "*.py.jinja", "*.go.jinja", "drizzle")
FACTORS = ("deploy", "ci", "license")
NAME = "my-shop"
DOCKERFILES = ("**/Dockerfile",)
WORKFLOWS = (".github/workflows/*.yml",)
YAML_FILES = ("*.yml", "*.yaml", ".*.yml", ".*.yaml", ".github/**/*.yml", ".gitlab/*.yml", "deploy/**/*.yaml")


@dataclass(frozen=True, slots=True)
class Project:
    """A rendered project and the answers it was made from."""

    path: Path
    stack: str
    deploy: str
    ci: str
    license: str

    def __str__(self) -> str:
        return f"{self.stack}, {self.deploy}, {self.ci}, {self.license}"

    def files(self, *patterns: str) -> list[Path]:
        """Give the project's files that match one of the patterns."""
        return sorted(path for pattern in patterns for path in self.path.glob(pattern) if path.is_file())


class _CopierLoader(yaml.SafeLoader):
    """Reads copier.yml and passes over its `!include` documents."""


_CopierLoader.add_constructor("!include", lambda _loader, _node: {})


def choices(question: str) -> list[str]:
    """Give the values that copier.yml offers for a question."""
    documents = yaml.load_all((ROOT / "copier.yml").read_text(encoding="utf-8"), _CopierLoader)
    merged: dict[str, Any] = {key: value for document in documents for key, value in (document or {}).items()}
    given = merged[question]["choices"].values()
    return [choice["value"] if isinstance(choice, dict) else choice for choice in given]


def copy_template(folder: Path) -> Path:
    """Put a template with no application sources into a folder of its own: rendering that takes no git and no time."""
    ignore = shutil.ignore_patterns(*SOURCES)
    shutil.copytree(TEMPLATES, folder / "templates", symlinks=True, ignore=ignore)
    shutil.copy(ROOT / "copier.yml", folder)
    return folder


def render(template: Path, path: Path, **answers: object) -> Path:
    """Render a project without trusting the template, as its users do."""
    copier.run_copy(str(template), path, data={"name": NAME, **answers}, defaults=True, quiet=True, unsafe=False)
    return path


def rows() -> list[tuple[str, ...]]:
    """Give sets of the answers that shape operational files: every pair of values meets, or all before a release.

    Everybody has each value once.
    """
    deploy, ci, license_ = (choices(factor) for factor in FACTORS)
    if is_everybodys():
        return list(zip(cycle(reversed(deploy)), ci, license_, strict=False))
    if is_release():
        return list(product(deploy, ci, license_))
    # There are two ways to deploy and three values of the others: going on by one each time, all pairs meet.
    return [(how, *others) for how, others in zip(cycle(deploy), product(ci, license_), strict=False)]


def render_all(stack: str, folder: Path) -> list[Project]:
    """Render a stack with every set of the answers that shape its operational files."""
    template = copy_template(folder / "template")
    projects = [Project(folder / f"project-{number}", stack, *row) for number, row in enumerate(rows())]
    for project in projects:
        answers = {factor: getattr(project, factor) for factor in FACTORS}
        render(template, project.path, stack=stack, **answers)
    return projects


def distinct(projects: Iterable[Project], *patterns: str) -> list[Path]:
    """Give the matching files of all projects, of those with the same place and content only the first."""
    return [project.path / relative for project, relative in _first_of_each(projects, patterns)]


def _first_of_each(projects: Iterable[Project], patterns: tuple[str, ...]) -> Iterator[tuple[Project, Path]]:
    seen: set[tuple[Path, str]] = set()
    for project in projects:
        for path in project.files(*patterns):
            relative = path.relative_to(project.path)
            key = relative, hashlib.sha256(path.read_bytes()).hexdigest()
            if key not in seen:
                seen.add(key)
                yield project, relative


def one_of_each_stack(projects: Iterable[Project], **answers: str) -> list[Project]:
    """Give each stack's first project with these answers."""
    chosen: dict[str, Project] = {}
    for project in projects:
        if all(getattr(project, key) == value for key, value in answers.items()):
            chosen.setdefault(project.stack, project)
    return list(chosen.values())
