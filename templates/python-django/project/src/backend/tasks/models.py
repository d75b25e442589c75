"""What workers tell each other through the database."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from backend.tasks.cron import Cron


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Workers by whether they live."""

    def alive(self) -> Self:
        """Give the workers that have been heard of within the lease."""
        return self.filter(last_seen__gt=timezone.now() - settings.TASK_LEASE)


class Worker(models.Model):
    """A worker process; the row goes when the process ends in order, and grows old when it is killed."""

    id = models.CharField(primary_key=True, max_length=64)
    host = models.CharField(max_length=255)
    started_at = models.DateTimeField(auto_now_add=True)
    last_seen = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        """The newest first."""

        ordering = ("-started_at", "id")

    def __str__(self) -> str:
        return f"{self.host} {self.id}"


class Schedule(models.Model):
    """When a scheduled task is due next; `schedules.py` says what there is to do."""

    name = models.CharField(primary_key=True, max_length=200)
    due_at = models.DateTimeField()

    class Meta:
        """The next one first."""

        ordering = ("due_at", "name")

    def __str__(self) -> str:
        return self.name

    @classmethod
    def claim(cls, name: str, every: timedelta | Cron, now: datetime) -> bool:
        """Take this turn and set the next one; of several workers, only one gets True."""
        following = every.after(now) if isinstance(every, Cron) else now + every
        # What has a time of day waits for it when it is new, and does not begin with whatever hour it is deployed at.
        first = following if isinstance(every, Cron) else now
        schedule, _ = cls.objects.get_or_create(name=name, defaults={"due_at": first})
        if schedule.due_at > now:
            # Its times in the program have become others: a turn that was reckoned from the old ones may be far away.
            if schedule.due_at > following:
                cls.objects.filter(name=name, due_at=schedule.due_at).update(due_at=following)
            return False
        return bool(cls.objects.filter(name=name, due_at=schedule.due_at).update(due_at=following))
