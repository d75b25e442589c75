"""What each command does, from what was given to an outcome: the visible list of steps."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackgen import (
    choices,
    console,
    destination,
    intake,
    plan,
    project,
    questions,
    recommend,
    render,
    schema,
    source,
    toolchain,
)
from stackgen.console import Style
from stackgen.errors import ConflictError, UsageError
from stackgen.plan import Plan
from stackgen.questions import Questions
from stackgen.recommend import Recommendation
from stackgen.values import spoken


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command has to say, as JSON data or as text; `settle` raises what must not pass as success."""

    data: Callable[[], dict[str, object]]
    text: Callable[[Style], str]
    settle: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Options:
    """Where a new project comes from, where it goes (`here`: that very folder), and whether git keeps it."""

    template: str | None
    output_dir: Path
    git: bool
    here: bool = False

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
    answers: Mapping[str, object]


def prepare(given: Mapping[str, object], options: Options, *, ask: bool) -> Request:
    """Settle everything about a new project without touching anything."""
    _, override, rest = choices.split(given)
    origin = source.find(options.template, os.environ)
    asked = questions.read(origin.questions)
    asked.refuse_unknown(rest, choices.DOMAINS)
    if options.here:
        rest = {"name": _name_here(asked, options.output_dir), **rest} if "name" not in rest else rest
    asked.check_given(rest)
    if override and override.value in asked.stacks():
        asked.refuse_foreign(rest, override.value)
    if "name" not in rest and not ask:
        raise UsageError("name is required", "stackgen new NAME, --data name=… or the key 'name' of an answers file")
    recommendation = intake.advise(given, ask=ask)
    if ask:
        recommendation, rest = _ask(recommendation, asked, rest, insisted=override is not None)
    answers = plan.resolve(asked, recommendation, rest)
    planned = plan.make(
        source=origin.url,
        version=origin.version,
        destination=options.output_dir.resolve() if options.here else options.output_dir / str(answers["name"]),
        recommendation=recommendation,
        answers=answers,
        git=options.git,
    )
    shown = {key: value for key, value in answers.items() if key not in asked.secrets()}
    return Request(planned, recommendation, _equivalent(asked, recommendation, answers, options), shown)


def _name_here(asked: Questions, folder: Path) -> str:
    name = destination.name_here(folder)
    try:
        asked.check_given({"name": name})
    except UsageError as error:
        raise UsageError(error.message, "give the project a name of its own: stackgen new . --data name=…") from error
    return name


def _ask(
    recommendation: Recommendation, asked: Questions, given: Mapping[str, object], *, insisted: bool
) -> tuple[Recommendation, dict[str, object]]:
    from stackgen import prompts

    if not insisted:
        override = prompts.ask_stack(recommendation, asked.stacks())
        recommendation = recommend.recommend(recommendation.choices, override, recommendation.said)
    return recommendation, prompts.ask_answers(asked, recommendation.stack, given)


def _equivalent(
    asked: Questions, recommendation: Recommendation, answers: Mapping[str, object], options: Options
) -> str:
    secret = asked.secrets()
    defaults = asked.resolve({"name": answers["name"], "stack": recommendation.stack.value})
    changed = {k: spoken(v) for k, v in answers.items() if defaults.get(k) != v and k not in secret}
    if options.here and answers["name"] != destination.name_here(options.output_dir):
        changed["name"] = str(answers["name"])
    return console.equivalent_command(
        "." if options.here else str(answers["name"]),
        {key: getattr(recommendation.choices, key).value for key in recommendation.said},
        recommendation.stack if recommendation.overridden or recommendation.by_hand else None,
        changed,
        options.words(),
    )


def preview(request: Request) -> Outcome:
    """Show what `generate` would write, without writing it."""
    files = render.preview(request.plan)
    return Outcome(
        data=lambda: {**_data(request), "dry_run": True, "files": list(files)},
        text=lambda style: console.preview_text(
            request.recommendation, request.answers, request.plan.destination, files, style
        ),
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
            "kept": list(made.kept),
            "warnings": list(warnings),
            "next": [f"cd {request.plan.destination}", *commands],
        },
        text=lambda style: console.generated_text(
            request.recommendation, request.plan.destination, commands, warnings, request.equivalent, style, made.kept
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
