"""What workers do for data sets."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
from django_tasks import TaskResult, TaskResultStatus, task
from django_tasks.signals import task_finished

from backend.audit.log import record
from backend.audit.models import Action
from backend.datasets.files import files
from backend.datasets.models import COPIES_LAST, FOLDER, UPLOADS_LAST, Copy, Dataset, Making, Upload, stored_name
from backend.datasets.profile import FileProblem
from backend.datasets.room import room
from backend.tasks.attempts import WorkerDiedAgainError

NO_COPY = "The copy could not be made; ask for it again, or tell an administrator."
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
        with files().on_disk(str(dataset.file.name)) as path:
            found = profile(path, dataset.format)
    except FileProblem as problem:
        dataset.set_failed(str(problem))
    else:
        dataset.set_ready(found)
    return str(dataset.status)


class Made(File):  # type: ignore[type-arg] # Django's has a parameter for mypy alone
    """A file that a folder takes over instead of copying it."""

    def temporary_file_path(self) -> str:
        """Tell where it lies."""
        return str(self.name)


@task(queue_name=settings.PROFILE_QUEUE, max_attempts=3, backoff_seconds=10, max_seconds=7200)
def make_copy(dataset_id: str) -> str:
    """Write a data set's file in the other format; one that cannot be written so is a result, as with profiles."""
    from backend.datasets.profiler import rewrite  # noqa: PLC0415 - the server only enqueues, and needs no engine

    copy = Copy.objects.filter(dataset_id=dataset_id).select_related("dataset__team").first()
    if copy is None:
        return "deleted"
    if copy.status == Making.READY:  # the last attempt has died after it was done
        return "ready"
    target = Path(settings.FILE_UPLOAD_TEMP_DIR) / f"{uuid.uuid4().hex}.upload"
    try:
        with files().on_disk(str(copy.dataset.file.name)) as path:
            rewrite(path, copy.dataset.format, target, settings.MAX_UPLOAD_BYTES)
        return _keep(copy, target)
    except FileProblem as problem:
        copy.set_failed(str(problem))
        return "failed"
    finally:
        target.unlink(missing_ok=True)


def _keep(copy: Copy, made: Path) -> str:
    size = made.stat().st_size
    # An attempt before this one may have ended in between.
    default_storage.delete(copy.stored_name)
    with made.open("rb") as content:
        saved = default_storage.save(copy.stored_name, Made(content, str(made)))
    if saved != copy.stored_name:  # somebody else has written the same meanwhile
        default_storage.delete(saved)
    with transaction.atomic():
        left = room(copy.dataset.team)
        if size <= left and copy.set_ready(size):
            return "ready"
    default_storage.delete(copy.stored_name)
    if size > left:
        msg = f"The copy has {size} bytes, and the team has room for {left} more."
        raise FileProblem(msg)
    return "deleted"


@receiver(task_finished)
def give_up(task_result: TaskResult[Any], **_kwargs: Any) -> None:
    """Tell the owner when the last attempt has failed, too."""
    if task_result.status != TaskResultStatus.FAILED:
        return
    killed = any(error.exception_class_path.endswith(WorkerDiedAgainError.__name__) for error in task_result.errors)
    if task_result.task.func is profile_dataset.func:
        for dataset in Dataset.objects.filter(pk=task_result.args[0]):
            dataset.set_failed(KILLS if killed else GAVE_UP)
    elif task_result.task.func is make_copy.func:
        for copy in Copy.objects.filter(pk=task_result.args[0]):
            copy.set_failed(KILLS if killed else NO_COPY)


@task()
def remove_expired() -> int:
    """Delete the data sets that are older than DATASET_DAYS, each in a transaction of its own."""
    if not settings.DATASET_DAYS:
        return 0
    old = Dataset.objects.filter(created_at__lt=timezone.now() - timedelta(days=settings.DATASET_DAYS))
    return sum(_expire(pk) for pk in list(old.values_list("pk", flat=True)))


def _expire(pk: uuid.UUID) -> bool:
    with transaction.atomic():
        # Somebody may be deleting it, too.
        dataset = Dataset.objects.select_for_update().filter(pk=pk).first()
        if dataset is None:
            return False
        record(Action.EXPIRED, dataset, team_id=dataset.team_id, uploaded=dataset.created_at.date().isoformat())
        dataset.delete()
        return True


@task()
def remove_orphans() -> int:
    """Delete copies whose time is over, files that were never committed, and what uploads cut off have left."""
    copies = list(Copy.objects.filter(asked_at__lt=timezone.now() - COPIES_LAST))
    for copy in copies:
        # The file first: without its row, nobody would know that it has to go.
        default_storage.delete(copy.stored_name)
        Copy.objects.filter(pk=copy.pk, asked_at=copy.asked_at).delete()
    known = {str(pk) for model in (Dataset, Upload) for pk in model.objects.values_list("pk", flat=True)}
    names = _stored()
    orphans = [f"{FOLDER}/{name}" for name in names if Path(name).stem not in known and _is_ours(name)]
    an_hour_ago = timezone.now() - timedelta(hours=1)
    old = [name for name in orphans if default_storage.get_modified_time(name) < an_hour_ago]
    for name in old:
        default_storage.delete(name)
    return len(copies) + len(old) + _remove_cut_off() + _remove_unfinished()


def _stored() -> list[str]:
    try:
        return default_storage.listdir(FOLDER)[1]
    except FileNotFoundError:  # nobody has uploaded anything
        return []


def _remove_unfinished() -> int:
    """Forget uploads that are over, and parts of which no upload knows."""
    over = list(Upload.objects.filter(created_at__lt=timezone.now() - UPLOADS_LAST))
    for upload in over:
        files().abandon(stored_name(upload), upload.place)
        upload.delete()
    known = set(Upload.objects.values_list("place", flat=True))
    an_hour_ago = timezone.now() - timedelta(hours=1)
    lost = [begun for begun in files().begun(FOLDER) if begun.place not in known and begun.at < an_hour_ago]
    for begun in lost:
        files().abandon(begun.name, begun.place)
    return len(over) + len(lost)


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
