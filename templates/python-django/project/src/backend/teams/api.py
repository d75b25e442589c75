"""Operations on teams and their members."""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.pagination import paginate
from ninja.responses import Status as Answer

from backend.accounts.auth import current_user
from backend.audit.log import record
from backend.audit.models import Action
from backend.core.fields import Pagination, Text
from backend.core.problems import Refused, responses
from backend.teams.access import check_room, team_for
from backend.teams.models import Membership, Role, Team
from backend.teams.signals import team_ends

router = Router(tags=["teams"])


class TeamOut(Schema):
    """A team, and the role in it of the one who asks."""

    id: uuid.UUID
    name: str
    role: Role
    created_at: datetime


class TeamIn(Schema):
    """A team's name."""

    name: Text


class MemberOut(Schema):
    """A person's place in a team."""

    id: uuid.UUID
    email: str
    role: Role

    @staticmethod
    def resolve_email(membership: Membership) -> str:
        """Give the person's address."""
        return membership.user.email


class RoleIn(Schema):
    """A member's new role."""

    role: Role


@router.get("", response={200: list[TeamOut], **responses(401, 403, 422)})
@paginate(Pagination)
def list_teams(request: HttpRequest) -> QuerySet[Team]:
    """List the teams one belongs to."""
    return Team.objects.of(current_user(request))


@router.post("", response={201: TeamOut, **responses(400, 401, 403, 409, 413, 422)})
def create_team(request: HttpRequest, new: TeamIn) -> object:
    """Start a team, and own it."""
    user = current_user(request)
    check_room(user)
    with transaction.atomic():
        team = Team.start(new.name, user)
        record(Action.TEAM_STARTED, team, team_id=team.pk)
    return Answer(201, team_for(request, team.pk))


@router.get("/{uuid:team_id}", response={200: TeamOut, **responses(401, 403, 404)})
def get_team(request: HttpRequest, team_id: uuid.UUID) -> object:
    """Give one team."""
    return team_for(request, team_id)


@router.patch("/{uuid:team_id}", response={200: TeamOut, **responses(400, 401, 403, 404, 413, 422)})
def rename_team(request: HttpRequest, team_id: uuid.UUID, change: TeamIn) -> object:
    """Rename a team; its owners may."""
    team = team_for(request, team_id, Role.OWNER)
    was, team.name = team.name, change.name
    with transaction.atomic():
        team.save(update_fields=["name"])
        record(Action.TEAM_RENAMED, team, team_id=team.pk, was=was)
    return team


@router.delete("/{uuid:team_id}", response={204: None, **responses(401, 403, 404, 409)})
def delete_team(request: HttpRequest, team_id: uuid.UUID) -> object:
    """Delete a team that owns nothing any more; its owners may."""
    team = team_for(request, team_id, Role.OWNER)
    with transaction.atomic():
        team_ends.send(Team, team=team)
        record(Action.TEAM_DELETED, team, team_id=team.pk)
        team.delete()
    return Answer(204, None)


@router.get("/{uuid:team_id}/members", response={200: list[MemberOut], **responses(401, 403, 404, 422)})
@paginate(Pagination)
def list_members(request: HttpRequest, team_id: uuid.UUID) -> QuerySet[Membership]:
    """List a team's members."""
    return team_for(request, team_id).memberships.select_related("user")


@router.patch(
    "/{uuid:team_id}/members/{uuid:member_id}",
    response={200: MemberOut, **responses(400, 401, 403, 404, 409, 413, 422)},
)
def change_role(request: HttpRequest, team_id: uuid.UUID, member_id: uuid.UUID, change: RoleIn) -> object:
    """Change what a member may do; the team's owners may."""
    with transaction.atomic():
        membership = _member_to_change(team_for(request, team_id, Role.OWNER), member_id, change.role)
        was, membership.role = membership.role, change.role
        membership.save(update_fields=["role"])
        details = {"was": was, "now": change.role}
        record(Action.ROLE_CHANGED, membership, team_id=team_id, name=membership.user.email, **details)
    return membership


@router.delete("/{uuid:team_id}/members/{uuid:member_id}", response={204: None, **responses(401, 403, 404, 409)})
def remove_member(request: HttpRequest, team_id: uuid.UUID, member_id: uuid.UUID) -> object:
    """Remove a member; the team's owners may remove anybody, and everybody may leave."""
    team = team_for(request, team_id)
    leaving = team.memberships.filter(pk=member_id, user=current_user(request)).exists()
    with transaction.atomic():
        member = _member_to_change(team if leaving else team_for(request, team_id, Role.OWNER), member_id, None)
        record(Action.REMOVED, member, team_id=team.pk, name=member.user.email, role=member.role)
        member.delete()
    return Answer(204, None)


def _member_to_change(team: Team, member_id: uuid.UUID, role: Role | None) -> Membership:
    # All owners are locked, so that two of them cannot step down at the same moment.
    owners = list(team.memberships.select_for_update().filter(role=Role.OWNER).values_list("pk", flat=True))
    membership = team.memberships.select_related("user").get(pk=member_id)
    if owners == [membership.pk] and role != Role.OWNER:
        raise Refused(409, "A team needs an owner: make another member one first.")
    return membership
