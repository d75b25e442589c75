"""Service-to-service authentication by bearer token."""

import hmac
from http import HTTPStatus

from fastapi import Request
from fastapi.security import HTTPBearer

from ml.problems import ServiceError


class _Bearer(HTTPBearer):
    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        """Accept the current token, or the previous one while it is being rotated."""
        tokens: tuple[str, ...] = request.app.state.settings.tokens
        if not tokens:
            return
        credentials = await super().__call__(request)
        given = credentials.credentials.encode() if credentials else b""
        # Every token is compared, so that the time taken does not tell which one matched.
        matches = [hmac.compare_digest(given, token.encode()) for token in tokens]
        if not any(matches):
            detail = "The bearer token is missing or wrong"
            raise ServiceError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail)


authenticate = _Bearer(auto_error=False, scheme_name="HTTPBearer", description="ML_SERVICE_TOKEN")
