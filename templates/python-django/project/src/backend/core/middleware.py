"""What happens to every request: an id, a log line, security headers, a size limit and problems instead of pages."""

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from backend.core import telemetry
from backend.core.health import PROBES
from backend.core.pages import refusal
from backend.core.problems import CONTENT_TYPE, problem, unexpected

GetResponse = Callable[[HttpRequest], HttpResponseBase]

log = structlog.get_logger("backend.request")
GOOD_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
EXPECTED = (Http404, PermissionDenied, SuspiciousOperation, BadRequest)
# What programs ask; everything else is opened by people.
PROGRAMS = ("/api/", "/_allauth/")
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; connect-src {parts}; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action {forms}"
)


class RequestLog:
    """Give every request an id, bind it to the log, and write one line when the answer is ready."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request, and log it."""
        given = request.headers.get("X-Request-ID", "")
        request_id = given if GOOD_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, **telemetry.ids())
        started = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        quiet = request.path in PROBES and response.status_code < 400
        (log.debug if quiet else log.error if response.status_code >= 500 else log.info)(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            milliseconds=round((time.perf_counter() - started) * 1000, 1),
            user=_user(request),
        )
        return response


def _user(request: HttpRequest) -> str | None:
    # Looking at a lazy user would load the session again, of a request that never needed it.
    user = getattr(request, "_cached_user", None) or getattr(request, "key_user", None)
    return str(user.pk) if user is not None and user.pk else None


class SecurityHeaders:
    """Add the headers that Django 5.2 does not know."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        parts, forms = (" ".join(["'self'", *more]) for more in (settings.CONNECT_ORIGINS, settings.SIGN_IN_ORIGINS))
        self.policy = CONTENT_SECURITY_POLICY.format(parts=parts, forms=forms)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request, and complete the headers."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if request.path.startswith((*PROGRAMS, "/accounts/")):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class ApiProblems:
    """Answer an API client with a problem wherever Django would answer with a page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request, and turn a page about an error into a problem."""
        response = self.get_response(request)
        if not request.path.startswith("/api/") or response.status_code < 400:
            return response
        if response.headers.get("Content-Type", "") == CONTENT_TYPE:
            return response
        replacement = problem(request, response.status_code)
        if allow := response.headers.get("Allow"):
            replacement["Allow"] = allow
        return replacement

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Log the errors of views outside the API, too, and answer 503 while the database is gone."""
        if isinstance(error, EXPECTED):
            return None
        # The client went silent in the middle of its body, or has gone: no fault of the server's.
        if isinstance(error, UnreadablePostError):
            return problem(request, 400, "The request cannot be read.")
        response = unexpected(request, error)
        return response if request.path.startswith("/api/") or response.status_code == 503 else None


class BodyLimit:
    """Refuse a body by its announced length, before a byte of it is read.

    Only operations that ask who is there before they read let a large one through: `LARGER_BODIES` knows them.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.known = [import_string(name) for name in settings.LARGER_BODIES]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request, unless it announces too much."""
        announced = request.META.get("CONTENT_LENGTH") or "0"
        allowed = next(filter(None, (known(request) for known in self.known)), settings.MAX_BODY_BYTES)
        if announced.isdigit() and int(announced) > allowed:
            too_large = f"The request is larger than {allowed} bytes."
            return (problem if request.path.startswith(PROGRAMS) else refusal)(request, 413, too_large)
        return self.get_response(request)
