"""A person at a terminal: only what is missing is asked, and the answers count."""

import os
import re
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
import templating
import terminals
import yaml
from terminals import CODES, DOWN, ENTER, finish, in_whole_words

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
    answer(child, "Shall it be created?")
    out = finish(child)
    assert child.exitstatus == 0, out
    recorded = yaml.safe_load((tmp_path / "my-shop" / ".copier-answers.yml").read_text())
    assert (recorded["license"], recorded["stack"]) == ("mit", "node-ts")
    assert {"key": "product", "value": "web", "said": True} in recorded["decision"]["choices"]
    assert "stackgen new my-shop --yes --product web" in out.replace("\r\n", " ").replace("  ", " ")


def test_only_what_was_not_given_is_asked(terminal: Spawn, tmp_path: Path) -> None:
    choices = ["--product", "saas", "--ai", "none", "--bottleneck", "io", "--team", "mixed", "--stack", "node-ts"]
    texts = ["-d", "description=x", "-d", "owner=y", "-d", "license=mit", "-d", "ci=none"]
    child = terminal("new", "my-shop", *choices, *texts)
    answer(child, "How will it be deployed?", DOWN + ENTER)
    answer(child, "Shall it be created?")
    out = finish(child)
    assert child.exitstatus == 0, out
    assert not any(asked in out for asked in ("Which", "What does", "What are", "Does it"))
    assert yaml.safe_load((tmp_path / "my-shop" / ".copier-answers.yml").read_text())["deploy"] == "kubernetes"


def test_an_answer_that_follows_from_a_choice_is_what_enter_takes(terminal: Spawn, tmp_path: Path) -> None:
    flags = ["--product", "devops-tool", "--ai", "none", "--bottleneck", "io", "--team", "go", "--stack", "go"]
    texts = ["-d", "description=x", "-d", "owner=y", "-d", "license=mit", "-d", "ci=none", "-d", "deploy=docker"]
    template = str(templating.questions_alone(tmp_path / "ours"))
    child = terminal("new", "my-tool", *flags, *texts, "-d", "module_path=example.com/tool", "--template", template)
    answer(child, "What should the binary be?")
    answer(child, "Shall it be created?")
    out = finish(child)
    assert child.exitstatus == 0, out
    recorded = yaml.safe_load((tmp_path / "my-tool" / ".copier-answers.yml").read_text())
    assert recorded["kind"] == "cli"
    assert "kind=" not in out


def test_a_refused_answer_is_asked_again(terminal: Spawn, tmp_path: Path) -> None:
    flags = ["--product", "saas", "--ai", "none", "--bottleneck", "io", "--team", "mixed", "--stack", "node-ts"]
    texts = ["-d", "description=x", "-d", "owner=y", "-d", "license=mit", "-d", "ci=none", "-d", "deploy=docker"]
    child = terminal("new", *flags, *texts)
    answer(child, "What is the project called?", "django" + ENTER)
    child.expect_exact("is reserved by")
    child.send("-shop" + ENTER)
    answer(child, "Shall it be created?")
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


BACK = "\x1b[Z"
CHOSEN = ["--product", "saas", "--ai", "none", "--bottleneck", "io", "--team", "mixed"]
GIVEN = [
    "--ai",
    "none",
    "--bottleneck",
    "io",
    "--team",
    "mixed",
    "-d",
    "description=x",
    "-d",
    "owner=y",
    "-d",
    "ci=none",
]


def plain(text: str) -> str:
    return CODES.sub("", text)


def test_the_recommendation_is_seen_before_the_stack_is_asked(terminal: Spawn) -> None:
    child = terminal("new", "my-shop", *GIVEN, "-d", "license=mit", "-d", "deploy=docker")
    answer(child, "What are you building?", DOWN + ENTER)
    child.expect_exact("Which stack shall it be?")
    seen = plain(str(child.before))
    for part in (
        "Said: product = web",
        "Why (most-backends",
        "Mind",
        "Runner-up",
        "What would change",
        "huma: OpenAPI",
    ):
        assert part in seen
    child.send(ENTER)
    child.expect_exact("Shall it be created?")
    page = plain(str(child.before))
    assert re.search(r"my-shop: \d+ files", page)
    assert re.search(r"^  apps/ +\d+$", page, re.MULTILINE)
    assert "npm run dev" in page
    child.send("\x03")
    finish(child)


def test_questions_are_numbered_and_there_is_a_way_back(terminal: Spawn, tmp_path: Path) -> None:
    child = terminal("new", "my-shop", *GIVEN, "--stack", "node-ts")
    child.expect_exact("1 of 3")
    answer(child, "What are you building?", DOWN + ENTER)
    child.expect_exact("2 of 3")
    answer(child, "Under which licence?", DOWN + ENTER)
    child.expect_exact("3 of 3")
    answer(child, "How will it be deployed?", BACK)
    child.expect_exact("2 of 3")
    answer(child, "Under which licence?", DOWN + ENTER)
    answer(child, "How will it be deployed?", DOWN + ENTER)
    answer(child, "Shall it be created?")
    shown = " ".join(plain(finish(child)).replace("\\\n", " ").split())
    assert "--data license=apache-2.0 --data deploy=kubernetes" in shown
    recorded = yaml.safe_load((tmp_path / "my-shop" / ".copier-answers.yml").read_text())
    assert (recorded["license"], recorded["deploy"]) == ("apache-2.0", "kubernetes")


def test_in_40_columns_questions_and_options_are_whole_and_each_option_is_explained(tmp_path: Path) -> None:
    given = ["--bottleneck", "io", "--team", "mixed", "--stack", "node-ts", "-d", "description=x", "-d", "ci=none"]
    child = terminals.spawn(tmp_path, "new", "my-shop", *given, size=(50, 40))
    for text, keys in (
        ("Enter takes what is marked or written, Ctrl-U empties the line,", ""),
        ("Shift-Tab goes back to the question before.", ""),
        ("a real-time application: chat, dashboards, collaboration", ""),
        ("Customers with accounts of their own, who must never see each other's rows.", DOWN),
        ("Pages and forms for people; the front end and the API belong together.", ENTER),
        ("Nothing is predicted or generated.", ENTER),
        ("Which person, team or company owns it?", ENTER),
        ("Nobody may use, copy or change it without the owner's consent.", DOWN),
        ("Anybody may do anything with it, as long as the notice stays.", "\x03"),
    ):
        child.expect(in_whole_words(text))
        child.send(keys)
    finish(child)


@pytest.mark.parametrize("columns", [40, pytest.param(80, marks=pytest.mark.full)])
def test_a_person_reads_whole_words_from_the_first_answer_to_the_last_line(tmp_path: Path, columns: int) -> None:
    given = ["--ai", "none", "--team", "mixed", "-d", "owner=y", "-d", "ci=none", "-d", "deploy=docker", "--no-git"]
    template = str(templating.questions_alone(tmp_path / "ours"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(str(shutil.which("git")))
    alone = {"PATH": str(tmp_path / "bin"), "NO_COLOR": "1"}
    child = terminals.spawn(tmp_path, "new", "--template", template, *given, size=(200, columns), **alone)
    out = ""
    for question, keys in (
        ("What are you building?", DOWN * 9 + ENTER),
        ("What will it spend its time on?", ENTER),
        ("Which stack shall it be?", DOWN * 3 + ENTER),
        ("What is the project called?", "my-shop" + ENTER),
        ("What does it do, in one sentence?", "\x15A shop of the things that nobody else has to sell" + ENTER),
        ("Under which licence?", ENTER),
        ("Should it begin with its example", "y"),
        ("Include the notebook, which explores the data sets with polars?", "y"),
        ("Shall it be created?", ENTER),
    ):
        child.expect(in_whole_words(question))
        out += str(child.before) + str(child.after)
        child.send(keys)
    out = terminals.seen(out + finish(child), (200, columns))
    assert child.exitstatus == 0, out
    whole = " ".join(out.replace("\\\n", " ").split())
    for told in (
        "What are you building? something that takes in a stream of events or devices' data",
        "What will it spend its time on? waiting for databases, networks and files",
        "Which stack shall it be? python-django: Python with Django",
        "A shop of the things that nobody else has to sell",
        "Under which licence? Proprietary, all rights reserved",
        "! uv 0.8 or newer is needed",
        "stackgen new my-shop --yes --product ingest --ai none --bottleneck io --team mixed --stack python-django",
    ):
        assert told in whole, out


@pytest.mark.parametrize("columns", [40, 80])
def test_why_an_answer_is_refused_is_read_to_its_end(tmp_path: Path, columns: int) -> None:
    template = str(templating.questions_alone(tmp_path / "ours"))
    child = terminals.spawn(tmp_path, "new", "--template", template, "--stack", "go", *CHOSEN, size=(30, columns))
    answer(child, "What is the project called?", "My" + ENTER)
    child.expect(in_whole_words("starting with a letter"))
    shown = terminals.seen(str(child.before) + str(child.after), (30, columns))
    reason = "must be lower-case letters and digits, in words joined by single hyphens, starting with a letter"
    assert f"name: 'My' {reason}" in " ".join(shown.split()), shown
    child.send("\x03")
    finish(child)


def test_at_the_end_an_answer_can_be_changed_and_only_it_is_asked_again(terminal: Spawn, tmp_path: Path) -> None:
    child = terminal("new", "my-shop", *GIVEN, "--product", "web", "--stack", "node-ts", "-d", "deploy=docker")
    answer(child, "Under which licence?")
    answer(child, "Shall it be created?", DOWN + ENTER)
    answer(child, "Which answer?")
    answer(child, "Under which licence?", DOWN + ENTER)
    answer(child, "Shall it be created?")
    out = finish(child)
    assert child.exitstatus == 0, out
    assert yaml.safe_load((tmp_path / "my-shop" / ".copier-answers.yml").read_text())["license"] == "mit"


def test_whoever_waits_for_the_last_page_is_told_that_it_is_being_made(terminal: Spawn) -> None:
    child = terminal("new", "my-shop", *GIVEN, "--product", "web", "--stack", "node-ts", "-d", "deploy=docker")
    answer(child, "Under which licence?")
    child.expect_exact("Rendering what would be written")
    assert "Shall it be created?" not in str(child.before)
    child.expect_exact("Shall it be created?")
    child.send("\x03")
    finish(child)


TYPED = ["--product", "web", "--stack", "node-ts", "-d", "deploy=docker"]


def test_what_is_typed_before_the_last_page_is_not_shown_and_creates_nothing(terminal: Spawn, tmp_path: Path) -> None:
    child = terminal("new", "my-shop", *GIVEN, *TYPED)
    answer(child, "Under which licence?", ENTER + ENTER)
    child.expect_exact("Proprietary, all rights reserved")
    child.expect_exact("Proprietary, all rights reserved")
    child.send("zzz" + ENTER)
    child.expect_exact("Shall it be created?")
    assert "zzz" not in str(child.before)
    assert list(tmp_path.iterdir()) == []
    child.send("\x03")
    finish(child)
    assert child.exitstatus == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGHUP", None])
def test_the_terminal_is_given_back_as_it_was(terminal: Spawn, tmp_path: Path, how: str | None) -> None:
    ending = terminals.ending_at(tmp_path / "hook", "tempfile.mkdtemp", 1, how) if how else {}
    child = terminal("new", "my-shop", *GIVEN, *TYPED, "--plan", **ending)
    answer(child, "Under which licence?")
    assert child.expect(["Would write", "interrupted", pexpect.EOF]) == (1 if how else 0)
    child.expect(pexpect.EOF)
    incoming, _, _, local, *_ = termios.tcgetattr(child.child_fd)
    assert incoming & termios.ICRNL
    assert local & termios.ECHO
    assert local & termios.ICANON


def test_questions_that_follow_from_a_choice_are_counted(terminal: Spawn, tmp_path: Path) -> None:
    template = str(templating.questions_alone(tmp_path / "ours"))
    flags = ["--product", "devops-tool", "--ai", "none", "--bottleneck", "io", "--team", "go"]
    child = terminal("new", *flags, "--template", template)
    child.expect_exact("1 of 9")
    answer(child, "Which stack shall it be?")
    child.expect_exact("2 of 9")
    child.send("\x03")
    finish(child)


def test_to_quit_at_the_end_writes_nothing(terminal: Spawn, tmp_path: Path) -> None:
    child = terminal("new", "my-shop", *GIVEN, "--product", "web", "--stack", "node-ts", "-d", "deploy=docker")
    answer(child, "Under which licence?")
    answer(child, "Shall it be created?", DOWN + DOWN + ENTER)
    assert "nothing was left behind" in finish(child)
    assert child.exitstatus == 130
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_red_while_a_name_is_being_typed(terminal: Spawn) -> None:
    child = terminal(
        "new", *GIVEN, "--product", "web", "--stack", "node-ts", "-d", "license=mit", "-d", "deploy=docker"
    )
    answer(child, "What is the project called?", "M")
    child.send("y")
    child.expect_exact("y")
    assert "must be" not in str(child.before)
    child.send(ENTER)
    child.expect_exact("must be lower-case")
    child.send("\x03")
    finish(child)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, columns: int) -> None:
    hybrid = ["recommend", "--yes", "--ai", "core", "--team", "python"]
    for command in (hybrid, ["compare"], ["stacks"], ["recommend", "--yes", "--stack", "go"]):
        child = terminals.spawn(tmp_path, *command, size=(50, columns))
        lines = plain(finish(child)).splitlines()
        assert len(lines) > 4
        for line in lines:
            assert len(line) <= columns or line.strip().startswith("stackgen new"), (command, line)
            assert line == line.rstrip()


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
