"""Service-to-service authentication by bearer token."""

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ml.problems import ServiceError

_bearer = HTTPBearer(auto_error=False, description="ML_SERVICE_TOKEN")


async def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Accept the current token, or the previous one while it is being rotated."""
    tokens: tuple[str, ...] = request.app.state.settings.tokens
    if not tokens:
        return
    given = credentials.credentials.encode() if credentials else b""
    # Every token is compared, so that the time taken does not tell which one matched.
    matches = [hmac.compare_digest(given, token.encode()) for token in tokens]
    if not any(matches):
        detail = "The bearer token is missing or wrong"
        raise ServiceError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail)
