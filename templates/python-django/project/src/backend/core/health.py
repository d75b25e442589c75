"""Probes: is the process alive, and can it do its work?"""

import threading
import time
from collections.abc import Callable

import structlog
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

log = structlog.get_logger(__name__)
# Anybody may ask for readiness, as often as they like.
KEPT_SECONDS = 1.0
PROBES = {"/livez", "/readyz"}


class Probes:
    """Answer the probes first: they come to the process by its address, without TLS, and under no allowed host."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a probe, and let everything else pass."""
        if request.path == "/livez":
            return JsonResponse({"status": "ok"})
        if request.path == "/readyz":
            return ready()
        return self.get_response(request)


def ready() -> JsonResponse:
    """Answer 503 until the database can be reached and holds every table this release needs, and pages have styles."""
    checks = database.checks() | {"static files": _static_files()}
    complete = set(checks.values()) == {"ok"}
    return JsonResponse(
        {"status": "ok" if complete else "unavailable", "checks": checks},
        status=200 if complete else 503,
        headers={"Cache-Control": "no-store"},
    )


class Database:
    """What the database has to say, which is asked once for all who want to know within a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._until = 0.0

    def checks(self) -> dict[str, str]:
        """Tell whether it can be reached and is migrated."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._known = self._ask()
                self._until = time.monotonic() + KEPT_SECONDS
            return self._known

    def _ask(self) -> dict[str, str]:
        try:
            return {"database": "ok", "migrations": "pending" if migrations_pending() else "ok"}
        except (DatabaseError, InterfaceError) as error:
            log.warning("not ready", reason=str(error).strip())
            return {"database": "unreachable", "migrations": "unknown"}


database = Database()


def migrations_pending() -> bool:
    """Tell whether the database lacks a table or a column that this release needs."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _static_files() -> str:
    """Without the list that `collectstatic` writes, every page of the admin would be a server error."""
    try:
        return "not collected" if getattr(staticfiles_storage, "hashed_files", None) == {} else "ok"
    except OSError:
        return "unreadable"
