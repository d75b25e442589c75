"""Probes: is the process alive, and can it do its work?"""

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

log = structlog.get_logger(__name__)


@require_safe
def livez(_request: HttpRequest) -> JsonResponse:
    """Answer as long as the process can; a restart would not help against anything else."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 503 until the database can be reached and holds every table this release needs."""
    checks = {"database": "ok", "migrations": "ok"}
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            checks["migrations"] = "pending"
    except (DatabaseError, InterfaceError) as error:
        log.warning("not ready", reason=str(error).strip())
        checks = {"database": "unreachable", "migrations": "unknown"}
    ready = set(checks.values()) == {"ok"}
    return JsonResponse(
        {"status": "ok" if ready else "unavailable", "checks": checks},
        status=200 if ready else 503,
        headers={"Cache-Control": "no-store"},
    )
