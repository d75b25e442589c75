"""The database itself keeps entries from being changed, and from being deleted before they are a month old.

On SQLite, a migration that makes the table anew (`AlterField` and its like) loses the triggers: end it with `install`.
"""

from typing import Any

# The least that AUDIT_DAYS may say, too.
DAYS = 30
POSTGRESQL = (
    f"""
    CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND OLD.at < now() - interval '{DAYS} days' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'The audit log only grows.';
    END $$
    """,
    """
    CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_only_grows()
    """,
)
SQLITE = (
    """
    CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'The audit log only grows.'); END
    """,
    f"""
    CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit_entry WHEN OLD.at >= datetime('now', '-{DAYS} days')
    BEGIN SELECT RAISE(ABORT, 'The audit log only grows.'); END
    """,
)
REMOVE_POSTGRESQL = ("DROP TRIGGER audit_only_grows ON audit_entry", "DROP FUNCTION audit_only_grows()")
REMOVE_SQLITE = ("DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete")


def install(_apps: Any, editor: Any) -> None:
    """Begin to refuse, as a step of a migration."""
    _execute(editor.connection, POSTGRESQL if editor.connection.vendor == "postgresql" else SQLITE)


def remove(_apps: Any, editor: Any) -> None:
    """Allow everything."""
    _execute(editor.connection, REMOVE_POSTGRESQL if editor.connection.vendor == "postgresql" else REMOVE_SQLITE)


def _execute(connection: Any, statements: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
