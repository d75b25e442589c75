"""The contract with scripts: one JSON envelope, documented exit codes, one line for an expected failure."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import templating
from running import Run

from stackgen import errors, intake, process, toolchain

Stackgen = Callable[..., Run]
COMMANDS = [["recommend"], ["compare"], ["stacks"], ["schema"], ["new", "my-shop", "--dry-run"], ["new", "my-shop"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_prints_one_envelope(stackgen: Stackgen, command: list[str]) -> None:
    run = stackgen(*command, "--json")
    assert (run.code, run.err) == (0, "")
    assert set(run.json) == {"stackgen", "command", "ok", "result"}
    assert run.json["stackgen"] == {"schema": 1, "version": process.version()}
    assert (run.json["command"], run.json["ok"]) == (command[0], True)


def test_an_expected_failure_prints_the_same_envelope_with_an_error(stackgen: Stackgen) -> None:
    run = stackgen("recommend", "--ai", "cor", "--json")
    assert run.code == 2
    assert set(run.json) == {"stackgen", "command", "ok", "error"}
    assert run.json["error"] == {
        "code": "usage",
        "exit_code": 2,
        "message": "ai: 'cor' is not one of none, feature, core, search",
        "hint": "did you mean 'core'?",
    }


def test_wrong_flags_are_usage_errors_in_json_too(stackgen: Stackgen) -> None:
    run = stackgen("recommend", "--nosuch", "--json")
    assert (run.code, run.json["error"]["code"]) == (2, "usage")


@pytest.mark.parametrize(
    "command",
    [
        ["nosuch"],
        ["new", "my-shop", "--nosuch"],
        ["recommend", "--ai"],
        ["recommend", "extra"],
        ["new"],
        ["new", "CON"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_code_2(stackgen: Stackgen, command: list[str]) -> None:
    run = stackgen(*command)
    assert run.code == 2
    assert run.out == ""
    assert len(run.err.splitlines()) <= 2
    assert run.err.startswith("stackgen: ")


TAKES_NOTHING_EMPTY = {
    "new": ["NAME", "--answers", "--output-dir", "--template", "--stack", "--product"],
    "recommend": ["--answers", "--template", "--team"],
    "compare": ["--template"],
    "stacks": ["--template"],
    "schema": ["--stack", "--template"],
    "update": ["PATH", "--to", "--template", "--stack"],
    "add": ["FEATURE"],
    "remove": ["FEATURE"],
    "status": ["PATH"],
    "verify": ["PATH"],
    "doctor": ["PATH", "--stack", "--template"],
}


@pytest.mark.parametrize(
    ("command", "place"), [(command, place) for command, places in TAKES_NOTHING_EMPTY.items() for place in places]
)
def test_an_empty_value_is_refused_instead_of_taken_for_none(
    stackgen: Stackgen, tmp_path: Path, command: str, place: str
) -> None:
    flags = [place] if place.startswith("--") else []
    name = ["shop"] if command == "new" and flags else []
    for given in ([*flags, ""], [f"{place}="] if flags else [""]):
        refused = stackgen(command, *name, *given)
        assert (refused.code, refused.err.splitlines()[0]) == (2, f"stackgen: {place} is empty")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["new", "shop", "--owner", "Ann Lee"], "-d 'owner=Ann Lee'"),
        (["new", "shop", "--owner=Ann"], "-d owner=Ann"),
        (["new", "shop", "--jobs"], "-d jobs=yes"),
        (["new", "--jobs", "shop"], "-d jobs=yes"),
        (["new", "shop", "--ci"], "-d ci=VALUE"),
        (["recommend", "--licence", "mit"], "-d license=mit"),
        (["update", "--ml-training", "torch", "--plan"], "-d ml_training=torch"),
        (["add", "--jobs"], "stackgen add jobs"),
    ],
    ids=" ".join,
)
def test_a_question_that_is_taken_for_a_flag_says_how_it_is_answered(
    stackgen: Stackgen, arguments: list[str], meant: str
) -> None:
    refused = stackgen(*arguments)
    assert (refused.code, refused.err.splitlines()[1]) == (2, f"  did you mean {meant}?")


def test_a_flag_that_is_nearly_one_is_told_so(stackgen: Stackgen) -> None:
    assert "--output-dir" in stackgen("new", "shop", "--ouput-dir", "x").err
    assert "-d" not in stackgen("compare", "--owner", "x").err


LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        [LONG],
        ["verify", LONG],
        ["verify", "x/" * 2000],
        ["verify", "x " * 20000],
        ["status", LONG],
        ["update", LONG],
        ["update", "--to", LONG],
        ["doctor", "--stack", LONG],
        ["schema", "--stack", LONG],
        ["new", "shop", LONG],
        ["new", "shop", "--yes", "--output-dir", LONG],
        ["new", "shop", "--yes", "--output-dir", "x/" * 400],
        ["new", "shop", "--yes", "--template", LONG],
        ["new", "shop", "--yes", "--template", "x/" * 400],
        ["new", "shop", "--yes", "--answers", LONG],
        ["new", "shop", "--yes", "--apply", LONG],
        ["new", "shop", f"--{LONG}"],
        ["new", "shop", "--owner", LONG],
        ["new", "shop", "-d", LONG],
        ["new", "shop", "-d", f"{LONG}=1"],
        ["new", "shop", "-d", f"ci={LONG}"],
        ["add", LONG],
        ["recommend", "--team", LONG],
    ],
    ids=lambda arguments: " ".join(word[:20] for word in arguments),
)
def test_what_was_said_is_never_repeated_at_full_length(stackgen: Stackgen, arguments: list[str]) -> None:
    refused = stackgen(*arguments)
    assert refused.code in {2, 3, 4}
    assert "x" * 200 not in refused.err
    assert "x/" * 200 not in refused.err
    assert len(refused.err) < 2500
    assert len(stackgen(*arguments, "--json").json["error"]["message"]) < 2100


def test_a_missing_name_names_the_argument_the_flag_and_the_key(stackgen: Stackgen) -> None:
    err = stackgen("new", "--yes").err
    assert all(word in err for word in ("NAME", "--data name=", "'name'"))


def test_exit_codes_are_the_documented_ones() -> None:
    family = {kind.code: kind.exit_code for kind in errors.StackgenError.__subclasses__()}
    assert family == {"usage": 2, "destination": 3, "source": 4, "conflict": 5, "check": 6, "found": 7, "loss": 1}
    assert errors.StackgenError.exit_code == 1
    page = (Path(__file__).parents[2] / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    for kind in (errors.StackgenError, *errors.StackgenError.__subclasses__()):
        assert f"| {kind.exit_code} | `{kind.code}` |" in page
    assert "| 130 |" in page


def test_a_bad_destination_is_exit_code_3(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "my-shop").mkdir()
    (tmp_path / "my-shop" / "mine.txt").write_text("mine")
    assert stackgen("new", "my-shop", "--yes").code == 3


def test_a_template_that_cannot_be_had_is_exit_code_4(stackgen: Stackgen) -> None:
    for nowhere in ("/nosuch/template", "nosuch", "./nosuch", "~/nosuch"):
        run = stackgen("new", "my-shop", "--yes", "--template", nowhere)
        assert run.code == 4
        assert re.fullmatch(r"stackgen: the template '.*nosuch.*' does not exist\n  name a folder .*\n", run.err)
    away = stackgen("new", "my-shop", "--yes", "--template", "nosuch.invalid:our/template")
    assert (away.code, "nosuch.invalid:our/template' cannot be read: " in away.err) == (4, True)
    assert "Could not read from remote" not in away.err  # the line before says why


def test_a_project_that_is_none_is_exit_code_3(stackgen: Stackgen) -> None:
    assert stackgen("update").code == 3


def test_a_bug_is_exit_code_1_with_the_traceback_in_a_file(
    stackgen: Stackgen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def broken(*_: object, **__: object) -> None:
        message = "something nobody thought of"
        raise RuntimeError(message)

    monkeypatch.setattr(intake, "advise", broken)
    run = stackgen("recommend")
    assert run.code == 1
    assert "Traceback" not in run.err + run.out
    assert "RuntimeError: something nobody thought of" in run.err
    (log,) = tmp_path.glob("stackgen-*.log")
    assert str(log) in run.err
    assert "Traceback" in log.read_text()


def test_an_interrupt_is_exit_code_130(stackgen: Stackgen, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(intake, "advise", interrupted)
    run = stackgen("recommend")
    assert (run.code, run.out) == (130, "")
    assert len(run.err.splitlines()) == 1


def test_an_interrupt_after_the_project_is_written_says_where_it_is(
    stackgen: Stackgen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(toolchain, "problems", interrupted)
    template = templating.every_kind(tmp_path / "template")
    run = stackgen("new", "shop", "--yes", "--template", str(template))
    assert (run.code, run.out) == (130, "")
    assert run.err == f"stackgen: interrupted, but the project is in {tmp_path / 'shop'}\n"
    assert (tmp_path / "shop/.copier-answers.yml").exists()
    assert stackgen("schema", "--stack", "nosuch").code == 2
    monkeypatch.setattr(intake, "advise", interrupted)
    assert stackgen("recommend").err == "stackgen: interrupted, nothing was left behind\n"


def test_quiet_prints_nothing(stackgen: Stackgen, tmp_path: Path) -> None:
    run = stackgen("new", "my-shop", "--yes", "--quiet")
    assert (run.code, run.out, run.err) == (0, "", "")
    assert (tmp_path / "my-shop" / ".copier-answers.yml").exists()


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--version"], {"copier", "questionary", "pydantic", "jinja2", "rich"}),
        (["--help"], {"copier", "questionary", "pydantic", "jinja2"}),
        (["recommend", "--yes", "--json"], {"copier", "questionary", "jinja2", "pydantic", "yaml"}),
        (["recommend", "--ai", "core", "--json"], {"copier", "questionary", "jinja2", "yaml"}),
        (["compare"], {"copier", "questionary", "jinja2"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_quick_commands_import_nothing_slow(arguments: list[str], forbidden: set[str]) -> None:
    script = (
        "import sys; from stackgen import cli; code = cli.run(sys.argv[1:]);"
        "print('\\n' + ' '.join(sorted(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert forbidden.isdisjoint(done.stdout.splitlines()[-1].split())


def test_answers_come_from_standard_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stackgen", "recommend", "--answers", "-", "--json"],
        input='{"product": "devops-tool"}',
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["result"]["stack"] == "go"
