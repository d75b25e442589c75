"""The table of the database cache, so that `migrate` alone makes a database complete."""

from django.core.management import call_command
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def create(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create it on the database that is being migrated."""
    call_command("createcachetable", database=editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    """Create the cache table."""

    initial = True
    dependencies = []
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
