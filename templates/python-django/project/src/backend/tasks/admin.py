"""Tasks, workers and schedules in the admin."""

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

from backend.audit.log import record
from backend.audit.models import Action
from backend.core.admin import ReadOnlyAdmin, badge
from backend.tasks.backend import kind_of
from backend.tasks.models import Schedule, Worker

COLOURS = {"READY": "neutral", "RUNNING": "busy", "SUCCESSFUL": "good", "FAILED": "bad"}

admin.site.unregister(DBTaskResult)


@admin.register(DBTaskResult)
class TaskAdmin(DBTaskResultAdmin):  # type: ignore[misc] # django_tasks_db is not typed
    """Tasks with their results; the failed ones can be run again."""

    list_display = ("name", "state", "attempts", "enqueued_at", "finished_at")
    list_filter = ("status", "task_path")
    search_fields = ("task_path", "id")
    date_hierarchy = "enqueued_at"
    actions = ("run_again",)

    @admin.display(description="task", ordering="task_path")
    def name(self, row: DBTaskResult) -> str:
        """Show the task without the parts of its path that all tasks have."""
        return kind_of(row.task_path)

    @admin.display(description="status", ordering="status")
    def state(self, row: DBTaskResult) -> str:
        """Show the status in its colour."""
        return badge(row.status, COLOURS.get(row.status, "neutral"))

    @admin.display(description="attempts")
    def attempts(self, row: DBTaskResult) -> int:
        """Tell how often it was tried."""
        return len(row.worker_ids)

    @admin.action(description="Run the selected failed tasks again", permissions=["view"])
    def run_again(self, request: HttpRequest, rows: QuerySet[DBTaskResult]) -> None:
        """Give failed tasks all their attempts again."""
        if not request.user.is_superuser:
            messages.error(request, "Only a superuser may run tasks again.")
            return
        failed = rows.filter(status=TaskResultStatus.FAILED)
        with transaction.atomic():
            for row in failed:
                record(Action.ADMIN_CHANGED, row, name=row.task_path, message="Run again.")
            count = failed.update(
                status=TaskResultStatus.READY, worker_ids=[], run_after=timezone.now(), finished_at=None
            )
        messages.success(request, f"{count} tasks will be run again.")


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin[Worker]):
    """The workers that run now, and those that were killed not long ago."""

    list_display = ("id", "host", "state", "started_at", "last_seen")

    @admin.display(description="state")
    def state(self, worker: Worker) -> str:
        """Tell whether it has been heard of within its lease."""
        alive = Worker.objects.alive().filter(pk=worker.pk).exists()
        return badge("alive", "good") if alive else badge("lost", "bad")


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin[Schedule]):
    """When the scheduled tasks are due."""

    list_display = ("name", "due_at", "late")

    @admin.display(description="state")
    def late(self, schedule: Schedule) -> str:
        """Point out that no worker seems to run."""
        late = schedule.due_at < timezone.now() - settings.TASK_LEASE
        return badge("overdue: does a worker run?", "bad") if late else badge("planned", "neutral")
