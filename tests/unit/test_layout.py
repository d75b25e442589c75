"""Text fits the terminal that it is written to, and what goes elsewhere keeps its lines."""

import shlex

import pytest

from stackgen import console, wording
from stackgen.errors import UsageError
from stackgen.layout import Style, command, page

LONG = "ci: 'no' is not one of github, gitlab, none, and this line goes on for longer than any terminal is wide"
COMMAND = shlex.join(["stackgen", "new", "my-shop", "--yes", "--data", 'description=it\'s a "shop" $HOME', "-d", "a=b"])


def narrow(width: int) -> Style:
    return Style(width=width, terminal=True)


@pytest.mark.parametrize("width", [40, 80])
def test_a_line_that_is_too_long_goes_on_below_where_it_begins(width: int) -> None:
    first, second, *_ = page([f"  - {LONG}", "short"], narrow(width)).splitlines()
    assert first.startswith("  - ci: 'no'")
    assert second.startswith("    ")
    assert " ".join(page([LONG], narrow(width)).split()) == LONG
    for text in (page([f"  ! {LONG}"], narrow(width)), console.error_text(UsageError(LONG, LONG), narrow(width))):
        assert max(map(len, text.splitlines())) <= width
    assert page([f"  - {LONG}"], Style()) == f"  - {LONG}"
    assert console.error_text(UsageError(LONG, LONG), Style()) == f"stackgen: {LONG}\n  {LONG}"


def test_a_command_that_is_too_long_is_broken_as_a_shell_reads_it() -> None:
    for width in (40, 60, 80):
        lines = command(COMMAND, narrow(width)).splitlines()
        assert max(map(len, lines)) <= max(width, len("    --data 'description=it'\"'\"'s a \"shop\" $HOME' \\"))
        assert all(line.endswith(" \\") for line in lines[:-1])
        assert shlex.split("".join(line.removesuffix("\\") for line in lines)) == shlex.split(COMMAND)
        assert not any(line.endswith("--data \\") for line in lines)
    assert command(COMMAND, narrow(200)) == command(COMMAND, Style(width=40)) == f"  {COMMAND}"


@pytest.mark.parametrize(
    "line",
    [
        "uv pip sync --python .venv --require-hashes requirements-dev.txt && uv pip install --no-deps --editable .",
        "stackgen new my-shop --yes --data 'description=A shop of the things that nobody else has to sell'",
        "cd '/home/somebody/a folder with a name that goes on and on'",
    ],
)
def test_a_page_leaves_the_command_on_it_as_a_shell_reads_it(line: str) -> None:
    for width in (40, 60, 80):
        lines = page(["Next", command(line, narrow(width))], narrow(width)).splitlines()[1:]
        assert shlex.split("".join(part.removesuffix("\\") for part in lines)) == shlex.split(line)
        assert all(part.endswith(" \\") for part in lines[:-1])


def test_an_answer_stands_beside_its_question_or_below_it() -> None:
    assert wording.told("1 of 2", "Does it use AI?", "no AI", narrow(40)) == "1 of 2 Does it use AI? no AI"
    assert wording.told("1 of 2", "Does it use AI?", "a model of our own is the product", narrow(40)).splitlines() == [
        "1 of 2 Does it use AI?",
        "       a model of our own is the",
        "       product",
    ]
    assert wording.told("1 of 2", "What is its motto?", "one\ntwo", narrow(80)) == (
        "1 of 2 What is its motto?\n       one\n       two"
    )
    assert wording.told("1 of 2", "What is its motto?", "", narrow(80)).rstrip() == "1 of 2 What is its motto?"
