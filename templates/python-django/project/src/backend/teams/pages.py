"""The pages about teams: who belongs to them, who is invited, and one's own invitations."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from backend.accounts.auth import current_user
from backend.core.pages import action, page, telling
from backend.teams import api, invitations
from backend.teams.access import team_for
from backend.teams.models import Invitation, Role, Team


@page
def show_teams(request: HttpRequest) -> HttpResponse:
    """List one's teams, and the invitations one has."""
    user = current_user(request)
    invited = Invitation.objects.open().filter(email=user.email).select_related("team", "invited_by")
    context = {"section": "teams", "teams": Team.objects.of(user), "invitations": invited}
    return render(request, "teams/list.html", context)


@page
def show_team(request: HttpRequest, team_id: uuid.UUID) -> HttpResponse:
    """Show a team's members, and to its owners whom it has invited."""
    team = team_for(request, team_id)
    owns = Role(team.role).allows(Role.OWNER)
    context = {
        "section": "teams",
        "team": team,
        "owns": owns,
        "roles": Role,
        "me": current_user(request),
        "memberships": team.memberships.select_related("user"),
        "invitations": Invitation.objects.open().filter(team=team) if owns else [],
    }
    return render(request, "teams/team.html", context)


@action
def start(request: HttpRequest) -> HttpResponse:
    """Start a team."""
    with telling(request, "The team is there, and you own it."):
        api.create_team(request, api.TeamIn(name=request.POST.get("name", "")))
    return redirect("teams")


@action
def rename(request: HttpRequest, team_id: uuid.UUID) -> HttpResponse:
    """Give a team another name."""
    with telling(request, "The team has its new name."):
        api.rename_team(request, team_id, api.TeamIn(name=request.POST.get("name", "")))
    return redirect("team", team_id)


@action
def delete(request: HttpRequest, team_id: uuid.UUID) -> HttpResponse:
    """Delete a team."""
    with telling(request, "The team is deleted."):
        api.delete_team(request, team_id)
    return redirect("teams")


@action
def change_role(request: HttpRequest, team_id: uuid.UUID, member_id: uuid.UUID) -> HttpResponse:
    """Change what a member may do."""
    with telling(request, "The member has the new role."):
        api.change_role(request, team_id, member_id, api.RoleIn.model_validate({"role": request.POST.get("role")}))
    return redirect("team", team_id)


@action
def remove_member(request: HttpRequest, team_id: uuid.UUID, member_id: uuid.UUID) -> HttpResponse:
    """Remove a member, or leave."""
    with telling(request, "The place in the team is free."):
        api.remove_member(request, team_id, member_id)
    is_member = Team.objects.of(current_user(request)).filter(pk=team_id).exists()
    return redirect("team", team_id) if is_member else redirect("teams")


@action
def invite(request: HttpRequest, team_id: uuid.UUID) -> HttpResponse:
    """Invite an address."""
    with telling(request, "The invitation is on its way."):
        new = {"email": request.POST.get("email", ""), "role": request.POST.get("role")}
        invitations.invite(request, team_id, invitations.InvitationIn.model_validate(new))
    return redirect("team", team_id)


@action
def withdraw(request: HttpRequest, team_id: uuid.UUID, invitation_id: uuid.UUID) -> HttpResponse:
    """Withdraw an invitation."""
    with telling(request, "The invitation is withdrawn."):
        invitations.withdraw(request, team_id, invitation_id)
    return redirect("team", team_id)


@action
def accept(request: HttpRequest, invitation_id: uuid.UUID) -> HttpResponse:
    """Take the place that is offered."""
    with telling(request, "You are a member of the team."):
        invitations.accept(request, invitation_id)
    return redirect("teams")


@action
def decline(request: HttpRequest, invitation_id: uuid.UUID) -> HttpResponse:
    """Decline the place that is offered."""
    with telling(request, "The invitation is declined."):
        invitations.decline(request, invitation_id)
    return redirect("teams")
