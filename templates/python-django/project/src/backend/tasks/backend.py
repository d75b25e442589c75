"""Tasks in the project's own database, with attempts: enqueued in the transaction that needs them, run by `worker`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from django_tasks.base import Task
from django_tasks_db import DatabaseBackend

P = ParamSpec("P")
T = TypeVar("T")
# Every task that the process knows, for those who count them.
KINDS: set[str] = set()


def kind_of(task_path: str) -> str:
    """Give a task's path without the parts that all tasks have."""
    return task_path.removeprefix("backend.").replace(".tasks.", ".")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriedTask(Task[P, T]):
    """A task that is tried again after a failure, each time after a longer wait, and that ends in time."""

    max_attempts: int = 3
    backoff_seconds: float = 10.0
    max_seconds: float = 3600.0

    def wait_after(self, attempt: int) -> timedelta:
        """Give the time to wait after a failed attempt: the first wait, twice that, four times, up to an hour."""
        doublings = min(attempt - 1, 20)
        return min(timedelta(seconds=self.backoff_seconds * 2**doublings), timedelta(hours=1))


class Backend(DatabaseBackend):  # type: ignore[misc] # django_tasks_db is not typed
    """The backend of the setting TASKS: `@task(max_attempts=5, backoff_seconds=60, max_seconds=600)`."""

    task_class = RetriedTask

    def validate_task(self, task: Task[Any, Any]) -> None:
        """Refuse a task that cannot be run later, and remember the others."""
        super().validate_task(task)
        KINDS.add(kind_of(task.module_path))
