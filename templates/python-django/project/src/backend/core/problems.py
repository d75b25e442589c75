"""Errors as RFC 9457 problems: one shape for every failure, whoever reports it."""

from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import (
    BadRequest,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import Field

log = structlog.get_logger(__name__)
CONTENT_TYPE = "application/problem+json"


class FieldError(Schema):
    """What is wrong with one part of the request."""

    field: str
    message: str


class Problem(Schema):
    """An error as RFC 9457 describes it; `type` is always about:blank, so `title` is the status's own phrase."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    request_id: str | None = Field(None, description="Find the request in the log by this id")
    errors: list[FieldError] | None = None


class Refused(Exception):  # noqa: N818 - it is an answer rather than a fault
    """The request cannot be done, for a reason that the client is told."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(detail)


class AwayError(Exception):
    """Something that this server needs cannot be reached: the client is told to come back."""

    event = "unavailable"
    detail = "What this needs cannot be reached; try again soon."


def problem(
    _request: HttpRequest, status: int, detail: str | None = None, errors: list[FieldError] | None = None
) -> HttpResponse:
    """Make the answer for a failed request."""
    known = status in HTTPStatus.__members__.values()
    body = Problem(
        title=HTTPStatus(status).phrase if known else "Error",
        status=status,
        detail=detail,
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
        errors=errors,
    )
    response = JsonResponse(body.model_dump(exclude_none=True), status=status, content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def responses(*statuses: int) -> dict[int, Any]:
    """Name the failures of an operation, for its documentation."""
    return dict.fromkeys(statuses, Problem)


class ProblemApi(NinjaAPI):
    """An API whose description tells the media type of its failures, too."""

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        """Describe the API."""
        schema = super().get_openapi_schema(**kwargs)
        for operations in schema["paths"].values():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    content = response.get("content", {})
                    if int(status) >= HTTPStatus.BAD_REQUEST and "application/json" in content:
                        content[CONTENT_TYPE] = content.pop("application/json")
                        # Python's own phrases change from one version to the next.
                        response["description"] = "Problem"
        return schema


def register(api: NinjaAPI) -> None:
    """Make every exception that an operation may raise a problem."""

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        errors = [FieldError(field=_field(each["loc"]), message=str(each["msg"])) for each in error.errors]
        return problem(request, 422, "The request is not valid.", errors)

    @api.exception_handler(Refused)
    def refused(request: HttpRequest, error: Refused) -> HttpResponse:
        return problem(request, error.status, error.detail)

    @api.exception_handler(AuthenticationError)
    def unauthenticated(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
        return problem(request, 401, "Sign in, or send a valid key as `Authorization: Bearer <key>`.")

    @api.exception_handler(HttpError)
    def failed(request: HttpRequest, error: HttpError) -> HttpResponse:
        return problem(request, error.status_code, str(error))

    @api.exception_handler(Http404)
    @api.exception_handler(ObjectDoesNotExist)
    def missing(request: HttpRequest, _error: Exception) -> HttpResponse:
        return problem(request, 404)

    @api.exception_handler(RequestDataTooBig)
    @api.exception_handler(TooManyFieldsSent)
    @api.exception_handler(TooManyFilesSent)
    def too_large(request: HttpRequest, error: Exception) -> HttpResponse:
        return problem(request, 413, str(error))

    @api.exception_handler(MultiPartParserError)
    @api.exception_handler(UnreadablePostError)
    @api.exception_handler(BadRequest)
    @api.exception_handler(SuspiciousOperation)
    def malformed(request: HttpRequest, _error: Exception) -> HttpResponse:
        return problem(request, 400, "The request cannot be read.")

    @api.exception_handler(PermissionDenied)
    def forbidden(request: HttpRequest, _error: Exception) -> HttpResponse:
        return problem(request, 403)

    api.add_exception_handler(Exception, unexpected)


def unexpected(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """Log what nobody foresaw; when only the database or the like is gone, tell the client to come back."""
    if isinstance(error, (OperationalError, InterfaceError)):
        log.error("database unavailable", error=str(error).strip())
        return _away(request, "The database cannot be reached; try again soon.")
    if isinstance(error, AwayError):
        log.error(error.event, error=str(error).strip())
        return _away(request, error.detail)
    log.error("unexpected error", exc_info=error)
    return problem(request, 500)


def _away(request: HttpRequest, detail: str) -> HttpResponse:
    response = problem(request, 503, detail)
    response["Retry-After"] = "5"
    return response


def _field(location: tuple[Any, ...] | list[Any]) -> str:
    # The framework puts the name of its own parameter behind `body`; a client knows only the fields.
    parts = [str(part) for part in location]
    return ".".join(parts[2:] if parts[:1] == ["body"] and len(parts) > 2 else parts[1:]) or "body"
