"""What ways to sign in that are switched off again have left behind: rows that point to people, and no model knows."""

from typing import Any

from django.apps import apps
from django.db import connections

from backend.accounts.models import User

TABLES = {"allauth.mfa": "mfa_authenticator", "allauth.socialaccount": "socialaccount_socialaccount"}


def delete_of(instance: User, using: str, **_: Any) -> None:
    """Delete a person's rows first, as Django does where it knows of them: otherwise the database keeps the person."""
    unknown = [table for app, table in TABLES.items() if not apps.is_installed(app)]
    if not unknown:
        return
    connection = connections[using]
    key = User._meta.pk.get_db_prep_value(instance.pk, connection)  # noqa: SLF001 - how Django names it to models
    with connection.cursor() as cursor:
        for table in set(unknown) & set(connection.introspection.table_names(cursor)):
            cursor.execute(f"DELETE FROM {table} WHERE user_id = %s", [key])  # noqa: S608 - a name from above
