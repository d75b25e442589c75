"""One run of stackgen: may it ask, what it prints, and its exit code, whatever happens.

Everything but typer is imported where it is used, so that help, completion and `--version` start at once.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn, TextIO

import typer
from typer.exceptions import TyperException

from stackgen import endings, keys

if TYPE_CHECKING:
    from stackgen.errors import StackgenError
    from stackgen.outcome import Outcome


def version() -> str:
    """Give the installed version of stackgen."""
    from importlib.metadata import version as installed

    return installed("stackgen")


def may_ask(*, yes: bool) -> bool:
    """Tell whether there is somebody to ask, who has not said yes to everything."""
    return not yes and _is_terminal(sys.stdin) and _is_terminal(sys.stdout)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _encoding(stream: object) -> str | None:
    return getattr(stream, "encoding", None)


def say(command: str, outcome: "Outcome", *, json: bool, quiet: bool = False) -> None:
    """Print what a command came to; as JSON it is a failure's details where it must not pass as success."""
    from stackgen import console, layout, voice

    if json:
        outcome.settle()
    if not quiet:
        style = layout.style_of(sys.stdout)
        said = console.success(version(), command, outcome.data()) if json else outcome.text(style)
        form = voice.data if json or outcome.is_data else voice.text
        try:
            typer.echo(form(said, _encoding(sys.stdout)))
        except OSError as error:
            _unheard(error)
    outcome.settle()


def _unheard(error: OSError) -> NoReturn:
    """End a run whose output nobody gets: what it has finished is told on the other stream."""
    from stackgen.errors import DestinationError

    if endings.is_interrupted():
        raise KeyboardInterrupt from error
    finished = endings.finished()
    if isinstance(error, BrokenPipeError):
        if finished:
            _tell(f"stackgen: {finished}; whoever read the output stopped reading")
        raise typer.Exit(endings.output_gone()) from None
    if not finished:
        raise error
    message = f"{finished}, but the output cannot be written: {error.strerror}"
    raise DestinationError(message, "all else is done: go on from there") from error


def _tell(line: str) -> None:
    """Print a line for people, if there is anywhere to print it."""
    from stackgen import layout, voice

    with suppress(OSError):  # the terminal may be gone
        said = layout.page([line], layout.style_of(sys.stderr))
        typer.echo(voice.text(said, _encoding(sys.stderr)), err=True)


@contextmanager
def spinner(message: str, *, show: bool) -> Iterator[None]:
    """Turn a wheel on a terminal while something takes its time."""
    if not (show and _is_terminal(sys.stderr)):
        yield
        return
    from rich.console import Console

    with keys.kept(), Console(stderr=True).status(message):
        yield


@contextmanager
def live(*, show: bool) -> "Iterator[Callable[[str], None]]":
    """Give a function that shows a page in the place of the one before, on a terminal; elsewhere it does nothing."""
    if not (show and _is_terminal(sys.stderr)):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(Text(""), console=Console(stderr=True), transient=True, refresh_per_second=8) as page:
        yield lambda text: page.update(Text(text), refresh=True)


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; an expected failure is one line, a bug a log file."""
    from stackgen.errors import StackgenError, UsageError

    endings.begin()
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
    except Exception as error:  # noqa: BLE001 - the last line of defence, so that users never see a traceback
        if not endings.is_interrupted():
            return _unforeseen(error, arguments)
        code = endings.INTERRUPTED
    if code == endings.INTERRUPTED:
        code = endings.code_of_interrupt()
        _tell(f"stackgen: interrupted, {f'but {done}' if (done := endings.finished()) else 'nothing was left behind'}")
    return int(code)


def _unforeseen(error: Exception, arguments: Sequence[str]) -> int:
    expected = endings.of_the_machine(error) if isinstance(error, OSError) else None
    return _fail(expected, arguments) if expected else _bug(error, arguments)


def _fail(error: "StackgenError", arguments: Sequence[str]) -> int:
    from stackgen import console, layout, voice

    if "--json" in arguments:
        with suppress(OSError):  # what cannot be written may be the very failure
            typer.echo(voice.data(console.failure(version(), _command(arguments), error), _encoding(sys.stdout)))
            return error.exit_code
    with suppress(OSError):
        typer.echo(voice.text(console.error_text(error, layout.style_of(sys.stderr)), _encoding(sys.stderr)), err=True)
    return error.exit_code


def _bug(error: Exception, arguments: Sequence[str]) -> int:
    import tempfile
    import traceback

    from stackgen.errors import StackgenError

    hint = "please report it"
    with (
        suppress(OSError),  # a full disk
        tempfile.NamedTemporaryFile("w", prefix="stackgen-", suffix=".log", delete=False, encoding="utf-8") as log,
    ):
        log.write(f"stackgen {version()}, Python {sys.version}, {sys.platform}\n{list(arguments)}\n")
        traceback.print_exception(error, file=log)
        hint = f"please report it with {log.name}"
    return _fail(StackgenError(f"unexpected failure: {type(error).__name__}: {error}", hint), arguments)


def _command(arguments: Sequence[str]) -> str:
    return next((word for word in arguments if not word.startswith("-")), "")
