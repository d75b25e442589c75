"""The operation on the audit log: a team's owners read what was done in it."""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.pagination import paginate

from backend.audit.models import Entry
from backend.core.fields import Pagination
from backend.core.problems import responses
from backend.teams.access import team_for
from backend.teams.models import Role

router = Router(tags=["teams"])


class EntryOut(Schema):
    """Something that somebody did; names and addresses are those of then."""

    id: uuid.UUID
    at: datetime
    action: str
    actor_id: uuid.UUID | None
    actor: str
    key: str
    address: str | None
    request_id: str
    object_kind: str
    object_id: str
    object_name: str
    details: dict[str, Any]


@router.get("/{uuid:team_id}/log", response={200: list[EntryOut], **responses(401, 403, 404, 422)})
@paginate(Pagination)
def list_entries(request: HttpRequest, team_id: uuid.UUID) -> QuerySet[Entry]:
    """List what was done in a team, the newest first; its owners may."""
    return Entry.objects.filter(team_id=team_for(request, team_id, Role.OWNER).pk)
