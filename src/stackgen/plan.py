"""What is going to be generated, decided before anything is touched. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stackgen import decision
from stackgen.errors import SourceError
from stackgen.questions import Questions
from stackgen.recommend import Recommendation
from stackgen.walk import NOTHING


@dataclass(frozen=True, slots=True)
class Plan:
    """One project to generate.

    `source` is what copier is given and the project records; `version` is the release or git
    reference to render (None: the newest release); `answers` holds every recorded answer, with
    `decision` beside them.
    """

    source: str
    version: str | None
    destination: Path
    answers: Mapping[str, object]
    git: bool = True


def following(questions: Questions, recommendation: Recommendation, given: Mapping[str, object]) -> dict[str, object]:
    """Give the answers that follow from the choices and stand in for the template's defaults."""
    wanted = {answer.key: answer.value for answer in recommendation.answers}
    return questions.following({**given, "stack": recommendation.stack}, wanted)


def resolve(
    questions: Questions,
    recommendation: Recommendation,
    given: Mapping[str, object],
    instead: Mapping[str, object] = NOTHING,
) -> dict[str, object]:
    """Give all answers for the recommended stack; raises `SourceError` when the template lacks that stack."""
    stack = recommendation.stack
    if stack not in questions.stacks():
        raise SourceError(
            f"this template offers no {stack} yet, only {', '.join(questions.stacks())}",
            "pass --stack with one of those, or --template with another source",
        )
    return questions.resolve({**given, "stack": stack}, instead)


def kept(
    recommendation: Recommendation, answers: Mapping[str, object], instead: Mapping[str, object]
) -> Recommendation:
    """Give the recommendation with those answers alone that followed from the choices and were not overridden."""
    held = tuple(a for a in recommendation.answers if a.key in instead and answers.get(a.key) == a.value)
    return replace(recommendation, answers=held)


def make(  # noqa: PLR0913 - one field each of the plan, by keyword
    *,
    source: str,
    version: str | None,
    destination: Path,
    recommendation: Recommendation,
    answers: Mapping[str, object],
    git: bool,
) -> Plan:
    """Put the plan together."""
    return Plan(
        source=source,
        version=version,
        destination=destination,
        answers={**answers, "decision": decision.recorded(recommendation)},
        git=git,
    )
