"""`stackgen add` and `stackgen remove`: words for another answer of yes or no, at the release that a project has."""

import os
from pathlib import Path

from stackgen import choices, project, questions, source, walk
from stackgen.errors import UsageError
from stackgen.revision import Wish


def wish(path: Path, feature: str, *, on: bool) -> Wish:
    """Give what a project becomes with or without a feature; raises `UsageError` where it cannot have it."""
    found = project.read(path)
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
    return Wish({key: on})
