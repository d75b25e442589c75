"""Operations on invitations: an owner offers a place, and whoever has the address takes it or not."""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from ninja.pagination import paginate
from ninja.responses import Status as Answer

from backend.accounts.auth import current_user, people
from backend.audit.log import record
from backend.audit.models import Action
from backend.core.fields import Email, Pagination
from backend.core.problems import Refused, responses
from backend.teams.access import check_room, team_for
from backend.teams.models import Invitation, Role, Team
from backend.teams.tasks import send_invitation

MAX_OPEN = 100

of_teams = Router(tags=["teams"])
mine = Router(tags=["invitations"])


class InvitationOut(Schema):
    """A place that is offered."""

    id: uuid.UUID
    team_id: uuid.UUID
    team_name: str
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime

    @staticmethod
    def resolve_team_name(invitation: Invitation) -> str:
        """Give the team's name."""
        return invitation.team.name


class InvitationIn(Schema):
    """Whom to invite, and as what."""

    email: Email
    role: Role = Role.VIEWER


class Joined(Schema):
    """The team one belongs to now, and as what."""

    team_id: uuid.UUID
    role: Role


@of_teams.get("/{uuid:team_id}/invitations", response={200: list[InvitationOut], **responses(401, 403, 404, 422)})
@paginate(Pagination)
def list_invitations(request: HttpRequest, team_id: uuid.UUID) -> QuerySet[Invitation]:
    """List the open invitations of a team; its owners may."""
    return Invitation.objects.open().filter(team=team_for(request, team_id, Role.OWNER)).select_related("team")


@of_teams.post(
    "/{uuid:team_id}/invitations", response={201: InvitationOut, **responses(400, 401, 403, 404, 409, 413, 422)}
)
def invite(request: HttpRequest, team_id: uuid.UUID, new: InvitationIn) -> object:
    """Invite an address, whether or not somebody has an account with it; the team's owners may."""
    team = team_for(request, team_id, Role.OWNER)
    if team.memberships.filter(user__email=new.email).exists():
        raise Refused(409, "This person is a member already.")
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)
        if team.invitations.exclude(email=new.email).count() >= MAX_OPEN:
            raise Refused(409, f"The team has {MAX_OPEN} open invitations: withdraw one first.")
        # Invited again, an address has the newest role and the whole time once more.
        offered = {"role": new.role, "invited_by": current_user(request), "created_at": timezone.now()}
        invitation, _ = team.invitations.update_or_create(email=new.email, defaults=offered)
        record(Action.INVITED, invitation, team_id=team.pk, name=new.email, role=new.role)
        send_invitation.enqueue(str(invitation.pk))
    return Answer(201, invitation)


@of_teams.delete("/{uuid:team_id}/invitations/{uuid:invitation_id}", response={204: None, **responses(401, 403, 404)})
def withdraw(request: HttpRequest, team_id: uuid.UUID, invitation_id: uuid.UUID) -> object:
    """Withdraw an invitation; the team's owners may."""
    invitation = team_for(request, team_id, Role.OWNER).invitations.get(pk=invitation_id)
    with transaction.atomic():
        record(Action.WITHDRAWN, invitation, team_id=team_id, name=invitation.email)
        invitation.delete()
    return Answer(204, None)


# A program neither joins teams nor learns of them: that is for the person to decide.
@mine.get("", response={200: list[InvitationOut], **responses(401, 422)}, auth=people)
@paginate(Pagination)
def list_mine(request: HttpRequest) -> QuerySet[Invitation]:
    """List the invitations one has."""
    return Invitation.objects.open().filter(email=current_user(request).email).select_related("team")


@mine.post("/{uuid:invitation_id}/accept", response={200: Joined, **responses(401, 403, 404, 409)}, auth=people)
def accept(request: HttpRequest, invitation_id: uuid.UUID) -> object:
    """Become a member."""
    user = current_user(request)
    check_room(user)
    invitation = Invitation.objects.open().get(pk=invitation_id, email=user.email)
    with transaction.atomic():
        membership = invitation.accept(user)
        record(Action.JOINED, membership, team_id=membership.team_id, name=str(invitation.team), role=membership.role)
    return membership


@mine.delete("/{uuid:invitation_id}", response={204: None, **responses(401, 403, 404)}, auth=people)
def decline(request: HttpRequest, invitation_id: uuid.UUID) -> object:
    """Decline an invitation."""
    invitation = Invitation.objects.get(pk=invitation_id, email=current_user(request).email)
    with transaction.atomic():
        record(Action.DECLINED, invitation, team_id=invitation.team_id, name=str(invitation.team))
        invitation.delete()
    return Answer(204, None)
