"""What is going to be generated, decided before anything is touched."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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
