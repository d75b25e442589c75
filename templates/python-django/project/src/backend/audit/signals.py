"""What Django and allauth tell of: signing in, and what becomes of accounts."""

from typing import Any

from allauth.account import signals as account
from django.apps import apps
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from backend.accounts.models import User
from backend.audit.log import record
from backend.audit.models import Action


@receiver(user_logged_in)
def signed_in(user: User, **_kwargs: Any) -> None:
    """Note who comes in, by whatever door."""
    record(Action.SIGNED_IN, user, actor=user)


@receiver(account.user_signed_up)
def signed_up(user: User, **_kwargs: Any) -> None:
    """Note who is new."""
    record(Action.SIGNED_UP, user, actor=user)


@receiver([account.password_set, account.password_changed, account.password_reset])
def password_changed(user: User, **_kwargs: Any) -> None:
    """Note a new password."""
    record(Action.PASSWORD_CHANGED, user, actor=user)


@receiver(account.email_changed)
def address_changed(user: User, **kwargs: Any) -> None:
    """Note where mails go from now on."""
    was, now = kwargs.get("from_email_address"), kwargs["to_email_address"]
    record(Action.ADDRESS_CHANGED, user, actor=user, was=was.email if was else None, now=now.email)


def _note(model: Any, added: Action, removed: Action, kind: str) -> None:
    """Note what comes and goes with the row itself: allauth's own signals are sent when all is done."""

    @receiver(post_save, sender=model, weak=False)
    def came(instance: Any, created: bool, **_kwargs: Any) -> None:  # noqa: FBT001 - Django's own
        if created:
            record(added, instance.user, kind=str(getattr(instance, kind)))

    @receiver(post_delete, sender=model, weak=False)
    def went(instance: Any, **_kwargs: Any) -> None:
        record(removed, instance.user, kind=str(getattr(instance, kind)))


if apps.is_installed("allauth.mfa"):
    _note(apps.get_model("mfa.Authenticator"), Action.FACTOR_ADDED, Action.FACTOR_REMOVED, "type")
if apps.is_installed("allauth.socialaccount"):
    _note(apps.get_model("socialaccount.SocialAccount"), Action.CONNECTED, Action.DISCONNECTED, "provider")
