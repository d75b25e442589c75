"""What is done again and again: whichever worker sees first that a task is due enqueues it, and only that one."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import structlog
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from backend.tasks.cron import Cron
from backend.tasks.models import Schedule

log = structlog.get_logger(__name__)


class Turn(NamedTuple):
    """A task's place in the program, and how often its turn comes, or when: `Cron("30 3 * * 1-5")`."""

    task: str
    every: timedelta | Cron


SCHEDULES: Mapping[str, Turn] = {
    "clear expired sessions": Turn("backend.tasks.housekeeping.clear_sessions", timedelta(days=1)),
    "forget old task results": Turn("backend.tasks.housekeeping.forget_results", timedelta(days=1)),
    "forget old entries of the audit log": Turn("backend.audit.tasks.forget_entries", timedelta(days=1)),
    "delete data sets for their age": Turn("backend.datasets.tasks.remove_expired", timedelta(hours=6)),
    "remove files without a data set": Turn("backend.datasets.tasks.remove_orphans", timedelta(hours=6)),
}


def enqueue_due(schedules: Mapping[str, Turn] = SCHEDULES) -> list[str]:
    """Enqueue every task whose turn has come, and give their names."""
    return [name for name, turn in schedules.items() if _enqueue(name, turn)]


def _enqueue(name: str, turn: Turn) -> bool:
    try:
        # Both or neither: a turn that was taken and not enqueued would be lost.
        with transaction.atomic():
            if not Schedule.claim(name, turn.every, timezone.now()):
                return False
            import_string(turn.task).enqueue()
    except (DatabaseError, InterfaceError):
        raise
    except Exception:  # one schedule with a fault must not hold up the others
        log.exception("schedule failed", schedule=name)
        return False
    log.info("scheduled task enqueued", schedule=name)
    return True
