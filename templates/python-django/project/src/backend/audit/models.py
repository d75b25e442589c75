"""What is kept of what somebody did. The database refuses to change it (`triggers.py`)."""

import uuid

from django.db import models
from django.utils import timezone

from backend.audit.actions import Action

__all__ = ["Action", "Entry"]


class Entry(models.Model):
    """Something that somebody did. It holds copies and points to no row, so it outlives what it tells of."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(default=timezone.now, editable=False)
    action = models.CharField(max_length=50)
    actor_id = models.UUIDField(null=True)
    actor = models.CharField(max_length=254, blank=True, help_text="The address of whoever did it, as it was then.")
    key = models.CharField(max_length=220, blank=True, help_text="The API key with which it was done.")
    address = models.GenericIPAddressField("IP address", null=True)
    request_id = models.CharField(max_length=128, blank=True, help_text="Finds the request in the log.")
    team_id = models.UUIDField(null=True)
    object_kind = models.CharField(max_length=50)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=254)
    details = models.JSONField(default=dict)

    class Meta:
        """The newest first; read by team."""

        ordering = ("-at", "id")
        indexes = (
            models.Index(fields=("team_id", "-at"), name="audit_by_team"),
            models.Index(fields=("-at",), name="audit_by_time"),
        )
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.actor or 'somebody'} {self.words} {self.object_name}"

    @property
    def words(self) -> str:
        """What was done, in words where there are some."""
        return Action(self.action).label if self.action in Action.values else self.action

    @property
    def more(self) -> str:
        """What else is known, in a line."""
        return ", ".join(f"{name}: {value}" for name, value in sorted(self.details.items()))
