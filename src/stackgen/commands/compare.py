"""`stackgen compare`: the article's table, and what each stack holds."""

from stackgen import console, intake
from stackgen.outcome import Outcome


def show(template: str | None) -> Outcome:
    """Compare the three languages and the template's stacks."""
    catalogue = intake.catalogue_of(template)
    return Outcome(
        data=lambda: console.comparison_data(catalogue), text=lambda style: console.comparison_text(catalogue, style)
    )
