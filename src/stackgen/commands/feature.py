"""`stackgen add` and `stackgen remove`: words for another answer of yes or no, at the release that a project has."""

import os
from pathlib import Path

from stackgen import choices, project, questions, source, walk
from stackgen.commands import update
from stackgen.errors import UsageError
from stackgen.outcome import Outcome
from stackgen.project import Project
from stackgen.revision import Wish


def switch(path: Path, feature: str, how: update.How, *, on: bool) -> Outcome:
    """Put a feature into the project in `path`, or take it out."""
    key = _key(project.read(path), feature, on=on)
    return update.carry(path, Wish({key: on}), how)


def _key(found: Project, feature: str, *, on: bool) -> str:
    """Give the question that a feature is the answer to; raises `UsageError` where the project cannot have it."""
    where, _ = source.refresh(found.source, os.environ)
    asked = questions.read(source.find(where, {}, found.version).questions)
    features = [each.key for each in asked.asked(found.stack) if each.type == "bool"]
    key = feature.replace("-", "_")
    if key not in features:
        known = f"it has {', '.join(features)}" if features else "it has none to add or remove"
        message = f"the stack {found.stack!r} has no feature {feature[:80]!r}"
        raise UsageError(message, choices.suggest(key, features) or known)
    recorded = {each.key: found.answers[each.key] for each in asked.items if each.key in found.answers}
    if key in walk.walk(asked, {**recorded, key: on}).unused:
        raise UsageError(f"{key} does not apply with the other answers", "see them with `stackgen status`")
    return key
