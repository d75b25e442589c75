"""Tasks that keep the database small."""

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult


@task()
def clear_sessions() -> None:
    """Delete the sessions that have expired."""
    SessionStore.clear_expired()


@task()
def forget_results() -> int:
    """Delete the results of tasks that finished long ago."""
    old = DBTaskResult.objects.finished().filter(finished_at__lt=timezone.now() - settings.TASK_RESULTS_KEPT)
    return int(old.delete()[0])
