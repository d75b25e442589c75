"""What workers do for data sets."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.dispatch import receiver
from django.utils import timezone
from django_tasks import TaskResult, TaskResultStatus, task
from django_tasks.signals import task_finished

from backend.datasets.models import Dataset
from backend.datasets.profile import FileProblem
from backend.tasks.attempts import WorkerDiedAgainError

FILES = "datasets"
GAVE_UP = "The profile could not be made; ask for it again, or tell an administrator."
KILLS = "Reading this file has ended the worker twice, most likely by the memory it takes; it is not tried again."


@task(queue_name=settings.PROFILE_QUEUE, max_attempts=3, backoff_seconds=10, max_seconds=7200)
def profile_dataset(dataset_id: str) -> str:
    """Profile a data set's file; a file that cannot be profiled is a result, any other failure is tried again."""
    from backend.datasets.profiler import profile  # noqa: PLC0415 - the server only enqueues, and needs no engine

    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is None:
        return "deleted"
    dataset.set_profiling()
    try:
        dataset.set_ready(profile(Path(dataset.file.path), dataset.format))
    except FileProblem as problem:
        dataset.set_failed(str(problem))
    return str(dataset.status)


@receiver(task_finished)
def give_up(task_result: TaskResult[Any], **_kwargs: Any) -> None:
    """Tell the owner when the last attempt has failed, too."""
    if task_result.status == TaskResultStatus.FAILED and task_result.task.func is profile_dataset.func:
        killed = any(error.exception_class_path.endswith(WorkerDiedAgainError.__name__) for error in task_result.errors)
        for dataset in Dataset.objects.filter(pk=task_result.args[0]):
            dataset.set_failed(KILLS if killed else GAVE_UP)


@task()
def remove_orphans() -> int:
    """Delete the files of uploads that were never committed, and what uploads that were cut off have left."""
    known = {str(pk) for pk in Dataset.objects.values_list("pk", flat=True)}
    names = default_storage.listdir(FILES)[1] if default_storage.exists(FILES) else []
    orphans = [f"{FILES}/{name}" for name in names if Path(name).stem not in known and _is_ours(name)]
    an_hour_ago = timezone.now() - timedelta(hours=1)
    old = [name for name in orphans if default_storage.get_modified_time(name) < an_hour_ago]
    for name in old:
        default_storage.delete(name)
    return len(old) + _remove_cut_off()


def _remove_cut_off() -> int:
    yesterday = (timezone.now() - timedelta(days=1)).timestamp()
    left = [file for file in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*") if file.stat().st_mtime < yesterday]
    for file in left:
        file.unlink(missing_ok=True)
    return len(left)


def _is_ours(name: str) -> bool:
    try:
        uuid.UUID(Path(name).stem)
    except ValueError:
        return False
    return True
