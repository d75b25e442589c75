"""The house rules that a reader relies on: who may import whom, and how large things may grow."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stackgen

ROOMS = (
    "errors", "endings", "keys", "workshop", "reading", "choices", "article", "rules", "notes", "shapes", "steps",
    "stacks", "recommend", "decision", "values", "questionnaire", "expressions", "walk", "conditions", "questions",
    "limits", "schema", "plan", "git", "source", "project", "provenance",
    "repository", "destination", "trim", "render", "releases",
    "merge", "filters", "pins", "migrations", "policies", "settling", "proof", "journal", "revision", "update",
    "standing",
    "toolchain", "verify", "serving", "layout", "proving", "advice", "console", "voice", "report",
    "trial",
    "wording", "prompts", "intake", "request", "outcome", "commands", "process", "flags", "cli",
)  # fmt: skip
PACKAGE = Path(stackgen.__file__).parent
PRESENT = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in (*PACKAGE.glob("*.py"), *PACKAGE.glob("commands/*.py"))
    if not path.stem.startswith("__")
)
MAY_IMPORT = {
    "copier": {"render"},
    "typer": {"cli", "flags", "process"},
    "rich": {"layout", "process"},
    "questionary": {"prompts"},
    "prompt_toolkit": {"prompts"},
    "subprocess": {"git", "toolchain", "verify", "serving"},
}
LONGEST_FILE = 300
LONGEST_FUNCTION = 60
P90_FUNCTION = 40


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tree_of(room: str) -> ast.Module:
    return ast.parse(file_of(room).read_text(encoding="utf-8"))


def file_of(room: str) -> Path:
    return PACKAGE / f"{room.replace('.', '/')}.py"


def rank(room: str) -> int:
    """Give the place in the order; the files of the package of commands stand beside each other."""
    return ROOMS.index(room.split(".", maxsplit=1)[0])


def test_every_file_of_the_package_is_a_known_room() -> None:
    assert {room.split(".")[0] for room in PRESENT} <= set(ROOMS)


@pytest.mark.parametrize("room", PRESENT)
def test_a_room_imports_only_rooms_before_it(room: str) -> None:
    before = set(ROOMS[: rank(room)])
    inside = {name.split(".")[1] for name in imports(tree_of(room)) if name.startswith("stackgen.")}
    assert inside & set(ROOMS) <= before


@pytest.mark.parametrize("room", PRESENT)
def test_a_library_stays_in_the_rooms_it_belongs_to(room: str) -> None:
    for name in imports(tree_of(room)):
        allowed = MAY_IMPORT.get(name.split(".")[0])
        assert allowed is None or room in allowed, f"{room} imports {name}"


@pytest.mark.parametrize("room", PRESENT)
def test_only_the_command_line_prints(room: str) -> None:
    calls = (node.func for node in ast.walk(tree_of(room)) if isinstance(node, ast.Call))
    assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls)


@pytest.mark.parametrize("room", PRESENT)
def test_no_file_outgrows_its_readers(room: str) -> None:
    assert len(file_of(room).read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_functions_stay_small() -> None:
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for room in PRESENT
        for node in ast.walk(tree_of(room))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    )
    assert lengths[-1] <= LONGEST_FUNCTION
    assert lengths[int(len(lengths) * 0.9)] < P90_FUNCTION


@pytest.mark.parametrize("room", PRESENT)
def test_public_functions_and_classes_say_what_they_give(room: str) -> None:
    for node in tree_of(room).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{room}.{node.name}"
