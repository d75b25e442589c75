"""A new project that is settled, with a person's help where there is one, before anything is touched."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stackgen import (
    advice,
    choices,
    console,
    destination,
    intake,
    keys,
    plan,
    questions,
    recommend,
    render,
    source,
    stacks,
)
from stackgen.console import Style
from stackgen.errors import UsageError
from stackgen.plan import Plan
from stackgen.questions import Questions
from stackgen.recommend import Recommendation

if TYPE_CHECKING:
    from stackgen.prompts import Talk


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
    talked: bool
    template: str | None


def prepare(
    given: Mapping[str, object],
    options: Options,
    *,
    ask: bool,
    review: bool,
    working: Callable[[str], AbstractContextManager[None]],
) -> Request:
    """Settle everything about a new project without touching anything, with a person's help where there is one.

    `working` tells who waits that something takes its time.
    """
    if not ask:
        return _settle(given, options, None)
    from stackgen import prompts  # questionary is slow to import

    talk = prompts.Talk()
    with keys.kept():
        while True:
            request = talk.hold(lambda: _settle(given, options, talk))
            if not review or not talk.asked:
                return request
            with working("Rendering what would be written"):
                page = _review(request)
            if talk.approves(page):
                return request


def _settle(given: Mapping[str, object], options: Options, talk: "Talk | None") -> Request:
    _, insisted, rest = choices.split(given)
    origin = source.find(options.template, os.environ)
    asked = questions.read(origin.questions)
    catalogue = stacks.of(origin.questions, asked.stacks())
    override = None if insisted is None else catalogue.named(insisted)
    rest = _checked(asked, rest, options, override)
    if "name" not in rest and not talk:
        raise UsageError("name is required", "stackgen new NAME, --data name=… or the key 'name' of an answers file")
    if talk:
        talk.know(asked, rest, override)
    recommendation = intake.advise(given, catalogue, talk)
    if talk and override is None:
        recommendation = _ask_stack(recommendation, asked, talk, plan.following(asked, recommendation, rest))
    instead = plan.following(asked, recommendation, rest)
    if talk:
        rest = talk.ask_answers(asked, recommendation.stack, rest, instead)
    answers = plan.resolve(asked, recommendation, rest, instead)
    recommendation = plan.kept(recommendation, answers, instead)
    planned = plan.make(
        source=origin.url,
        version=origin.version,
        destination=options.output_dir.resolve() if options.here else options.output_dir / str(answers["name"]),
        recommendation=recommendation,
        answers=answers,
        git=options.git,
    )
    shown = {key: value for key, value in answers.items() if key not in asked.secrets()}
    equivalent = _equivalent(asked, recommendation, answers, options, instead)
    return Request(planned, recommendation, equivalent, shown, talk is not None, options.template)


def _checked(asked: Questions, rest: dict[str, object], options: Options, override: str | None) -> dict[str, object]:
    """Give the answers, having refused what no other answer could make right."""
    asked.refuse_unknown(rest, choices.DOMAINS)
    if options.here and "name" not in rest:
        rest = {"name": _name_here(asked, options.output_dir), **rest}
    asked.check_given(rest)
    if override in asked.stacks():
        asked.refuse_foreign(rest, override)
    return rest


def _name_here(asked: Questions, folder: Path) -> str:
    name = destination.name_here(folder)
    try:
        asked.check_given({"name": name})
    except UsageError as error:
        raise UsageError(error.message, "give the project a name of its own: stackgen new . --data name=…") from error
    return name


def _ask_stack(
    recommendation: Recommendation, asked: Questions, talk: "Talk", instead: Mapping[str, object]
) -> Recommendation:
    text = advice.text(recommendation, talk.style)
    override = talk.ask_stack(recommendation, asked.stacks(), text, instead)
    return recommend.recommend(recommendation.choices, override, recommendation.said, recommendation.catalogue)


def _review(request: Request) -> Callable[[Style], str]:
    files = render.preview(request.plan)
    commands = request.recommendation.catalogue.record(request.recommendation.stack).commands
    return lambda style: console.review_text(
        request.recommendation, request.answers, request.plan.destination, files, commands, style
    )


def _equivalent(
    asked: Questions,
    recommendation: Recommendation,
    answers: Mapping[str, object],
    options: Options,
    instead: Mapping[str, object],
) -> str:
    changed = asked.changed(answers, instead)
    if options.here and answers["name"] != destination.name_here(options.output_dir):
        changed["name"] = answers["name"]
    return console.equivalent_command(
        "." if options.here else str(answers["name"]),
        {key: getattr(recommendation.choices, key).value for key in recommendation.said},
        recommendation.stack if recommendation.overridden or recommendation.by_hand else None,
        changed,
        options.words(),
    )
