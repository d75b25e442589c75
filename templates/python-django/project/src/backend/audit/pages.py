"""The page about what was done in a team."""

import uuid

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from backend.audit.models import Entry
from backend.core.pages import page
from backend.teams.access import team_for
from backend.teams.models import Role

ON_A_PAGE = 50


@page
def show_log(request: HttpRequest, team_id: uuid.UUID) -> HttpResponse:
    """Show the newest entries of a team to its owners."""
    team = team_for(request, team_id, Role.OWNER)
    entries = Paginator(Entry.objects.filter(team_id=team.pk), ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "audit/team.html", {"section": "teams", "team": team, "entries": entries})
