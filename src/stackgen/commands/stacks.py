"""`stackgen stacks`: which stacks there are."""

import os

from stackgen import console, questions, source, stacks
from stackgen.outcome import Outcome


def show(template: str | None) -> Outcome:
    """Show our stacks and the template's, and which of them it offers."""
    folder = source.find(template, os.environ).questions
    offered = questions.read(folder).stacks()
    theirs = stacks.of(folder, offered)
    known = {**stacks.own().records, **theirs.records, **theirs.idle}
    return Outcome(
        data=lambda: console.stacks_data(known, offered), text=lambda style: console.stacks_text(known, offered, style)
    )
