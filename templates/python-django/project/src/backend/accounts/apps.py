"""Django's entry to this part."""

from django.apps import AppConfig
from django.db.models.signals import pre_delete


class AccountsConfig(AppConfig):
    """Names the part in the admin; allauth calls its own the same as the folder."""

    name = "backend.accounts"
    verbose_name = "People and keys"

    def ready(self) -> None:
        """Connect the signal, once there are all models."""
        from backend.accounts import left_behind, models  # noqa: PLC0415 - models are not there before

        pre_delete.connect(left_behind.delete_of, sender=models.User)
