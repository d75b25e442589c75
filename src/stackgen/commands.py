"""What each command does, from what was given to an outcome: the visible list of steps."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from stackgen import choices, console, project, questions, render, schema, source, toolchain
from stackgen.console import Style
from stackgen.errors import ConflictError, UsageError
from stackgen.questions import Questions
from stackgen.request import Request


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command has to say, as JSON data or as text; `settle` raises what must not pass as success."""

    data: Callable[[], dict[str, object]]
    text: Callable[[Style], str]
    settle: Callable[[], None] = lambda: None


def preview(request: Request) -> Outcome:
    """Show what `generate` would write, without writing it."""
    files, digest = render.look(request.plan)
    return Outcome(
        data=lambda: {**_data(request), "dry_run": True, "files": list(files), "digest": digest},
        text=lambda style: console.preview_text(
            request.recommendation, request.answers, request.plan.destination, files, style, digest
        ),
    )


def generate(request: Request, expected: str | None = None) -> Outcome:
    """Write the project, the one that was `expected` if any was; what this machine lacks is part of the outcome."""
    made = render.generate(request.plan, expected)
    stack = request.recommendation.stack
    warnings = toolchain.problems(stack)
    commands = toolchain.TOOLCHAINS[stack].commands
    return Outcome(
        data=lambda: {
            **_data(request),
            "dry_run": False,
            "files": list(made.files),
            "git": made.repository,
            "kept": list(made.kept),
            "warnings": list(warnings),
            "next": [f"cd {request.plan.destination}", *commands],
        },
        text=lambda style: console.generated_text(
            console.one_line(request.recommendation, style)
            if request.talked
            else console.recommendation_text(request.recommendation, style),
            request.plan.destination,
            commands,
            warnings,
            request.equivalent,
            style,
            made.kept,
        ),
    )


def _data(request: Request) -> dict[str, object]:
    return {
        **console.recommendation_data(request.recommendation),
        "answers": dict(request.answers),
        "destination": str(request.plan.destination.absolute()),
        "source": request.plan.source,
        "version": request.plan.version,
        "command": request.equivalent,
    }


def questions_of(template: str | None) -> Questions:
    """Give the questions of the template at hand."""
    return questions.read(source.find(template, os.environ).questions)


def schema_of(template: str | None, stack: str | None) -> dict[str, object]:
    """Give the JSON Schema of what `new` accepts; raises `UsageError` for a stack that the template lacks."""
    asked = questions_of(template)
    if stack is not None and stack not in asked.stacks():
        raise UsageError(
            f"stack: {stack!r} is not one of {', '.join(asked.stacks())}", choices.suggest(stack, asked.stacks())
        )
    return schema.schema(asked, stack)


def update(path: Path, data: Iterable[str] | None) -> Outcome:
    """Bring the project in `path` to the newest release; a conflict is reported, then raised by `settle`."""
    report = render.update(project.read(path.absolute()), dict(choices.pair(text) for text in data or ()), os.environ)

    def settle() -> None:
        if report.conflicts:
            raise ConflictError(
                f"{len(report.conflicts)} file(s) have conflicts: {', '.join(report.conflicts)}",
                "settle and commit them, or take the update back with git reset --hard && git clean -fd",
                console.update_data(report),
            )

    return Outcome(
        data=lambda: console.update_data(report), text=lambda style: console.update_text(report, style), settle=settle
    )
