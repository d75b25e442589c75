"""Migrations run while the previous release still serves: they must be complete, and harmless to it."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django_migration_linter import MigrationLinter
from django_migration_linter.sql_analyser import analyse_sql_statements, get_sql_analyser_class

from backend.env import PROJECT

APPS = [app.label for app in apps.get_app_configs() if app.name.startswith("backend.")]

pytestmark = pytest.mark.django_db


def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db(transaction=True)  # SQLite changes no table within one
def test_no_migration_breaks_the_release_that_still_runs() -> None:
    # A table that is only being created is used by no running release.
    linter = MigrationLinter(
        str(PROJECT), include_apps=APPS, no_cache=True, no_output=True, ignore_initial_migrations=True
    )
    linter.lint_all_migrations()
    assert linter.nb_erroneous == 0


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE teams_team DROP COLUMN name;",
        "ALTER TABLE teams_team RENAME COLUMN name TO title;",
        "ALTER TABLE teams_team ADD COLUMN size integer NOT NULL;",
        "CREATE INDEX slow ON teams_team (name);",
    ],
)
def test_the_linter_knows_what_is_dangerous(statement: str) -> None:
    errors, _, warnings = analyse_sql_statements(get_sql_analyser_class("postgresql"), [statement])
    assert errors or warnings
