"""Requests: how many, how they ended, how long they took, and how many of the threads they keep."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.core.signals import request_finished, request_started
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from backend.core.health import PROBES
from backend.metrics import registry

if TYPE_CHECKING:
    from prometheus_client import Gauge

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestMetrics:
    """Measures every request, until its answer is ready to be sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not registry.is_on():
            raise MiddlewareNotUsed
        self.get_response = get_response
        self.seconds = registry.histogram(
            "http_request_duration_seconds", "How long requests took.", "method", "route", "status"
        )
        under_way = registry.gauge("http_requests_in_flight", "Requests under way; each keeps a thread.")
        # From its first line to the last byte of the answer, which may be a long file.
        request_started.connect(lambda **_: under_way.inc(), weak=False, dispatch_uid="a request begins")
        request_finished.connect(lambda **_: under_way.dec(), weak=False, dispatch_uid="a request ends")
        waiting().set(0)
        registry.gauge("http_requests_max", "Requests that may be under way at once.").set(settings.WEB_THREADS)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request, and measure it."""
        started = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "other"
        self.seconds.labels(method, _route(request, response), response.status_code).observe(
            time.perf_counter() - started
        )
        return response


def waiting() -> "Gauge | registry.Nothing":
    """Give what notes how many large requests the server keeps waiting (backend/core/server.py)."""
    return registry.gauge("http_requests_waiting", "Large requests that wait for a thread.")


def _route(request: HttpRequest, response: HttpResponseBase) -> str:
    """Give the pattern of its path: there are as many addresses as callers make up."""
    if request.resolver_match:
        return f"/{request.resolver_match.route}"
    if request.path in PROBES:
        return request.path
    if request.path.startswith(settings.STATIC_URL) and response.status_code < 400:
        return str(settings.STATIC_URL)
    return "none"
