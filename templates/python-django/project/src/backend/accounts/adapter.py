"""What allauth leaves to the project: who may sign up, and what becomes of two who do it at the same moment."""

import json
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.signup import prevent_enumeration
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import is_headless_request
from allauth.headless.base.response import AuthenticationResponse
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from backend.accounts.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth is not typed
    """Named in the settings."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Tell whether whoever is asking may sign up: everybody, those whom a team has invited, or nobody."""
        if settings.ALLOW_SIGN_UP == "invited" and request.method == "POST":
            from backend.teams.models import Invitation  # noqa: PLC0415 - teams are made of people

            return Invitation.objects.open().filter(email=_email_of(request)).exists()
        return settings.ALLOW_SIGN_UP != "closed"

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:  # noqa: FBT001, FBT002
        """Save a new person; to somebody who was a moment too late, answer what a known address gets."""
        try:
            with transaction.atomic():
                saved: User = super().save_user(request, user, form, commit)
        except IntegrityError:
            answer = prevent_enumeration(request, email=form.cleaned_data["email"])
            if is_headless_request(request):
                answer = AuthenticationResponse.from_response(request, answer)
            raise ImmediateHttpResponse(answer) from None
        return saved


def _email_of(request: HttpRequest) -> str:
    try:
        sent = json.loads(request.body) if is_headless_request(request) else request.POST
        return str(sent["email"]).strip().lower()
    except (ValueError, KeyError, TypeError):
        return ""
