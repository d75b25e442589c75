"""What each command does, from what was given to an outcome: the visible list of steps."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackgen import (
    choices,
    console,
    intake,
    plan,
    project,
    questions,
    recommend,
    render,
    report,
    schema,
    source,
    standing,
    toolchain,
)
from stackgen import update as updating
from stackgen.console import Style
from stackgen.errors import ConflictError, FoundError, UsageError
from stackgen.plan import Plan
from stackgen.questions import Questions
from stackgen.recommend import Recommendation
from stackgen.repository import readable
from stackgen.revision import Wish


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command has to say, as JSON data or as text; `settle` raises what must not pass as success."""

    data: Callable[[], dict[str, object]]
    text: Callable[[Style], str]
    settle: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Options:
    """Where a new project comes from, where it goes, and whether git keeps it."""

    template: str | None
    output_dir: Path
    git: bool

    def words(self) -> list[str]:
        """Give the flags that differ from the defaults."""
        words = ["--template", self.template] if self.template else []
        words += ["--output-dir", str(self.output_dir)] if self.output_dir != Path() else []
        return words + ([] if self.git else ["--no-git"])


@dataclass(frozen=True, slots=True)
class Request:
    """A project that is ready to be generated."""

    plan: Plan
    recommendation: Recommendation
    equivalent: str


def prepare(given: Mapping[str, object], options: Options, *, ask: bool) -> Request:
    """Settle everything about a new project without touching anything."""
    deciding, override, rest = choices.split(given)
    origin = source.find(options.template, os.environ)
    asked = questions.read(origin.questions)
    asked.refuse_unknown(rest, choices.DOMAINS)
    asked.check_given(rest)
    if "name" not in rest and not ask:
        raise UsageError("name is required", "stackgen new NAME, --data name=… or the key 'name' of an answers file")
    recommendation = recommend.recommend(intake.complete(deciding, ask=ask), override)
    if ask:
        recommendation, rest = _ask(recommendation, asked, rest, insisted=override is not None)
    answers = plan.resolve(asked, recommendation, rest)
    planned = plan.make(
        source=origin.url,
        version=origin.version,
        output_dir=options.output_dir,
        recommendation=recommendation,
        answers=answers,
        git=options.git,
    )
    return Request(planned, recommendation, _equivalent(asked, recommendation, answers, options))


def _ask(
    recommendation: Recommendation, asked: Questions, given: Mapping[str, object], *, insisted: bool
) -> tuple[Recommendation, dict[str, object]]:
    from stackgen import prompts

    if not insisted:
        override = prompts.ask_stack(recommendation, asked.stacks())
        recommendation = recommend.recommend(recommendation.choices, override)
    return recommendation, prompts.ask_answers(asked, recommendation.stack, given)


def _equivalent(
    asked: Questions, recommendation: Recommendation, answers: Mapping[str, object], options: Options
) -> str:
    defaults = asked.resolve({"name": answers["name"], "stack": recommendation.stack.value})
    changed = {key: value for key, value in answers.items() if defaults.get(key) != value}
    return console.equivalent_command(
        str(answers["name"]),
        recommendation.choices,
        recommendation.stack if recommendation.overridden else None,
        changed,
        options.words(),
    )


def preview(request: Request) -> Outcome:
    """Show what `generate` would write, without writing it."""
    files = render.preview(request.plan)
    shown = _recorded(request.plan)
    return Outcome(
        data=lambda: {**_data(request), "dry_run": True, "files": list(files)},
        text=lambda style: console.preview_text(request.recommendation, shown, request.plan.destination, files, style),
    )


def generate(request: Request) -> Outcome:
    """Write the project; what it lacks on this machine is part of the outcome."""
    made = render.generate(request.plan)
    stack = request.recommendation.stack
    warnings = toolchain.problems(stack)
    commands = toolchain.TOOLCHAINS[stack].commands
    return Outcome(
        data=lambda: {
            **_data(request),
            "dry_run": False,
            "files": list(made.files),
            "git": made.repository,
            "warnings": list(warnings),
            "next": [f"cd {request.plan.destination}", *commands],
        },
        text=lambda style: console.generated_text(
            request.recommendation, request.plan.destination, commands, warnings, request.equivalent, style
        ),
    )


def _recorded(planned: Plan) -> dict[str, object]:
    return {key: value for key, value in planned.answers.items() if key != "decision"}


def _data(request: Request) -> dict[str, object]:
    return {
        **console.recommendation_data(request.recommendation),
        "answers": _recorded(request.plan),
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
