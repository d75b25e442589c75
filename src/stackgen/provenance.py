"""What the template that a project was made from says of its stack."""

import os

from stackgen import questions, source, stacks
from stackgen.errors import SourceError
from stackgen.project import Project
from stackgen.stacks import Record


def record(found: Project) -> Record:
    """Give the record of a project's stack as its release has it; what has none yet has that of this stackgen."""
    where, _ = source.refresh(found.source, os.environ)
    try:
        folder = source.find(where, os.environ, found.version).questions
    except SourceError:  # made from what nobody had committed
        folder = source.find(where, os.environ).questions
    return stacks.of(folder, questions.read(folder).stacks()).record(found.stack)
