"""Django's entry to this part."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Names the part in the admin; allauth calls its own the same as the folder."""

    name = "backend.accounts"
    verbose_name = "People and keys"
