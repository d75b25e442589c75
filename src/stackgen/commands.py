"""What each command does, from what was given to an outcome: the visible list of steps."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackgen import (
    advice,
    choices,
    console,
    project,
    questions,
    render,
    report,
    schema,
    source,
    stacks,
    standing,
    toolchain,
)
from stackgen import update as updating
from stackgen.console import Style
from stackgen.errors import ConflictError, FoundError, UsageError
from stackgen.questions import Questions
from stackgen.repository import readable
from stackgen.request import Request
from stackgen.revision import Wish


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
    record = request.recommendation.catalogue.record(request.recommendation.stack)
    warnings = toolchain.problems(record)
    commands = record.commands
    name = str(request.answers["name"])
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
            advice.one_line(request.recommendation, style)
            if request.talked
            else advice.text(request.recommendation, style),
            request.plan.destination,
            commands,
            warnings,
            [f"  {request.equivalent}", *advice.part_lines(request.recommendation, name, style)],
            style,
            made.kept,
        ),
    )


def _data(request: Request) -> dict[str, object]:
    return {
        **advice.data(request.recommendation, str(request.answers["name"])),
        "answers": dict(request.answers),
        "destination": str(request.plan.destination.absolute()),
        "source": request.plan.source,
        "version": request.plan.version,
        "command": request.equivalent,
    }


def questions_of(template: str | None) -> Questions:
    """Give the questions of the template at hand."""
    return questions.read(source.find(template, os.environ).questions)


def list_stacks(template: str | None) -> Outcome:
    """Show our stacks and the template's, and which of them it offers."""
    folder = source.find(template, os.environ).questions
    offered = questions.read(folder).stacks()
    known = {**stacks.own().records, **stacks.of(folder, offered).records}
    return Outcome(
        data=lambda: console.stacks_data(known, offered), text=lambda style: console.stacks_text(known, offered, style)
    )


def schema_of(template: str | None, stack: str | None) -> dict[str, object]:
    """Give the JSON Schema of what `new` accepts; raises `UsageError` for a stack that the template lacks."""
    asked = questions_of(template)
    if stack is not None and stack not in asked.stacks():
        raise UsageError(
            f"stack: {stack!r} is not one of {', '.join(asked.stacks())}", choices.suggest(stack, asked.stacks())
        )
    return schema.schema(asked, stack)


@dataclass(frozen=True, slots=True)
class How:
    """What is to be done with an update: at most one of these, and nothing said is to do it."""

    plan: bool = False
    diff: bool = False
    check: bool = False
    apply: str | None = None
    go_on: bool = False
    abort: bool = False

    def refuse_several(self, wish: Wish) -> None:
        """Refuse flags that exclude each other."""
        flags = {"--plan": self.plan, "--apply": self.apply, "--continue": self.go_on, "--abort": self.abort}
        given = [flag for flag, value in {**flags, "--check": self.check}.items() if value]
        if len(given) > 1 or ((self.go_on or self.abort) and wish != Wish({})):
            asked = " and ".join(given) if len(given) > 1 else f"{given[0]} and a change"
            raise UsageError(f"{asked} cannot go together", "see stackgen update --help")


def update(path: Path, wish: Wish, how: How) -> Outcome:
    """Carry the project in `path` to what is wished for, or do what else is to be done with an update."""
    how.refuse_several(wish)
    if how.go_on or how.abort:
        return _end_update(path, back=how.abort)
    if how.plan or how.check:
        return _plan_update(path, wish, how)
    done = updating.carry(project.read(path), wish, os.environ, how.apply)
    return Outcome(
        data=lambda: report.data(done),
        text=lambda style: report.done_text(done, style),
        settle=lambda: _refuse_conflicts(done.conflicts, report.data(done)),
    )


def _refuse_conflicts(names: tuple[str, ...], details: Mapping[str, object]) -> None:
    if names:
        raise ConflictError(
            f"{len(names)} file(s) have conflicts: {', '.join(map(readable, names))}",
            "settle and commit them, or take the update back with `stackgen update --abort`",
            details,
        )


def _plan_update(path: Path, wish: Wish, how: How) -> Outcome:
    seen, changes = updating.look(project.read(path), wish, os.environ)
    shown = changes.decode(errors="backslashreplace") if how.diff else ""

    def settle() -> None:
        if how.check and (seen.changed or seen.from_version != seen.to_version):
            message = f"an update is to be had: {seen.from_version} -> {seen.to_version}"
            raise FoundError(message, "run `stackgen update`", report.data(seen))

    return Outcome(
        data=lambda: {**report.data(seen), **({"diff": shown} if how.diff else {})},
        text=lambda style: "\n".join(filter(None, (report.plan_text(seen, style), shown))),
        settle=settle,
    )


def _end_update(path: Path, *, back: bool) -> Outcome:
    ended = updating.take_back(path) if back else updating.end(path)
    return Outcome(
        data=lambda: report.ended_data(ended),
        text=lambda style: report.ended_text(ended, style, back=back),
        settle=lambda: _refuse_conflicts(ended.conflicts, report.ended_data(ended)),
    )


def status(path: Path) -> Outcome:
    """Show where the project in `path` stands."""
    found = standing.look(project.read(path), os.environ)
    return Outcome(data=lambda: report.standing_data(found), text=lambda style: report.standing_text(found, style))
