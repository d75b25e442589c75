"""`stackgen status`: where a project stands."""

import os
from pathlib import Path

from stackgen import project, report, standing
from stackgen.outcome import Outcome


def show(path: Path) -> Outcome:
    """Show where the project in `path` stands."""
    found = standing.look(project.read(path), os.environ)
    return Outcome(data=lambda: report.standing_data(found), text=lambda style: report.standing_text(found, style))
