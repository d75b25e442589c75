"""What is going to be generated, decided before anything is touched. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stackgen.choices import DOMAINS
from stackgen.errors import SourceError
from stackgen.questions import Questions
from stackgen.recommend import Recommendation, because, words
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
        answers={**answers, "decision": decision(recommendation)},
        git=git,
    )


def decision(recommendation: Recommendation) -> dict[str, object]:
    """Give the decision as the project records it: plain data that stays the same when our rules change."""
    r = recommendation
    if r.by_hand:
        return {
            "stack": r.stack,
            "title": r.catalogue.title(r.stack),
            "by_hand": True,
            "section": r.section,
            "reasons": list(r.reasons),
            "taken_when": list(r.taken_when),
            "cautions": list(r.cautions),
            "disclosure": list(r.disclosure),
        }
    return {
        "stack": r.stack,
        "title": r.catalogue.title(r.stack),
        "overridden": r.overridden,
        "recommended": r.catalogue.title(r.recommended),
        "rule": r.rule,
        "section": r.section,
        "choices": [{"key": k, "value": getattr(r.choices, k).value, "said": k in r.said} for k in DOMAINS],
        "reasons": list(r.reasons),
        "cautions": list(r.cautions),
        "runner_up": {"title": r.catalogue.title(r.runner_up), "reason": r.runner_up_reason},
        "flips": [{"key": f.key, "from": f.old, "to": f.new, "title": r.catalogue.title(f.stack)} for f in r.flips],
        "pairs": [{"changes": words(pair), "title": r.catalogue.title(pair.stack)} for pair in r.pairs],
        "answers": [{"key": a.key, "value": a.spoken, "because": because(a, r)} for a in r.answers],
        "part": r.part.text if r.part else "",
        "disclosure": list(r.disclosure),
    }
