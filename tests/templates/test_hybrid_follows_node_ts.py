"""A hybrid project is a node-ts project and more: a change of node-ts's files has to reach the hybrid's own."""

import difflib
from pathlib import Path

import pytest
from rendering import Render

ROOT = Path(__file__).parents[2]
EVERYTHING = {"ml_async_jobs": True, "ml_streaming": True, "ml_training": "torch"}
# Written by copier and by npm; test_node_locks.py compares the versions.
GENERATED = {".copier-answers.yml", "package-lock.json"}
# How many lines of node-ts's the hybrid words differently; where nothing is said, none.
REWORDED = {
    ".devcontainer/devcontainer.json": 2,
    ".github/workflows/release.yml": 4,
    ".vscode/extensions.json": 1,
    "AGENTS.md": 1,
    "README.md": 5,
    "apps/api/openapi.json": 1,  # the last of the scopes has a comma: more come behind it
    "apps/api/src/modules/workers.ts": 1,
    "apps/api/src/modules/index.ts": 1,
    "docs/decisions/0001-stack.md": 2,
    "package.json": 1,
}


def missing(theirs: str, ours: str) -> list[str]:
    """Give the lines of `theirs` that are not in `ours`, or not in that order."""
    matcher = difflib.SequenceMatcher(a=theirs.splitlines(), b=ours.splitlines(), autojunk=False)
    kept = {i for block in matcher.get_matching_blocks() for i in range(block.a, block.a + block.size)}
    return [line for i, line in enumerate(theirs.splitlines()) if i not in kept]


def files(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
def test_the_hybrid_has_every_file_of_node_ts_and_its_lines_in_order(
    rendered: Render, tmp_path: Path, ci: str, options: dict[str, object]
) -> None:
    common = {"ci": ci, "deploy": "kubernetes"}
    theirs = files(rendered("node-ts", tmp_path / "node", **common))
    ours = files(rendered("hybrid-node-python-ml", tmp_path / "hybrid", **common, **options))
    assert set(theirs) <= set(ours)
    lost = {name: missing(text, ours[name]) for name, text in theirs.items() if name not in GENERATED}
    assert {name: lines for name, lines in lost.items() if len(lines) > REWORDED.get(name, 0)} == {}


def test_a_line_that_is_lost_or_moved_is_found() -> None:
    assert missing("one\ntwo\nthree\n", "zero\none\ntwo\nand\nthree\n") == []
    assert missing("one\ntwo\nthree\n", "one\nthree\n") == ["two"]
    assert missing("one\ntwo\nthree\n", "two\nthree\none\n") == ["one"]
