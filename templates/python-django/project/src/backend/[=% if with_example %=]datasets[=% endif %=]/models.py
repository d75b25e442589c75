"""Data sets: a file that a team has uploaded, and what a worker has found in it."""

import uuid
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from backend.accounts.models import User
from backend.datasets.profile import Profile
from backend.teams.models import Team


class Status(models.TextChoices):
    """How far the profile is."""

    PENDING = "pending"
    PROFILING = "profiling"
    READY = "ready"
    FAILED = "failed"

    @property
    def colour(self) -> str:
        """The colour of its badge."""
        return {"pending": "neutral", "profiling": "busy", "ready": "good", "failed": "bad"}[self.value]

    @property
    def is_final(self) -> bool:
        """Whether no worker has anything to do with it."""
        return self in {Status.READY, Status.FAILED}


class Format(models.TextChoices):
    """How the file is written."""

    CSV = "csv", "CSV"
    PARQUET = "parquet", "Parquet"

    @property
    def other(self) -> "Format":
        """The one in which a copy can be had, too."""
        return Format.CSV if self is Format.PARQUET else Format.PARQUET


class Making(models.TextChoices):
    """How far a copy is."""

    MAKING = "making"
    READY = "ready"
    FAILED = "failed"


FOLDER = "datasets"
UPLOADS_LAST = timedelta(days=1)
COPIES_LAST = timedelta(days=1)


def stored_name(dataset: "Dataset | Upload", _uploaded_name: str = "") -> str:
    """Name the stored file by its id: nothing that a user typed becomes a path."""
    return f"{FOLDER}/{dataset.pk}.{dataset.format}"


class DatasetQuerySet(models.QuerySet["Dataset"]):
    """Data sets by who may see them."""

    def visible_to(self, user: User) -> Self:
        """Give the data sets of a person's teams, with that person's role as `role`."""
        return self.filter(team__memberships__user=user).annotate(role=models.F("team__memberships__role"))

    def versions_of(self, dataset: "Dataset") -> Self:
        """Give the data sets that have its team and its name, the newest first; itself is among them."""
        return self.filter(team_id=dataset.team_id, name=dataset.name).order_by("-created_at", "id")

    def newest(self) -> Self:
        """Give the newest version of each data set."""
        same = Dataset.objects.filter(team_id=models.OuterRef("team_id"), name=models.OuterRef("name"))
        later = models.Q(created_at__gt=models.OuterRef("created_at"))
        at_once = models.Q(created_at=models.OuterRef("created_at"), pk__lt=models.OuterRef("pk"))
        return self.exclude(models.Exists(same.filter(later | at_once)))


class Dataset(models.Model):
    """An uploaded file with its profile."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="datasets")
    uploaded_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=200)
    format = models.CharField(max_length=10, choices=Format.choices)
    file = models.FileField(upload_to=stored_name, max_length=200)
    file_name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    problem = models.TextField(blank=True)
    row_count = models.PositiveBigIntegerField(null=True)
    column_count = models.PositiveIntegerField(null=True)
    profile = models.JSONField(null=True)
    profiled_at = models.DateTimeField(null=True)

    role: str  # set by `visible_to`

    objects = DatasetQuerySet.as_manager()

    class Meta:
        """The newest first; lists are read by team."""

        ordering = ("-created_at", "id")
        indexes = (
            models.Index(fields=("team", "-created_at"), name="dataset_by_team"),
            models.Index(fields=("team", "name"), name="dataset_by_name"),
            models.Index(fields=("status",), name="dataset_by_status"),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Where people look at it; the admin links there, too."""
        return reverse("dataset", args=[self.pk])

    @property
    def state(self) -> Status:
        """The status as what it is, which a row from the database does not know."""
        return Status(self.status)

    @property
    def kept_until(self) -> datetime | None:
        """When it is deleted for its age; None for one that is kept until somebody deletes it."""
        return self.created_at + timedelta(days=settings.DATASET_DAYS) if settings.DATASET_DAYS else None

    @property
    def found(self) -> Profile | None:
        """The profile, once it is there."""
        return Profile.model_validate(self.profile) if self.profile else None

    def set_pending(self) -> None:
        """Forget the last profile, before another one is asked for."""
        self._set(status=Status.PENDING, problem="")

    def set_profiling(self) -> None:
        """Note that a worker has begun."""
        self._set(status=Status.PROFILING, problem="")

    def set_ready(self, profile: Profile) -> None:
        """Keep what the worker has found."""
        self._set(
            status=Status.READY,
            problem="",
            profile=profile.model_dump(mode="json"),
            row_count=profile.rows,
            column_count=len(profile.columns),
            profiled_at=timezone.now(),
        )

    def set_failed(self, problem: str) -> None:
        """Keep why there is no profile."""
        self._set(status=Status.FAILED, problem=problem, profile=None, row_count=None, column_count=None)

    def _set(self, **values: Any) -> None:
        # An update, since the data set may have been deleted meanwhile, and saving would bring it back.
        type(self).objects.filter(pk=self.pk).update(**values)
        for field, value in values.items():
            setattr(self, field, value)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the files, too, once the row is surely gone."""
        storage, names = self.file.storage, [self.file.name]
        names += [copy.stored_name for copy in Copy.objects.filter(pk=self.pk)]
        deleted = super().delete(*args, **kwargs)

        def delete_files() -> None:
            for name in filter(None, names):
                storage.delete(name)

        # What cannot be deleted now, `remove_orphans` deletes later.
        transaction.on_commit(delete_files, robust=True)
        return deleted


class Copy(models.Model):
    """A data set in the other format: made by a worker when somebody asks for it, and deleted a day later."""

    # The previous release knows nothing of copies; a constraint would keep it from deleting a data set that has one.
    dataset = models.OneToOneField(
        Dataset, on_delete=models.CASCADE, primary_key=True, related_name="copy", db_constraint=False
    )
    format = models.CharField(max_length=10, choices=Format.choices)
    status = models.CharField(max_length=10, choices=Making.choices, default=Making.MAKING)
    problem = models.TextField(blank=True)
    size = models.PositiveBigIntegerField(default=0)
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """The oldest first."""

        ordering = ("asked_at", "pk")
        verbose_name_plural = "copies"

    def __str__(self) -> str:
        return self.stored_name

    @property
    def stored_name(self) -> str:
        """Where its file lies: beside that of the data set, whose id it has."""
        return f"{FOLDER}/{self.pk}.{self.format}"

    @property
    def file_name(self) -> str:
        """What it is called when somebody downloads it."""
        return f"{PurePath(self.dataset.file_name).stem}.{self.format}"

    @property
    def kept_until(self) -> datetime:
        """When it is deleted."""
        return self.asked_at + COPIES_LAST

    def set_ready(self, size: int) -> bool:
        """Note that its file is there; False when nobody wants it any more."""
        return bool(type(self).objects.filter(pk=self.pk).update(status=Making.READY, problem="", size=size))

    def set_failed(self, problem: str) -> None:
        """Keep why there is none."""
        type(self).objects.filter(pk=self.pk).update(status=Making.FAILED, problem=problem, size=0)


class Upload(models.Model):
    """A file that arrives in parts. The data set that it becomes gets its id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="uploads")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    format = models.CharField(max_length=10, choices=Format.choices)
    file_name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    part_bytes = models.PositiveBigIntegerField()
    fingerprint = models.CharField(max_length=200)
    # What the folder or the bucket calls the place of the parts.
    place = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The oldest first."""

        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return self.file_name

    @property
    def expires_at(self) -> datetime:
        """When it is over."""
        return self.created_at + UPLOADS_LAST

    @property
    def parts(self) -> int:
        """How many parts it has; their numbers begin with 1."""
        return -(-self.size // self.part_bytes)

    def section(self, number: int) -> tuple[int, int]:
        """Give the first byte of a part, and its length."""
        first = (number - 1) * self.part_bytes
        return first, min(self.part_bytes, self.size - first)
