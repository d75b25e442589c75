"""How much a team may keep."""

from django.conf import settings
from django.db.models import Sum

from backend.core.problems import Refused
from backend.datasets.models import Copy
from backend.teams.models import Team


def check_room(team: Team, size: int) -> None:
    """Refuse one data set more than a team may have, or one that is too large."""
    left = room(team)
    count = team.datasets.count() + team.uploads.count()
    if count >= settings.MAX_TEAM_DATASETS:
        raise Refused(409, f"The team has {count} data sets, and may not have more: delete one first.")
    if size > left:
        raise Refused(409, f"The team has room for {left} more bytes: delete a data set first.")


def room(team: Team) -> int:
    """Give the bytes that are left, what arrives and copies counted; the lock lets no two use the same room."""
    Team.objects.select_for_update().get(pk=team.pk)
    taken = (team.datasets, team.uploads, Copy.objects.filter(dataset__team=team))
    bytes_taken = sum(int(each.aggregate(bytes=Sum("size", default=0))["bytes"]) for each in taken)
    return max(0, int(settings.MAX_TEAM_BYTES) - bytes_taken)
