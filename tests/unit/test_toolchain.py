"""A machine that lacks a stack's tools is told so in one line each."""

from pathlib import Path

import pytest

from stackgen import stacks, toolchain
from stackgen.choices import STACKS, Stack

RECORDS = stacks.own().records
TEMPLATES = Path(__file__).parents[2] / "templates"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only programs are those put into this folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(machine: Path, name: str, output: str, code: int = 0) -> None:
    program = machine / name
    program.write_text(f"#!/bin/sh\necho '{output}'\nexit {code}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("version", ["v22.18.0", "v24.19.0", "v30.0.0"])
def test_a_version_that_will_do_is_no_problem(machine: Path, version: str) -> None:
    install(machine, "node", version)
    assert toolchain.problems(RECORDS[Stack.NODE]) == ()


@pytest.mark.parametrize("version", ["v20.20.2", "v22.17.9", "v8.0.0"])
def test_a_version_that_is_too_old_is_named_with_the_one_needed_and_the_ways_to_get_it(
    machine: Path, version: str
) -> None:
    install(machine, "node", version)
    (problem,) = toolchain.problems(RECORDS[Stack.NODE])
    assert "Node.js 22.18 or newer is needed" in problem
    assert version.removeprefix("v") in problem
    assert "nodejs.org" in problem
    assert "\n" not in problem


def test_a_missing_tool_is_a_problem(machine: Path) -> None:
    assert machine.exists()
    assert "none was found" in toolchain.problems(RECORDS[Stack.GO])[0]
    assert len(toolchain.problems(RECORDS[Stack.HYBRID])) == 2


def test_a_tool_that_answers_nonsense_counts_as_missing(machine: Path) -> None:
    install(machine, "go", "not today", code=1)
    assert "none was found" in toolchain.problems(RECORDS[Stack.GO])[0]


def test_go_and_uv_are_understood(machine: Path) -> None:
    install(machine, "go", "go version go1.26.8 linux/amd64")
    install(machine, "uv", "uv 0.13.9 (x86_64-unknown-linux-gnu)")
    assert toolchain.problems(RECORDS[Stack.GO]) == ()
    assert toolchain.problems(RECORDS[Stack.DJANGO]) == ()


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_names_two_commands_to_run_next_and_its_readme_has_them_too(stack: str) -> None:
    commands = RECORDS[stack].commands
    assert len(commands) == 2
    readmes = [path.read_text(encoding="utf-8") for path in (TEMPLATES / stack / "project").glob("*README.md*")]
    assert readmes
    for command in " && ".join(commands).split(" && "):
        assert all(command in readme for readme in readmes), command
