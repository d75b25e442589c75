"""Writing to the audit log, in the transaction that does what is written down."""

from collections.abc import Callable
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import structlog
from allauth.account.adapter import get_adapter
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from backend.audit.models import Action, Entry

_current: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


class CurrentRequest:
    """Knows which request is being answered, so that whatever is done for it can be written down with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        token = _current.set(request)
        try:
            return self.get_response(request)
        finally:
            _current.reset(token)


def record(
    action: Action, thing: Model, *, team_id: UUID | None = None, actor: Any = None, name: str = "", **details: Any
) -> None:
    """Write down what is done to a thing; what no request asks for, such as a worker's tasks, nobody has done."""
    request = _current.get()
    user = actor or getattr(request, "user", None)
    known = user if user is not None and user.is_authenticated else None
    Entry.objects.create(
        action=action,
        actor_id=known.pk if known else None,
        actor=known.email if known else "",
        key=str(getattr(request, "key", None) or ""),
        address=_address(request),
        request_id=structlog.contextvars.get_contextvars().get("request_id", "") if request else "",
        team_id=team_id,
        object_kind=str(thing._meta.verbose_name),  # noqa: SLF001 - documented, in spite of its name
        object_id=str(thing.pk),
        object_name=(name or str(thing))[:254],
        details=details,
    )


def _address(request: HttpRequest | None) -> str | None:
    try:
        return str(ip_address(get_adapter(request).get_client_ip(request))) if request else None
    # Behind a socket there is none, and a header may hold anything, or fewer addresses than there are proxies.
    except (PermissionDenied, ImproperlyConfigured, ValueError):
        return None
