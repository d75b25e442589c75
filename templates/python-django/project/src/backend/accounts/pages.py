"""The page about one's own API keys. For signing in and out, and for passwords, allauth has pages."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from pydantic import ValidationError

from backend.accounts import api
from backend.accounts.auth import current_user
from backend.accounts.models import ApiKey, Scope
from backend.core.pages import action, in_words, page, telling
from backend.core.problems import Refused


@page
def show_keys(request: HttpRequest) -> HttpResponse:
    """List one's keys, and make one: its secret is on the answer and never again, so nothing redirects from there."""
    secret = problem = ""
    if request.method == "POST":
        day = request.POST.get("expires_on")
        new = {
            "name": request.POST.get("name", ""),
            "expires_at": f"{day}T23:59:59Z" if day else None,
            "read_only": "read_only" in request.POST,
            "scopes": request.POST.getlist("scopes") or None,
        }
        try:
            secret = api.create_key(request, api.NewKey.model_validate(new)).value.secret
        except (Refused, ValidationError) as error:
            problem = in_words(error)
    keys = ApiKey.objects.filter(user=current_user(request))
    context = {"section": "keys", "keys": keys, "secret": secret, "problem": problem, "scopes": Scope.choices}
    return render(request, "accounts/keys.html", context, status=422 if problem else 200)


@action
def delete_key(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Delete a key."""
    with telling(request, "The key opens nothing any more."):
        api.delete_key(request, key_id)
    return redirect("keys")
