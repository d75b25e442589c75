"""Teams in the admin."""

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from backend.audit.admin import AuditedAdmin
from backend.core.admin import ReadOnlyAdmin
from backend.teams.models import Invitation, Membership, Team


class MembershipInline(admin.TabularInline[Membership, Team]):
    """A team's members."""

    model = Membership
    autocomplete_fields = ("user",)
    extra = 0


@admin.register(Team)
class TeamAdmin(AuditedAdmin[Team]):
    """Teams."""

    list_display = ("name", "size", "created_at")
    search_fields = ("name", "members__email")
    inlines = (MembershipInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        """Count the members in the same statement."""
        return super().get_queryset(request).annotate(size=Count("members", distinct=True))

    @admin.display(description="members", ordering="size")
    def size(self, team: Team) -> int:
        """Tell how many belong to it."""
        return int(getattr(team, "size", 0))


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin[Invitation]):
    """Who has been invited; the teams' owners invite, and take back."""

    list_display = ("email", "team", "role", "invited_by", "created_at")
    list_select_related = ("team", "invited_by")
    search_fields = ("email", "team__name")
