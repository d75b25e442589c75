"""`stackgen recommend`: what was given, and what the rules make of it."""

from collections.abc import Mapping

from stackgen import advice, intake
from stackgen.outcome import Outcome


def advise(given: Mapping[str, object], template: str | None, *, ask: bool) -> Outcome:
    """Recommend a stack of the template, after asking for missing choices where there is somebody to ask."""
    catalogue = intake.catalogue_of(template)
    with intake.located(given):
        result = intake.converse(given, catalogue) if ask else intake.advise(given, catalogue)
    return Outcome(
        data=lambda: {**advice.data(result, template), "command": advice.command(result, template)},
        text=lambda style: "\n".join(
            filter(None, (advice.text(result, style), advice.follow_up(result, template, style)))
        ),
    )
