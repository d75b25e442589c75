"""An ordinary release meets a project whose bot has moved on: both have moved the same pins, and nothing conflicts.

The release moves every pin and adds a file; the bot has moved every pin
further, or less far. Both are made here from today's templates.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from museum import Repository, git, repository_of_today

from stackgen import policies, project, questions, render, update
from stackgen.plan import Plan

ROOT = Path(__file__).parents[2]
NOW, NEXT = "89.0.0", "90.0.0"
STACKS = [
    pytest.param(stack, marks=() if stack == "node-ts" else pytest.mark.full) for stack in questions.read(ROOT).stacks()
]
# What a bot reads: dependencies, base images, actions, tools.
MANIFESTS = re.compile(r"(package\.json|\.mod|pyproject\.toml|\.txt|Dockerfile|\.ya?ml)(\.jinja)?$")
PINNED = re.compile(r"(FROM |uses: |image: |[=~>]=|\"[^\"]+\": \"[\^~]?\d|^\s+\S+\.\S+/\S+ v\d|version)", re.IGNORECASE)
VERSION = re.compile(r"(?<![\d.\w])(v?\d+)\.(\d+)\.(\d+)(?![\d.\w-])")


def moved_on(text: str, by: int) -> str:
    """Move every version on a line that pins something, and every commit with it."""

    def line(content: str) -> str:
        if not PINNED.search(content):
            return content
        content = re.sub(r"\b[0-9a-f]{40}\b", f"{by:x}" * 40, content)
        return VERSION.sub(lambda found: f"{found[1]}.{found[2]}.{int(found[3]) + by}", content)

    return "".join(map(line, text.splitlines(keepends=True)))


def release(repository: Repository) -> None:
    """Write the ordinary release."""
    changes: dict[str, str | None] = {}
    for path in sorted((repository.path / "templates").rglob("*")):
        name = path.relative_to(repository.path).as_posix()
        written = re.sub(r"\[=%.*?%=\]", "", name)  # without the option that a file belongs to
        if path.is_file() and not path.is_symlink() and MANIFESTS.search(written) and "/questions.yml" not in name:
            changes[name] = moved_on(path.read_text(encoding="utf-8"), 2)
    for stack in questions.read(repository.path).stacks():
        folder = f"templates/{stack}/project"
        target = repository.path / folder / "docs/added.md"
        if not target.parent.is_symlink():
            changes[f"{folder}/docs/added.md"] = "added by the release\n"
    repository.commit(changes)
    repository.release(NEXT)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    workshop = tmp_path_factory.mktemp("pins")
    repository = repository_of_today(workshop / "repository")
    repository.release(NOW)
    release(repository)
    return str(repository.pack(workshop / "packed") / "templates.bundle")


def pinned(folder: Path) -> Iterator[Path]:
    for name in git(folder, "ls-files", "-z").split("\0")[:-1]:
        if MANIFESTS.search(name) and not policies.command(name) and name != project.ANSWERS_FILE:
            yield folder / name


@pytest.mark.parametrize("by", [1, 3])
@pytest.mark.parametrize("stack", STACKS)
def test_pins_that_both_have_moved_are_no_conflict(bundle: str, tmp_path: Path, stack: str, by: int) -> None:
    made = render.generate(Plan(bundle, f"v{NOW}", tmp_path / "my-shop", {"stack": stack, "name": "my-shop"})).project
    before = {path: path.read_text(encoding="utf-8") for path in pinned(made.path)}
    moved = {path: moved_on(text, by) for path, text in before.items()}
    for path, text in moved.items():
        path.write_text(text, encoding="utf-8")
    assert sum(moved[path] != before[path] for path in before) >= 4
    git(made.path, "commit", "--quiet", "--all", "--message=Update dependencies")
    report = update.run(project.read(made.path), {}, {})
    assert report.to_version == f"v{NEXT}"
    assert report.conflicts == ()
    newest = {path: moved_on(text, max(by, 2)) for path, text in before.items()}
    assert {path.name for path in newest if path.read_text(encoding="utf-8") != newest[path]} == set()
    given_up = {path for path, _ in report.given_up}
    assert bool(given_up) is (by < 2)
