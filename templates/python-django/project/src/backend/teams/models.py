"""Teams: who works together, and what each may do with what the team owns."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone

from backend.accounts.models import User

INVITATIONS_LAST = timedelta(days=14)


class Role(models.TextChoices):
    """What a member may do; each role may also do what the ones before it may."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"

    def allows(self, needed: "Role") -> bool:
        """Tell whether this role is enough where another is needed."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class TeamQuerySet(models.QuerySet["Team"]):
    """Teams by who belongs to them."""

    def of(self, user: User) -> Self:
        """Give the teams that a person belongs to, with that person's role as `role`."""
        role = Membership.objects.filter(team=models.OuterRef("pk"), user=user).values("role")
        return self.filter(memberships__user=user).annotate(role=models.Subquery(role))


class Team(models.Model):
    """People who share what they own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    role: str  # set by `of`
    members = models.ManyToManyField(User, through="Membership", related_name="teams")

    objects = TeamQuerySet.as_manager()

    class Meta:
        """By name."""

        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name

    @classmethod
    def owned_only_by(cls, users: Iterable[User]) -> "models.QuerySet[Team]":
        """Give the teams that would be left without an owner if these people went."""
        others = Membership.objects.filter(team=models.OuterRef("pk"), role=Role.OWNER).exclude(user__in=users)
        mine = Membership.objects.filter(team=models.OuterRef("pk"), role=Role.OWNER, user__in=users)
        return cls.objects.filter(models.Exists(mine), ~models.Exists(others))

    @classmethod
    def start(cls, name: str, owner: User) -> "Team":
        """Make a team with its first owner."""
        with transaction.atomic():
            team = cls.objects.create(name=name)
            Membership.objects.create(team=team, user=owner, role=Role.OWNER)
        return team


class Membership(models.Model):
    """A person's place in a team."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One place for each person."""

        ordering = ("created_at", "id")
        constraints = (models.UniqueConstraint(fields=("team", "user"), name="membership_is_unique"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Invitations by what has become of them."""

    def open(self) -> Self:
        """Give the ones that can still be accepted; an accepted or declined one is gone."""
        return self.filter(created_at__gt=timezone.now() - INVITATIONS_LAST)


class Invitation(models.Model):
    """A place in a team that is offered to an address; nobody becomes a member unasked."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        """One for each address."""

        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("team", "email"), name="invitation_is_unique"),
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="invitation_is_lower_case"),
        )

    def __str__(self) -> str:
        return f"{self.email} to {self.team}"

    @property
    def expires_at(self) -> datetime:
        """When it is over."""
        return self.created_at + INVITATIONS_LAST

    def accept(self, user: User) -> Membership:
        """Make the person a member; who is one already keeps the role."""
        with transaction.atomic():
            membership, _ = Membership.objects.get_or_create(team=self.team, user=user, defaults={"role": self.role})
            self.delete()
        return membership
