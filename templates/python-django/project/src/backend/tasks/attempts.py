"""One attempt at a task: what a success, a failure and a dead worker leave behind.

A task's row lists the workers that have tried it, so its length counts the attempts, and its last entry is the
owner. Every result is written on condition that the row still belongs to the one who writes: a worker that was
believed dead and comes back late changes nothing.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import format_exception
from types import FrameType
from typing import Any

import structlog
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils import timezone
from django_tasks.base import TaskContext, TaskResultStatus
from django_tasks.exceptions import InvalidTaskError
from django_tasks.signals import task_finished, task_started
from django_tasks_db.models import DBTaskResult

from backend.core import telemetry
from backend.tasks import metrics
from backend.tasks.backend import Backend, RetriedTask, kind_of
from backend.tasks.models import Worker

log = structlog.get_logger(__name__)


class WorkerDiedError(Exception):
    """The worker that had the task was not heard of again: killed, out of memory, or cut off from the database."""


class WorkerDiedAgainError(WorkerDiedError):
    """The task has cost a worker its life twice in a row, and is not given to a third."""


class TaskTookTooLongError(Exception):
    """The task was still running after its `max_seconds`."""


@receiver(pre_save, sender=DBTaskResult)
def note_origin(instance: DBTaskResult, **_kwargs: Any) -> None:
    """Have a task remember where in which trace it was enqueued, where there is one."""
    if instance._state.adding and (place := telemetry.here()):  # noqa: SLF001 - Django documents it
        instance.args_kwargs = instance.args_kwargs | {"trace": place}


def run(row: DBTaskResult) -> None:
    """Run a task that this worker has claimed, and record what came of it."""
    structlog.contextvars.bind_contextvars(task_id=str(row.pk), task=row.task_path, attempt=len(row.worker_ids))
    try:
        task = row.task
        result = row.task_result
        task_started.send(sender=Backend, task_result=result)
        context = (TaskContext(task_result=result),) if task.takes_context else ()
        with (
            telemetry.work(kind_of(row.task_path), row.args_kwargs.get("trace", {})),
            metrics.SECONDS.labels(kind_of(row.task_path)).time(),
            _at_most(task.max_seconds if isinstance(task, RetriedTask) else 0),
        ):
            value = task.call(*context, *result.args, **result.kwargs)
    except Exception as error:  # noqa: BLE001 - whatever a task raises is its result
        failed(row, error)
    except BaseException:
        # The process has been told twice to stop: the attempt counts, the task waits for another worker.
        _write(row, status=TaskResultStatus.READY, run_after=timezone.now())
        raise
    else:
        succeeded(row, value)
    finally:
        structlog.contextvars.unbind_contextvars("task_id", "task", "attempt", "trace_id")


def succeeded(row: DBTaskResult, value: Any) -> None:
    """Record a success."""
    done = {"status": TaskResultStatus.SUCCESSFUL, "return_value": value, "finished_at": timezone.now()}
    try:
        with transaction.atomic():
            written = _write(row, **done, exception_class_path="", traceback="")
    except TypeError as error:  # the value is not JSON
        failed(row, error)
        return
    if written:
        metrics.ended(row.task_path, "done")
        task_finished.send(sender=Backend, task_result=row.task_result)


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer, where the system can: in the main thread of a process that has alarms."""
    if not seconds or not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        msg = f"the task was still running after {seconds:g} seconds"
        raise TaskTookTooLongError(msg)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def failed(row: DBTaskResult, error: BaseException) -> None:
    """Put the task back for another attempt, or record that the last one has failed."""
    report = {
        "exception_class_path": _path(type(error)),
        "traceback": "".join(format_exception(error)),
    }
    attempt = len(row.worker_ids)
    task = _known_task(row)
    if task and attempt < task.max_attempts and not isinstance(error, WorkerDiedAgainError):
        wait = task.wait_after(attempt)
        log.warning("task will be tried again", error=repr(error), seconds=wait.total_seconds())
        if _write(row, **report, status=TaskResultStatus.READY, run_after=timezone.now() + wait):
            metrics.ended(row.task_path, "failed")
        return
    log.error("task failed", error=repr(error), exc_info=error)
    if _write(row, **report, status=TaskResultStatus.FAILED, finished_at=timezone.now()):
        metrics.ended(row.task_path, "given_up")
        if task:
            task_finished.send(sender=Backend, task_result=row.task_result)


def recover() -> int:
    """Take the tasks of dead workers back, and give how many there were."""
    alive = set(Worker.objects.alive().values_list("pk", flat=True))
    lost = [row for row in DBTaskResult.objects.running() if not row.worker_ids or row.worker_ids[-1] not in alive]
    for row in lost:
        log.warning("worker died", task_id=str(row.pk), worker=row.worker_ids[-1:])
        # The row still tells how the attempt before has ended.
        again = row.exception_class_path == _path(WorkerDiedError)
        died = WorkerDiedAgainError if again else WorkerDiedError
        failed(row, died("the worker was not heard of within its lease"))
    return len(lost)


def _path(error: type[BaseException]) -> str:
    return f"{error.__module__}.{error.__qualname__}"


def _known_task(row: DBTaskResult) -> RetriedTask[..., Any] | None:
    try:
        task = row.task
    except (ImportError, SuspiciousOperation, InvalidTaskError):  # of another release, which had this task or queue
        return None
    return task if isinstance(task, RetriedTask) else None


def _write(row: DBTaskResult, **values: Any) -> bool:
    mine = DBTaskResult.objects.filter(pk=row.pk, status=TaskResultStatus.RUNNING, worker_ids=row.worker_ids)
    written = bool(mine.update(**values))
    if not written:
        log.warning("the task belongs to another worker by now; the result of this attempt is dropped")
        row.refresh_from_db()
    for field, value in values.items() if written else ():
        setattr(row, field, value)
    return written
