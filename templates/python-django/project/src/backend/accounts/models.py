"""People, who sign in with their e-mail address, and the keys of their programs."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils import timezone

from backend.accounts.scopes import Scope

__all__ = ["ApiKey", "Scope", "User"]

USE_IS_RECORDED_EVERY = timedelta(minutes=1)


class UserManager(BaseUserManager["User"]):
    """Makes users; Django's commands and allauth go through it."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make an ordinary user; without a password, one who cannot sign in with any."""
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a user who may do everything in the admin."""
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a user whatever the case in which the address is typed."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField("active", default=True, help_text="Inactive people cannot sign in.")
    is_staff = models.BooleanField("staff", default=False, help_text="Staff may enter this admin.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        """Two spellings of one address are one person."""

        ordering = ("email",)
        constraints = (models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_is_lower_case"),)

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        """Lower the case before a form looks for duplicates."""
        super().clean()
        self.email = self.email.lower()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the address in lower case."""
        self.email = self.email.lower()
        super().save(*args, **kwargs)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Keys by what they are good for."""

    def valid(self) -> Self:
        """Give the keys that open something now."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), user__is_active=True)


class ApiKey(models.Model):
    """A program's key, which acts as its owner. Only a hash is stored: the secret is shown once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200)
    start = models.CharField(max_length=12, editable=False, help_text="How the secret begins, to recognize it by.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    # Nothing means no: keys that are older than the column, or made by the release before this one, have nothing.
    read_only = models.BooleanField(null=True, help_text="It opens nothing that changes anything.")

    # Nothing means everything that `read_only` lets it do: keys that are older than the column have nothing.
    scopes = models.JSONField(null=True, help_text="What it opens; without a list, everything that its owner may.")

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        """The newest first."""

        ordering = ("-created_at", "id")
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"

    @classmethod
    def issue(
        cls,
        user: User,
        name: str,
        expires_at: datetime | None = None,
        *,
        read_only: bool = False,
        scopes: Iterable[Scope] | None = None,
    ) -> "tuple[ApiKey, str]":
        """Make a key and give it with its secret, which cannot be read again."""
        listed = None if scopes is None else sorted(set(scopes))
        secret = f"key_{secrets.token_urlsafe(32)}"
        # 256 random bits cannot be guessed, so the hash needs to be neither slow nor salted.
        key = cls.objects.create(
            user=user,
            name=name,
            start=secret[:8],
            digest=cls.hash(secret),
            expires_at=expires_at,
            # Told by both, so that a server of the release before, which knows no scopes, lets it write nothing either.
            read_only=read_only or (listed is not None and all(scope.only_reads for scope in listed)),
            scopes=listed,
        )
        return key, secret

    def allows(self, scope: Scope) -> bool:
        """Tell whether the key opens what asks for this scope."""
        if self.read_only and not scope.only_reads:
            return False
        return self.scopes is None or bool({scope, scope.replace(":read", ":write")} & set(self.scopes))

    @property
    def may(self) -> str:
        """What it may do, in words."""
        if self.scopes is None:
            return "read everything" if self.read_only else "everything"
        # Of a release before this one it may have a scope that is no more, and opens nothing.
        known = dict(Scope.choices)
        return ", ".join(str(known.get(scope, scope)) for scope in self.scopes)

    @staticmethod
    def hash(secret: str) -> str:
        """Give what is stored of a secret."""
        return hashlib.sha256(secret.encode()).hexdigest()

    @classmethod
    def used(cls, secret: str) -> "ApiKey | None":
        """Give the key with this secret, and note its use; None when the secret opens nothing."""
        key = cls.objects.valid().select_related("user").filter(digest=cls.hash(secret)).first()
        if key is None:
            return None
        now = timezone.now()
        if key.last_used_at is None or now - key.last_used_at > USE_IS_RECORDED_EVERY:
            cls.objects.filter(pk=key.pk).update(last_used_at=now)
        return key
