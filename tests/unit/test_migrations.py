"""Migrations that a project and its template have both numbered."""

from stackgen import migrations

TEAMS, TASKS = "src/backend/teams/migrations", "src/backend/tasks/migrations"
SQL = "internal/store/sqlite/migrations"


def test_an_app_of_django_with_two_last_migrations_is_merged() -> None:
    base = {f"{TEAMS}/0001_initial.py", f"{TASKS}/0001_initial.py"}
    ours = base | {f"{TEAMS}/0002_mine.py", f"{TEAMS}/0003_mine.py", f"{TEAMS}/helper.py"}
    theirs = base | {f"{TEAMS}/0002_its.py", f"{TASKS}/0002_its.py"}
    (met,) = migrations.find(base, ours, theirs)
    assert met.folder == TEAMS
    assert met.yours == (f"{TEAMS}/0002_mine.py", f"{TEAMS}/0003_mine.py")
    assert met.its == (f"{TEAMS}/0002_its.py",)
    assert "makemigrations --merge" in met.to_do


def test_of_two_with_one_number_the_one_that_has_run_nowhere_gets_another() -> None:
    base = {f"{SQL}/00001_monitor.sql"}
    ours = base | {f"{SQL}/00002_orders.sql", f"{SQL}/00003_customers.sql"}
    theirs = base | {f"{SQL}/00002_checks.sql", f"{SQL}/00004_alerts.sql"}
    (met,) = migrations.find(base, ours, theirs)
    assert (met.yours, met.its) == ((f"{SQL}/00002_orders.sql",), (f"{SQL}/00002_checks.sql",))
    assert met.to_do.endswith(f"`git mv {SQL}/00002_checks.sql {SQL}/00005_checks.sql`")


def test_numbers_of_other_folders_and_times_as_numbers_do_not_meet() -> None:
    ours = {f"{SQL}/00002_orders.sql", "apps/api/drizzle/0002_mine.sql", f"{TASKS}/0002_mine.py"}
    theirs = {
        f"{SQL}/20261126000000_checks.sql",
        "internal/store/postgres/migrations/00002_checks.sql",
        "apps/api/src/queue/drizzle/0002_its.sql",
        f"{TEAMS}/0002_its.py",
    }
    assert migrations.find(set(), ours, theirs) == ()
    assert migrations.find(ours, ours, ours | theirs) == ()


def test_one_file_that_both_added_is_a_conflict_of_the_merge_and_told_as_that() -> None:
    both = {f"{SQL}/00002_orders.sql", f"{TEAMS}/0002_mine.py"}
    assert migrations.find(set(), both, both) == ()
