"""The command line: parse, call, echo, exit. What it says is made by `console`, what it asks by `prompts`.

Everything but typer is imported where it is used, so that help, completion and `--version` start at once.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from stackgen import endings
from stackgen.flags import (
    AiFlag,
    AnswersFlag,
    BottleneckFlag,
    DataFlag,
    JsonFlag,
    ProductFlag,
    StackFlag,
    TeamFlag,
    TemplateFlag,
    YesFlag,
)

if TYPE_CHECKING:
    from stackgen.console import Style
    from stackgen.errors import StackgenError

app = typer.Typer(
    name="stackgen",
    help="Recommends a backend stack, generates the project and keeps it up to date.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stackgen {version()}")
        raise typer.Exit


def version() -> str:
    """Give the installed version of stackgen."""
    from importlib.metadata import version as installed

    return installed("stackgen")


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Recommends a backend stack, generates the project and keeps it up to date."""


@app.command()
def new(
    name: Annotated[str | None, typer.Argument(help="The project's name and its folder's; . for this folder.")] = None,
    product: ProductFlag = None,
    ai: AiFlag = None,
    bottleneck: BottleneckFlag = None,
    team: TeamFlag = None,
    stack: StackFlag = None,
    answers: AnswersFlag = None,
    data: DataFlag = None,
    output_dir: Annotated[Path, typer.Option("--output-dir", "-o", help="Where the project's folder goes.")] = Path(),
    template: TemplateFlag = None,
    yes: YesFlag = False,
    dry_run: Annotated[
        bool, typer.Option("--plan", "--dry-run", help="Show what would be written, write nothing.")
    ] = False,
    apply: Annotated[
        str | None, typer.Option("--apply", metavar="DIGEST", help="Write only what that plan has shown.")
    ] = None,
    no_git: Annotated[bool, typer.Option("--no-git", help="Make no git repository.")] = False,
    json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Recommend a stack and generate a project."""
    from stackgen import commands, intake, request

    here = name == "."
    named = None if here else name
    given = intake.gather(
        answers, data, name=named, product=product, ai=ai, bottleneck=bottleneck, team=team, stack=stack
    )
    options = request.Options(template, output_dir, git=not no_git, here=here)
    with intake.located(given):
        ask = _may_ask(yes=yes or json or quiet or apply is not None)
        settled = request.prepare(given, options, ask=ask, review=not dry_run)
    with _spinner("Rendering", show=not (json or quiet)):
        outcome = commands.preview(settled) if dry_run else commands.generate(settled, apply)
    if not quiet:
        _say("new", json=json, data=outcome.data, text=outcome.text)


@app.command()
def recommend(
    product: ProductFlag = None,
    ai: AiFlag = None,
    bottleneck: BottleneckFlag = None,
    team: TeamFlag = None,
    stack: StackFlag = None,
    answers: AnswersFlag = None,
    data: DataFlag = None,
    template: TemplateFlag = None,
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Recommend a stack, with reasons and what would change the pick."""
    from stackgen import advice, intake

    given = intake.gather(answers, data, product=product, ai=ai, bottleneck=bottleneck, team=team, stack=stack)
    catalogue = intake.catalogue_of(template)
    with intake.located(given):
        ask = _may_ask(yes=yes or json)
        result = intake.converse(given, catalogue) if ask else intake.advise(given, catalogue)
    _say(
        "recommend",
        json=json,
        data=lambda: advice.data(result),
        text=lambda style: f"{advice.text(result, style)}\n{advice.follow_up(result, style)}",
    )


@app.command()
def compare(template: TemplateFlag = None, json: JsonFlag = False) -> None:
    """Compare the three languages, and what each stack holds."""
    from stackgen import console, intake

    catalogue = intake.catalogue_of(template)
    _say(
        "compare",
        json=json,
        data=lambda: console.comparison_data(catalogue),
        text=lambda style: console.comparison_text(catalogue, style),
    )


@app.command()
def stacks(template: TemplateFlag = None, json: JsonFlag = False) -> None:
    """List the stacks."""
    from stackgen import commands

    outcome = commands.list_stacks(template)
    _say("stacks", json=json, data=outcome.data, text=outcome.text)


@app.command()
def schema(stack: StackFlag = None, template: TemplateFlag = None, json: JsonFlag = False) -> None:
    """Print the JSON Schema of everything that `new` accepts."""
    from stackgen import commands, console

    result = commands.schema_of(template, stack)
    _say("schema", json=json, data=lambda: result, text=lambda _: console.plain_json(result))


@app.command(short_help="Bring a project to its template's newest release.")
def update(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    data: DataFlag = None,
    stack: Annotated[str | None, typer.Option("--stack", metavar="VALUE", help="Grow into another stack.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="VERSION", help="This release, not the newest.")] = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="SOURCE", help="Move the project to another template.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and touch nothing.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show it as a diff, too.")] = False,
    apply: Annotated[str | None, typer.Option("--apply", metavar="DIGEST", help="Do what that plan said.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 7 when there is anything to do.")] = False,
    go_on: Annotated[bool, typer.Option("--continue", help="End an update that was interrupted.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Take back an update that is not committed.")] = False,
    json: JsonFlag = False,
) -> None:
    """Bring a project to the newest release of its template, keeping what you changed.

    With --data or --stack alone, the project keeps its release.
    """
    from stackgen import commands, intake
    from stackgen.revision import Wish

    wish = Wish(intake.gather(None, data, stack=stack), to, template)
    how = commands.How(plan=plan or diff, diff=diff, check=check, apply=apply, go_on=go_on, abort=abort)
    with _spinner("Updating", show=not json):
        outcome = commands.update(path.absolute(), wish, how)
    if json:
        outcome.settle()
    _say("update", json=json, data=outcome.data, text=outcome.text)
    outcome.settle()


@app.command()
def status(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(), json: JsonFlag = False
) -> None:
    """Show a project's release, its answers, and what in it is yours."""
    from stackgen import commands

    outcome = commands.status(path.absolute())
    _say("status", json=json, data=outcome.data, text=outcome.text)


def _may_ask(*, yes: bool) -> bool:
    return not yes and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _encoding(stream: object) -> str | None:
    return getattr(stream, "encoding", None)


def _say(command: str, *, json: bool, data: Callable[[], dict[str, object]], text: Callable[["Style"], str]) -> None:
    from stackgen import console, layout, voice

    said = console.success(version(), command, data()) if json else text(layout.style_of(sys.stdout))
    try:
        typer.echo((voice.data if json or command == "schema" else voice.text)(said, _encoding(sys.stdout)))
    except BrokenPipeError:
        raise typer.Exit(endings.output_gone()) from None


@contextmanager
def _spinner(message: str, *, show: bool) -> Iterator[None]:
    if not (show and sys.stderr.isatty()):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(message):
        yield


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; an expected failure is one line, a bug a log file."""
    from stackgen.errors import StackgenError, UsageError

    try:
        code = app(args=list(arguments), prog_name="stackgen", standalone_mode=False) or 0
    except StackgenError as error:
        return _fail(error, arguments)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message())
            return UsageError.exit_code
        return _fail(UsageError(error.format_message(), "see stackgen --help"), arguments)
    except (KeyboardInterrupt, typer.Abort):
        code = endings.INTERRUPTED
    except OSError as error:
        return _refused_by_the_machine(error, arguments)
    except Exception as error:  # noqa: BLE001 - the last line of defence, so that users never see a traceback
        return _bug(error, arguments)
    if code == endings.INTERRUPTED:
        code = endings.code_of_interrupt()
        with suppress(OSError):  # the terminal may be gone
            typer.echo("stackgen: interrupted, nothing was left behind", err=True)
    return int(code)


def _refused_by_the_machine(error: OSError, arguments: Sequence[str]) -> int:
    expected = endings.of_the_machine(error)
    return _fail(expected, arguments) if expected else _bug(error, arguments)


def _fail(error: "StackgenError", arguments: Sequence[str]) -> int:
    from stackgen import console, layout, voice

    if "--json" in arguments:
        typer.echo(voice.data(console.failure(version(), _command(arguments), error), _encoding(sys.stdout)))
    else:
        typer.echo(voice.text(console.error_text(error, layout.style_of(sys.stderr)), _encoding(sys.stderr)), err=True)
    return error.exit_code


def _bug(error: Exception, arguments: Sequence[str]) -> int:
    import tempfile
    import traceback

    from stackgen.errors import StackgenError

    with tempfile.NamedTemporaryFile("w", prefix="stackgen-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(f"stackgen {version()}, Python {sys.version}, {sys.platform}\n{list(arguments)}\n")
        traceback.print_exception(error, file=log)
    summary = f"{type(error).__name__}: {error}"
    return _fail(StackgenError(f"unexpected failure: {summary}", f"please report it with {log.name}"), arguments)


def _command(arguments: Sequence[str]) -> str:
    return next((word for word in arguments if not word.startswith("-")), "")


def main() -> NoReturn:
    """Run the command of this process and exit with its code."""
    endings.watch()
    sys.exit(run(sys.argv[1:]))
