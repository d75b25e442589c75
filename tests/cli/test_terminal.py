"""A person at a terminal: only what is missing is asked, and the answers count."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import terminals
import yaml
from terminals import DOWN, ENTER, finish

if TYPE_CHECKING:
    import pexpect

Spawn = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Spawn]:
    """Run stackgen on a pseudo-terminal in an empty folder."""
    started: list[pexpect.spawn[str]] = []

    def spawn(*arguments: str, **variables: str) -> "pexpect.spawn[str]":
        started.append(terminals.spawn(tmp_path, *arguments, **variables))
        return started[-1]

    yield spawn
    for child in started:
        child.close(force=True)


def answer(child: "pexpect.spawn[str]", question: str, keys: str = ENTER) -> None:
    child.expect_exact(question)
    child.send(keys)


def test_everything_is_asked_when_nothing_was_given(terminal: Spawn, tmp_path: Path) -> None:
    child = terminal("new")
    answer(child, "What are you building?", DOWN + ENTER)
    answer(child, "Does it use AI?")
    answer(child, "What will it spend its time on?")
    answer(child, "Which language does the team know best?")
    answer(child, "Which stack shall it be?")
    answer(child, "What is the project called?", "my-shop" + ENTER)
    answer(child, "What does it do")
    answer(child, "Which person, team or company owns it?")
    answer(child, "Under which licence?", DOWN + ENTER)
    answer(child, "How will it be deployed?")
    answer(child, "Which continuous integration")
    out = finish(child)
    assert child.exitstatus == 0, out
    recorded = yaml.safe_load((tmp_path / "my-shop" / ".copier-answers.yml").read_text())
    assert (recorded["license"], recorded["stack"]) == ("mit", "node-ts")
    assert {"key": "product", "value": "web"} in recorded["decision"]["choices"]
    assert "stackgen new my-shop --yes --product web" in out.replace("\r\n", " ").replace("  ", " ")


def test_only_what_was_not_given_is_asked(terminal: Spawn, tmp_path: Path) -> None:
    choices = ["--product", "saas", "--ai", "none", "--bottleneck", "io", "--team", "mixed", "--stack", "node-ts"]
    texts = ["-d", "description=x", "-d", "owner=y", "-d", "license=mit", "-d", "ci=none"]
    child = terminal("new", "my-shop", *choices, *texts)
    answer(child, "How will it be deployed?", DOWN + ENTER)
    out = finish(child)
    assert child.exitstatus == 0, out
    assert not any(asked in out for asked in ("Which", "What does", "What are", "Does it"))
    assert yaml.safe_load((tmp_path / "my-shop" / ".copier-answers.yml").read_text())["deploy"] == "kubernetes"


def test_a_refused_answer_is_asked_again(terminal: Spawn, tmp_path: Path) -> None:
    flags = ["--product", "saas", "--ai", "none", "--bottleneck", "io", "--team", "mixed", "--stack", "node-ts"]
    texts = ["-d", "description=x", "-d", "owner=y", "-d", "license=mit", "-d", "ci=none", "-d", "deploy=docker"]
    child = terminal("new", *flags, *texts)
    answer(child, "What is the project called?", "django" + ENTER)
    child.expect_exact("is reserved by")
    child.send("-shop" + ENTER)
    out = finish(child)
    assert child.exitstatus == 0, out
    assert (tmp_path / "django-shop").is_dir()


def test_a_name_that_cannot_be_used_is_refused_before_anything_is_asked(terminal: Spawn) -> None:
    child = terminal("new", "django")
    assert "is reserved by" in finish(child)
    assert child.exitstatus == 2


def test_ctrl_c_at_a_question_leaves_nothing(terminal: Spawn, tmp_path: Path) -> None:
    child = terminal("new", "my-shop")
    answer(child, "What are you building?", "\x03")
    finish(child)
    assert child.exitstatus == 130
    assert list(tmp_path.iterdir()) == []


def test_yes_asks_nothing_on_a_terminal_either(terminal: Spawn, tmp_path: Path) -> None:
    child = terminal("new", "my-shop", "--yes")
    out = finish(child)
    assert child.exitstatus == 0
    assert "\x1b[1m" in out
    assert (tmp_path / "my-shop").is_dir()


def test_no_color_is_honoured(terminal: Spawn) -> None:
    assert "\x1b[1m" in finish(terminal("recommend", "--yes"))
    assert "\x1b[" not in finish(terminal("recommend", "--yes", NO_COLOR="1"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_offers_values(shell: str, tmp_path: Path) -> None:
    words = "stackgen recommend --product "
    variables = {"_STACKGEN_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": words}
    variables |= {"COMP_WORDS": words, "COMP_CWORD": "3", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    command = [sys.executable, "-c", "from stackgen.cli import main; main()"]
    done = subprocess.run(
        command, env={**os.environ, **variables}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "realtime" in done.stdout
    assert "data-science" in done.stdout
