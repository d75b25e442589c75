"""Operations on oneself: who am I, and which keys do my programs have?"""

import uuid
from datetime import datetime
from typing import Annotated

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema
from ninja.pagination import paginate
from ninja.responses import Status as Answer
from pydantic import AwareDatetime, BeforeValidator

from backend.accounts.auth import current_user, people
from backend.accounts.models import ApiKey, Scope
from backend.audit.log import record
from backend.audit.models import Action
from backend.core.fields import Pagination, Text
from backend.core.problems import Refused, responses
from backend.teams.models import Membership, Role, Team

router = Router(tags=["accounts"])
MAX_KEYS = 50


class Me(Schema):
    """The person who is asking."""

    id: uuid.UUID
    email: str
    name: str
    is_staff: bool


class Key(Schema):
    """A key, without its secret."""

    id: uuid.UUID
    name: str
    start: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    read_only: Annotated[bool, BeforeValidator(bool)]  # nothing means no
    # Any text: a key of a release before this one may have a scope that is no more.
    scopes: list[str] | None = Field(description="null: everything that its owner may, or may read")


class NewKey(Schema):
    """What a key is for, and how long it is good."""

    name: Text
    expires_at: AwareDatetime | None = None
    read_only: bool = False
    scopes: list[Scope] | None = Field(
        None, min_length=1, max_length=20, description="What it opens; none: everything. Who may write may read, too"
    )


class IssuedKey(Key):
    """A key with its secret, which is shown only now."""

    secret: str


@router.get("/me", response={200: Me, **responses(401)})
def me(request: HttpRequest) -> object:
    """Tell who is asking."""
    return current_user(request)


@router.delete("/me", response={204: None, **responses(401, 403, 409)}, auth=people)
def delete_account(request: HttpRequest) -> object:
    """Delete one's account, with its keys and its places in teams; what the teams own stays with them."""
    user = current_user(request)
    with transaction.atomic():
        # The owners of those teams are locked, so that no other of them leaves at the same moment.
        owners = Membership.objects.select_for_update().filter(team__memberships__user=user, role=Role.OWNER)
        list(owners.values_list("pk", flat=True))
        if left := [str(team) for team in Team.owned_only_by([user])[:10]]:
            names = ", ".join(left)
            raise Refused(
                409, f"Without you nobody would own {names}: make another member an owner, or delete the team."
            )
        record(Action.ACCOUNT_DELETED, user)
        user.delete()
    return Answer(204, None)


# A key cannot manage keys: one that leaked could otherwise outlive its own deletion.
@router.get("/keys", response={200: list[Key], **responses(401, 422)}, auth=people)
@paginate(Pagination)
def list_keys(request: HttpRequest) -> QuerySet[ApiKey]:
    """List one's own keys, the newest first."""
    return ApiKey.objects.filter(user=current_user(request))


@router.post("/keys", response={201: IssuedKey, **responses(400, 401, 403, 409, 413, 422)}, auth=people)
def create_key(request: HttpRequest, new: NewKey) -> Answer[IssuedKey]:
    """Make a key. Its secret is in this answer and never again."""
    user = current_user(request)
    if new.expires_at and new.expires_at <= timezone.now():
        raise Refused(422, "expires_at has passed already.")
    if user.api_keys.count() >= MAX_KEYS:
        raise Refused(409, f"Nobody may have more than {MAX_KEYS} keys: delete one first.")
    if new.read_only and not all(scope.only_reads for scope in new.scopes or ()):
        raise Refused(422, "A key that only reads has no scope to write.")
    with transaction.atomic():
        key, secret = ApiKey.issue(user, new.name, new.expires_at, read_only=new.read_only, scopes=new.scopes)
        record(Action.KEY_MADE, key, may=key.may)
    return Answer(201, IssuedKey(**Key.from_orm(key).dict(), secret=secret))


@router.delete("/keys/{uuid:key_id}", response={204: None, **responses(401, 403, 404)}, auth=people)
def delete_key(request: HttpRequest, key_id: uuid.UUID) -> object:
    """Delete a key; it opens nothing from now on."""
    key = ApiKey.objects.get(user=current_user(request), pk=key_id)
    with transaction.atomic():
        record(Action.KEY_DELETED, key)
        key.delete()
    return Answer(204, None)
