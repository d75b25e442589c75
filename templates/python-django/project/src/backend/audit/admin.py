"""The audit log in the admin, and the admin in the audit log."""

import json
from typing import Any, Generic, TypeVar

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from backend.audit.log import record
from backend.audit.models import Action, Entry
from backend.core.admin import ReadOnlyAdmin
from backend.teams.models import Team

M = TypeVar("M", bound=Model)


class AuditedAdmin(admin.ModelAdmin[M], Generic[M]):
    """Pages on which staff change something. Django's own history can be changed by whoever may change its table."""

    def log_addition(self, request: HttpRequest, obj: M, message: Any) -> LogEntry:
        """Note a new row."""
        _record(Action.ADMIN_ADDED, obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: M, message: Any) -> LogEntry:
        """Note a changed row, with the fields that were changed."""
        text = message if isinstance(message, str) else json.dumps(message)
        _record(Action.ADMIN_CHANGED, obj, message=LogEntry(change_message=text).get_change_message())
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[M]) -> Any:
        """Note each row that goes."""
        for obj in queryset:
            _record(Action.ADMIN_DELETED, obj)
        return super().log_deletions(request, queryset)


def _record(action: Action, obj: Model, **details: Any) -> None:
    team_id = obj.pk if isinstance(obj, Team) else getattr(obj, "team_id", None)
    record(action, obj, team_id=team_id, **details)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin[Entry]):
    """Everything that was done, also what belongs to no team."""

    list_display = ("at", "actor", "key", "words", "object_kind", "object_name", "address")
    list_filter = ("action", "at")
    search_fields = ("actor", "object_name", "=object_id", "=address", "=request_id")
    date_hierarchy = "at"
