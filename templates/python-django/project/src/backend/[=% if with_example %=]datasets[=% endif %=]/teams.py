"""What becomes of a team that has data sets."""

from typing import Any

from django.dispatch import receiver

from backend.core.problems import Refused
from backend.datasets.models import Dataset
from backend.teams.models import Team
from backend.teams.signals import team_ends


@receiver(team_ends)
def keep_what_is_there(team: Team, **_: Any) -> None:
    """Refuse the end of a team that still has some."""
    if Dataset.objects.filter(team=team).exists():
        raise Refused(409, "The team still owns data sets: delete them first.")
