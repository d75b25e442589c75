"""What operators are told of tasks: what waits, since when, what has failed, and how attempts went."""

from collections.abc import Iterator

from django.db.models import Case, Count, DateTimeField, F, Min, Q, When
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from backend.metrics import registry
from backend.metrics.rows import Told, Values
from backend.tasks.backend import KINDS, kind_of

ATTEMPTS = registry.counter("jobs_total", "Attempts at tasks, by kind and outcome.", "kind", "outcome")
SECONDS = registry.histogram(
    "job_duration_seconds",
    "How long attempts at tasks took, by kind.",
    "kind",
    buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0, 7200.0),
)
OUTCOMES = ("done", "failed", "given_up")


def ended(task_path: str, outcome: str) -> None:
    """Count an attempt: `done`, `failed` (it is tried again) or `given_up`."""
    ATTEMPTS.labels(kind_of(task_path), outcome).inc()


@registry.read
def queue() -> Iterator[Told]:
    """Read what there is to do."""
    now, at_once = timezone.now(), get_date_max()
    ready = Q(status=TaskResultStatus.READY)
    due = ready & (Q(run_after=at_once) | Q(run_after__lte=now))
    since = Case(When(run_after=at_once, then=F("enqueued_at")), default=F("run_after"), output_field=DateTimeField())
    rows = (
        DBTaskResult.objects.exclude(status=TaskResultStatus.SUCCESSFUL)
        .order_by()
        .values("task_path")
        .annotate(
            waiting=Count("pk", filter=due),
            later=Count("pk", filter=ready & ~due),
            active=Count("pk", filter=Q(status=TaskResultStatus.RUNNING)),
            failed=Count("pk", filter=Q(status=TaskResultStatus.FAILED)),
            oldest=Min(since, filter=due),
        )
    )
    found = {kind_of(row["task_path"]): row for row in rows}
    nothing = {"waiting": 0, "later": 0, "active": 0, "failed": 0, "oldest": None}
    kinds = {kind: found.get(kind, nothing) for kind in sorted(KINDS | set(found))}
    for kind in kinds:
        for outcome in OUTCOMES:
            ATTEMPTS.labels(kind, outcome)
    states: Values = {}
    waits: Values = {}
    failed: Values = {}
    for kind, row in kinds.items():
        states |= {(kind, state): row[state] for state in ("waiting", "later", "active")}
        waits[kind,] = (now - (row["oldest"] or now)).total_seconds()
        failed[kind,] = row["failed"]
    yield Told("queue_jobs", "Tasks by kind and state: waiting (due), later or active.", ("kind", "state"), states)
    yield Told("queue_oldest_waiting_seconds", "For how long the oldest task has been due.", ("kind",), waits)
    yield Told("queue_dead_letters", "Tasks that have failed for good.", ("kind",), failed)
