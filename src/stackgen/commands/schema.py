"""`stackgen schema`: everything that `new` accepts, as a JSON Schema."""

import os

from stackgen import console, questions, schema, source, stacks
from stackgen.outcome import Outcome


def show(template: str | None, stack: str | None) -> Outcome:
    """Give the JSON Schema of what `new` accepts; raises `UsageError` for a stack that the template lacks."""
    folder = source.find(template, os.environ).questions
    asked = questions.read(folder)
    if stack is not None and stack not in asked.stacks():
        raise stacks.of(folder, asked.stacks()).unknown(stack)
    result = schema.schema(asked, stack)
    return Outcome(data=lambda: result, text=lambda _: console.plain_json(result), is_data=True)
