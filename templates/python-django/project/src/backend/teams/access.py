"""The one rule of access: what is not yours does not exist, and what is yours asks for a role."""

import uuid

from django.conf import settings
from django.http import HttpRequest

from backend.accounts.auth import current_user
from backend.accounts.models import User
from backend.core.problems import Refused
from backend.teams.models import Role, Team


def team_for(request: HttpRequest, team_id: uuid.UUID, needed: Role = Role.VIEWER) -> Team:
    """Give a team of the one who asks: 404 for strangers, so that ids tell nothing, and 403 for too small a role."""
    team = Team.objects.of(current_user(request)).get(pk=team_id)
    require(Role(team.role), needed)
    return team


def require(role: Role, needed: Role) -> None:
    """Refuse with 403 unless the role is enough."""
    if not role.allows(needed):
        raise Refused(403, f"This needs the role {needed.value}; yours is {role.value}.")


def check_room(user: User) -> None:
    """Refuse with 409 whoever is in as many teams as a person may be."""
    if user.memberships.count() >= settings.MAX_TEAMS:
        raise Refused(409, f"Nobody may be in more than {settings.MAX_TEAMS} teams: leave one first.")
