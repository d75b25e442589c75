"""What is kept of what somebody did. The database refuses to change it (`triggers.py`)."""

import uuid

from django.db import models
from django.utils import timezone


class Action(models.TextChoices):
    """What can be done, and how people read it. Add yours; the column takes any text."""

    SIGNED_UP = "person.signed_up", "signed up"
    SIGNED_IN = "person.signed_in", "signed in"
    PASSWORD_CHANGED = "person.password_changed", "changed the password"
    ADDRESS_CHANGED = "person.address_changed", "changed the e-mail address"
    FACTOR_ADDED = "person.factor_added", "added a second factor"
    FACTOR_REMOVED = "person.factor_removed", "removed a second factor"
    CONNECTED = "person.connected", "connected an account elsewhere"
    DISCONNECTED = "person.disconnected", "disconnected an account elsewhere"
    ACCOUNT_DELETED = "person.deleted", "deleted the account"
    KEY_MADE = "key.made", "made the API key"
    KEY_DELETED = "key.deleted", "deleted the API key"
    TEAM_STARTED = "team.started", "started the team"
    TEAM_RENAMED = "team.renamed", "renamed the team"
    TEAM_DELETED = "team.deleted", "deleted the team"
    INVITED = "member.invited", "invited"
    WITHDRAWN = "member.invitation_withdrawn", "withdrew the invitation of"
    DECLINED = "member.declined", "declined the invitation"
    JOINED = "member.joined", "joined"
    ROLE_CHANGED = "member.role_changed", "changed the role of"
    REMOVED = "member.removed", "removed"
    UPLOADED = "dataset.uploaded", "uploaded"
    RENAMED = "dataset.renamed", "renamed"
    PROFILED_AGAIN = "dataset.profiled_again", "had profiled again"
    COPIED = "dataset.copied", "had a copy made of"
    DOWNLOADED = "dataset.downloaded", "downloaded"
    DELETED = "dataset.deleted", "deleted"
    EXPIRED = "dataset.expired", "deleted for its age"
    ADMIN_ADDED = "admin.added", "added in the administration"
    ADMIN_CHANGED = "admin.changed", "changed in the administration"
    ADMIN_DELETED = "admin.deleted", "deleted in the administration"


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
