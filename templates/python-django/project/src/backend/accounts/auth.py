"""Who is asking? A browser shows its session cookie, an app its session token, a program its key."""

from collections.abc import Callable
from typing import Any, cast

from allauth.headless.contrib.ninja.security import XSessionTokenAuth
from django.http import HttpRequest
from ninja.errors import AuthenticationError
from ninja.security import HttpBearer, SessionAuth

from backend.accounts.models import ApiKey, Scope, User
from backend.core.problems import Refused


class KeyAuth(HttpBearer):
    """`Authorization: Bearer <key>`, for programs; a key needs the scope to read or to write what they ask for."""

    def __init__(self, resource: str | None = None) -> None:
        super().__init__()
        self.resource = resource

    def authenticate(self, request: HttpRequest, token: str) -> User:
        """Accept a valid key; a wrong one fails even where a cookie would do, since the client meant the key."""
        key = ApiKey.used(token)
        user = _set_user(request, key.user if key else None)
        request.key = key  # type: ignore[attr-defined] # for the audit log
        reads = request.method in {"GET", "HEAD", "OPTIONS"}
        if key and key.read_only and not reads:
            raise Refused(403, "This key only reads.")
        if key and self.resource:
            needed = Scope(f"{self.resource}:{'read' if reads else 'write'}")
            if not key.allows(needed):
                raise Refused(403, f"This key needs the scope {needed.value}.")
        return user


class SessionTokenAuth(XSessionTokenAuth):  # type: ignore[misc] # allauth is not typed
    """`X-Session-Token: <token>`, for apps that signed in through allauth."""

    openapi_in = "header"
    openapi_name = "X-Session-Token"
    param_name = "X-Session-Token"

    def __call__(self, request: HttpRequest) -> User | None:
        """Accept a living session's token."""
        if self.get_session_token(request) is None:
            return None
        # allauth only returns the user: without `request.user`, code further on would see nobody.
        return _set_user(request, super().__call__(request))


class CookieAuth(SessionAuth):
    """The session cookie, for browsers; a request that changes something needs the CSRF token, too."""

    def __call__(self, request: HttpRequest) -> User | None:
        """Accept a living session's cookie."""
        # Without this line ninja checks CSRF for every client, and refuses the programs that send no cookie.
        if self.param_name not in request.COOKIES:
            return None
        # ninja checks CSRF first, for which Django reads the whole body: a forged cookie would fill the disk.
        if not request.user.is_authenticated:
            raise AuthenticationError
        return cast("User | None", super().__call__(request))


def _set_user(request: HttpRequest, user: User | None) -> User:
    if user is None or not user.is_active:
        raise AuthenticationError
    request.user = user
    request.key_user = user  # type: ignore[attr-defined] # for the request log
    return user


def current_user(request: HttpRequest) -> User:
    """Give the user whom one of the classes above has let in."""
    return cast("User", request.user)


people: list[Callable[..., Any]] = [SessionTokenAuth(), CookieAuth()]
everyone: list[Callable[..., Any]] = [KeyAuth(), *people]


def with_scope(resource: str) -> list[Callable[..., Any]]:
    """Let everyone in whose key, where it is one, has a scope of `resource`."""
    return [KeyAuth(resource), *people]
