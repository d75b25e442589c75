"""The command line: parse, call, echo, exit. What it says is made by `console`, what it asks by `prompts`.

Everything but typer is imported where it is used, so that help, completion and `--version` start at once.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from stackgen import endings, process
from stackgen.flags import (
    AiFlag,
    AnswersFlag,
    BottleneckFlag,
    Command,
    DataFlag,
    JsonFlag,
    OneStackFlag,
    ProductFlag,
    SkipFlag,
    StackFlag,
    TeamFlag,
    TemplateFlag,
    YesFlag,
)

app = typer.Typer(
    name="stackgen",
    help="Recommends a backend stack, generates the project and keeps it up to date.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_command = partial(app.command, cls=Command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stackgen {process.version()}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Recommends a backend stack, generates the project and keeps it up to date."""


@_command()
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
    from stackgen import intake, request
    from stackgen.commands.new import generate, preview, refuse_nonsense

    refuse_nonsense(dry_run=dry_run, apply=apply)
    here = name == "."
    named = None if here else name
    given = intake.gather(
        answers, data, name=named, product=product, ai=ai, bottleneck=bottleneck, team=team, stack=stack
    )
    options = request.Options(template, output_dir, git=not no_git, here=here)
    with intake.located(given):
        ask = process.may_ask(yes=yes or json or quiet or apply is not None)
        working = partial(process.spinner, show=True)
        settled = request.prepare(given, options, ask=ask, review=not dry_run, working=working)
    with process.spinner("Rendering", show=not (json or quiet)):
        outcome = preview(settled) if dry_run else generate(settled, apply)
    process.say("new", outcome, json=json, quiet=quiet)


@_command()
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
    from stackgen import intake
    from stackgen.commands.recommend import advise

    given = intake.gather(answers, data, product=product, ai=ai, bottleneck=bottleneck, team=team, stack=stack)
    process.say("recommend", advise(given, template, ask=process.may_ask(yes=yes or json)), json=json)


@_command()
def compare(template: TemplateFlag = None, json: JsonFlag = False) -> None:
    """Compare the three languages, and what each stack holds."""
    from stackgen.commands.compare import show

    process.say("compare", show(template), json=json)


@_command()
def stacks(template: TemplateFlag = None, json: JsonFlag = False) -> None:
    """List the stacks."""
    from stackgen.commands.stacks import show

    process.say("stacks", show(template), json=json)


@_command()
def schema(stack: OneStackFlag = None, template: TemplateFlag = None, json: JsonFlag = False) -> None:
    """Print the JSON Schema of everything that `new` accepts."""
    from stackgen.commands.schema import show

    process.say("schema", show(template, stack), json=json)


@_command(short_help="Bring a project to its template's newest release.")
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
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove it in a copy first; leave everything if it breaks a step.")
    ] = False,
    skip: SkipFlag = None,
    json: JsonFlag = False,
) -> None:
    """Bring a project to the newest release of its template, keeping what you changed.

    With --data or --stack alone, the project keeps its release.
    """
    from stackgen import intake
    from stackgen.commands.update import How, carry
    from stackgen.revision import Wish

    wish = Wish(intake.gather(None, data, stack=stack), to, template)
    how = How(plan or diff, diff, check, apply, go_on, abort, verify, tuple(skip or ()))
    if verify:
        with process.live(show=not json) as tell:
            outcome = carry(path.absolute(), wish, how, tell)
    else:
        with process.spinner("Updating", show=not json):
            outcome = carry(path.absolute(), wish, how)
    process.say("update", outcome, json=json)


FeatureArgument = Annotated[str, typer.Argument(help="A question of the stack that is answered by yes or no.")]
PathArgument = Annotated[Path, typer.Argument(help="The project's folder.")]
PlanFlag = Annotated[bool, typer.Option("--plan", help="Show what would be done, and touch nothing.")]


@_command()
def add(feature: FeatureArgument, path: PathArgument = Path(), plan: PlanFlag = False, json: JsonFlag = False) -> None:
    """Add a feature to a project, at the release that it has."""
    _switch("add", feature, path, plan=plan, json=json)


@_command(short_help="Remove a feature, keeping what you changed of it.")
def remove(
    feature: FeatureArgument, path: PathArgument = Path(), plan: PlanFlag = False, json: JsonFlag = False
) -> None:
    """Remove a feature from a project, keeping what you changed of it."""
    _switch("remove", feature, path, plan=plan, json=json)


def _switch(command: str, feature: str, path: Path, *, plan: bool, json: bool) -> None:
    from stackgen.commands import feature as features
    from stackgen.commands.update import How, carry

    with process.spinner("Updating", show=not json):
        wish = features.wish(path.absolute(), feature, on=command == "add")
        outcome = carry(path.absolute(), wish, How(plan=plan))
    process.say(command, outcome, json=json)


@_command()
def status(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(), json: JsonFlag = False
) -> None:
    """Show a project's release, its answers, and what in it is yours."""
    from stackgen.commands.status import show

    process.say("status", show(path.absolute()), json=json)


@_command()
def verify(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    skip: SkipFlag = None,
    json: JsonFlag = False,
) -> None:
    """Install, check, test, start, use and stop a project."""
    from stackgen.commands.verify import prove

    with process.live(show=not json) as tell:
        outcome = prove(path.absolute(), skip or [], tell, keep_logs=json)
    process.say("verify", outcome, json=json)


@_command()
def doctor(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    stack: OneStackFlag = None,
    template: TemplateFlag = None,
    json: JsonFlag = False,
) -> None:
    """Show the tools that are needed, and those found."""
    from stackgen.commands.doctor import examine

    process.say("doctor", examine(path.absolute(), stack, template), json=json)


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code."""
    return process.run(app, arguments)


def main() -> NoReturn:
    """Run the command of this process and exit with its code."""
    endings.hold_streams()
    endings.watch()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # one more, while the run was telling how it ended
        code = endings.code_of_interrupt()
    endings.over()
    sys.exit(code)
