"""`stackgen schema`: everything that `new` accepts, as a JSON Schema."""

import os

from stackgen import choices, console, questions, schema, source
from stackgen.errors import UsageError
from stackgen.outcome import Outcome


def show(template: str | None, stack: str | None) -> Outcome:
    """Give the JSON Schema of what `new` accepts; raises `UsageError` for a stack that the template lacks."""
    asked = questions.read(source.find(template, os.environ).questions)
    if stack is not None and stack not in asked.stacks():
        raise UsageError(
            f"stack: {stack!r} is not one of {', '.join(asked.stacks())}", choices.suggest(stack, asked.stacks())
        )
    result = schema.schema(asked, stack)
    return Outcome(data=lambda: result, text=lambda _: console.plain_json(result), is_data=True)
