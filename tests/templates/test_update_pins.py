"""An ordinary release meets a project whose bot has moved on: both have moved the same pins, and nothing conflicts.

The release moves every pin and adds a file; the bot has moved every pin
further, or less far. Both are made here from today's templates.
"""

from pathlib import Path

import ordinary
import pytest
from museum import Repository, git, repository_of_today

from stackgen import project, questions, render, update
from stackgen.plan import Plan

ROOT = Path(__file__).parents[2]
NOW, NEXT = "89.0.0", "90.0.0"
STACKS = questions.read(ROOT).stacks()


def release(repository: Repository) -> None:
    """Write the ordinary release."""
    changes = ordinary.pins_moved(repository, 2)
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


@pytest.mark.full
@pytest.mark.parametrize("by", [1, 3])
@pytest.mark.parametrize("stack", STACKS)
def test_pins_that_both_have_moved_are_no_conflict(bundle: str, tmp_path: Path, stack: str, by: int) -> None:
    made = render.generate(Plan(bundle, f"v{NOW}", tmp_path / "my-shop", {"stack": stack, "name": "my-shop"})).project
    before = {path: path.read_text(encoding="utf-8") for path in ordinary.pinned(made.path)}
    moved = {path: ordinary.moved_on(text, by) for path, text in before.items()}
    for path, text in moved.items():
        path.write_text(text, encoding="utf-8")
    assert sum(moved[path] != before[path] for path in before) >= 4
    git(made.path, "commit", "--quiet", "--all", "--message=Update dependencies")
    report = update.run(project.read(made.path), {}, {})
    assert report.to_version == f"v{NEXT}"
    assert report.conflicts == ()
    newest = {path: ordinary.moved_on(text, max(by, 2)) for path, text in before.items()}
    assert {path.name for path in newest if path.read_text(encoding="utf-8") != newest[path]} == set()
    given_up = {path for path, _ in report.given_up}
    assert bool(given_up) is (by < 2)
