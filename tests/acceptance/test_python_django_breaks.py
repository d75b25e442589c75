"""Breaks put into a python-django project by hand: each must turn the one generated test red that is there for it."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import processes
import pytest
from breaks import Break, assert_all_have_a_place, some_by_seed

pytestmark = pytest.mark.full

Environment = Mapping[str, str]
SRC = "src/backend"

BREAKS = (
    Break(
        "nothing bounds the number of keys",
        f"{SRC}/accounts/api.py",
        ">= MAX_KEYS",
        ">= 10**9",
        "test_auth.py::test_nobody_has_more_keys_than_the_limit",
    ),
    Break(
        "a key opens what it has no scope for",
        f"{SRC}/api.py",
        '"/datasets", datasets, auth=with_scope("datasets")',
        '"/datasets", datasets, auth=everyone',
        "datasets/test_rest.py::test_a_key_opens_what_its_scopes_name",
    ),
    Break(
        "the audit log can be changed",
        f"{SRC}/audit/migrations/0001_initial.py",
        "        migrations.RunPython(triggers.install, triggers.remove),\n",
        "",
        "test_audit.py::test_the_database_refuses_to_change_or_to_forget",
    ),
    Break(
        "every member reads the audit log",
        f"{SRC}/audit/api.py",
        ", Role.OWNER)",
        ")",
        "test_audit.py::test_owners_read_the_log_of_their_team_and_nobody_else_does",
    ),
    Break(
        "an upload is kept although its task is not",
        f"{SRC}/datasets/api.py",
        "        with transaction.atomic():\n            check_room",
        "        if True:\n            check_room",
        "datasets/test_datasets.py::test_an_upload_whose_task_cannot_be_enqueued_leaves_nothing",
    ),
    Break(
        "all columns of a wide file are read at once",
        f"{SRC}/datasets/engine.py",
        "COLUMNS_AT_ONCE = 250",
        "COLUMNS_AT_ONCE = 20_000",
        "datasets/test_profiles.py::test_a_large_file_is_profiled_within_the_limit[wider-2]",
    ),
    Break(
        "data sets are deleted before their time",
        f"{SRC}/datasets/tasks.py",
        "Dataset.objects.filter(created_at__lt=timezone.now() - timedelta(days=settings.DATASET_DAYS))",
        "Dataset.objects.all()",
        "datasets/test_datasets.py::test_data_sets_are_kept_for_as_many_days_as_are_set",
    ),
    Break(
        "rows are found by what stands in another column",
        f"{SRC}/datasets/pages.py",
        'if chosen in {"", name}]',
        "if chosen is not name]",
        "datasets/test_pages.py::test_rows_are_found_by_a_text_in_a_column_or_in_any",
    ),
    Break(
        "a copy has no types",
        f"{SRC}/datasets/rewriter.py",
        "Kind.NUMBER: pl.Float64()",
        "Kind.NUMBER: pl.String()",
        "datasets/test_copies.py::test_the_columns_of_a_copy_have_the_types_that_the_profile_tells_of",
    ),
    Break(
        "a copy takes no room",
        f"{SRC}/datasets/room.py",
        "team.uploads, Copy.objects.filter(dataset__team=team))",
        "team.uploads)",
        "datasets/test_copies.py::test_why_there_is_no_copy_is_said_and_it_can_be_asked_for_again",
    ),
    Break(
        "a copy is written without a bound",
        f"{SRC}/datasets/rewriter.py",
        "    _keep_to(int(most))\n",
        "",
        "datasets/test_copies.py::test_a_copy_is_made_in_bounded_memory_and_is_no_larger_than_it_may_be",
    ),
    Break(
        "copies stay for ever",
        f"{SRC}/datasets/tasks.py",
        "Copy.objects.filter(asked_at__lt=timezone.now() - COPIES_LAST)",
        "Copy.objects.none()",
        "datasets/test_copies.py::test_a_copy_goes_after_a_day_and_with_its_data_set",
    ),
    Break(
        "an upload asks for parts that nobody can send",
        f"{SRC}/datasets/uploads.py",
        "    if come is None:",
        "    if come is False:",
        "datasets/test_uploads.py::test_an_upload_whose_parts_somebody_has_removed_is_over",
    ),
    Break(
        "any staff upload for any team",
        f"{SRC}/datasets/admin.py",
        "if not self.has_add_permission(request):",
        "if False:",
        "datasets/test_admin.py::test_an_upload_by_staff_has_its_limits",
    ),
    Break(
        "a part that broke off is taken for whole",
        f"{SRC}/datasets/files.py",
        "        if left:\n            raise BrokeOffError\n",
        "",
        "datasets/test_uploads.py::test_a_part_that_breaks_off_has_not_come",
    ),
    Break(
        "an upload is finished while parts are missing",
        f"{SRC}/datasets/uploads.py",
        "        if missing := _missing(upload):",
        "        if missing := []:",
        "datasets/test_uploads.py::test_an_upload_goes_on_where_it_broke_off",
    ),
    Break(
        "who finishes an upload a moment later gets an error",
        f"{SRC}/datasets/files.py",
        "            if not target.exists():\n                raise\n",
        "            raise\n",
        "datasets/test_uploads.py::test_of_two_who_finish_an_upload_at_once_both_get_the_same_data_set",
    ),
    Break(
        "a copy is forgotten before its file",
        f"{SRC}/datasets/tasks.py",
        "        default_storage.delete(copy.stored_name)\n        Copy.objects",
        "        Copy.objects.filter(pk=copy.pk).delete()\n"
        "        default_storage.delete(copy.stored_name)\n        Copy.objects",
        "datasets/test_copies.py::test_a_copy_whose_file_cannot_be_deleted_is_known_until_it_can",
    ),
    Break(
        "everybody goes on with an upload",
        f"{SRC}/datasets/uploads.py",
        "filter(user=current_user(request), **_not_over())",
        "filter(**_not_over())",
        "datasets/test_uploads.py::test_nobody_else_goes_on_with_an_upload",
    ),
    Break(
        "what arrives counts for nothing",
        f"{SRC}/datasets/room.py",
        "(team.datasets, team.uploads, ",
        "(team.datasets, ",
        "datasets/test_uploads.py::test_what_arrives_counts_as_kept",
    ),
    Break(
        "an address of a bucket takes any number of bytes",
        f"{SRC}/datasets/bucket.py",
        ', "ContentLength": length}',
        "}",
        "datasets/test_uploads.py::test_an_address_of_a_bucket_takes_that_part_alone",
    ),
    Break(
        "a worker for short tasks takes long ones",
        f"{SRC}/tasks/management/commands/worker.py",
        'queues=queue or ["*"]',
        'queues=["*"]',
        "processes/test_worker.py::test_a_worker_of_one_queue_leaves_the_others_alone",
    ),
    Break(
        "whoever is in a team removes anybody",
        f"{SRC}/teams/api.py",
        "filter(pk=member_id, user=current_user(request))",
        "filter(pk=member_id)",
        "test_teams.py::test_what_is_for_owners_is_not_for_editors",
    ),
    Break(
        "two owners step down at once",
        f"{SRC}/teams/api.py",
        ".select_for_update()",
        "",
        "test_teams.py::test_of_two_owners_who_leave_at_the_same_moment_one_stays",
        on_postgresql=True,
    ),
    Break(
        "the proxies in front are not counted",
        f"{SRC}/settings.py",
        "ALLAUTH_TRUSTED_PROXY_COUNT = env.trusted_proxies",
        "ALLAUTH_TRUSTED_PROXY_COUNT = 0",
        "test_site.py::test_what_proxies_say_is_believed_as_far_as_there_are_some",
    ),
    Break(
        "X-Forwarded-Proto is always believed",
        f"{SRC}/settings.py",
        " if env.trusted_proxies else None\nX_FRAME",
        "\nX_FRAME",
        "test_site.py::test_what_proxies_say_is_believed_as_far_as_there_are_some",
    ),
    Break(
        "a team is deleted that still has data sets",
        f"{SRC}/teams/api.py",
        "        team_ends.send(Team, team=team)\n",
        "",
        "datasets/test_rest.py::test_a_team_that_owns_data_is_not_deleted",
    ),
    Break(
        "nothing but an upload by a form may be large",
        f"{SRC}/datasets/size_limit.py",
        "return int(settings.PART_BYTES)",
        "return 0",
        "datasets/test_uploads.py::test_an_upload_goes_on_where_it_broke_off",
    ),
    Break(
        "an editor may not delete",
        f"{SRC}/datasets/api.py",
        'with its file; editors may."""\n    dataset = _dataset_for(request, dataset_id, Role.EDITOR)',
        'with its file; editors may."""\n    dataset = _dataset_for(request, dataset_id, Role.OWNER)',
        "datasets/test_datasets.py::test_a_viewer_reads_and_an_editor_changes",
    ),
    Break(
        "any staff may run tasks again",
        f"{SRC}/tasks/admin.py",
        "if not request.user.is_superuser:",
        "if not request.user.is_staff:",
        "test_admin.py::test_staff_who_may_look_at_tasks_may_not_run_them_again",
    ),
    Break(
        "the heartbeat forgets the schedules",
        f"{SRC}/tasks/heartbeat.py",
        "        self._guarded(schedules.enqueue_due)\n",
        "",
        "test_tasks.py::test_what_fails_in_one_job_of_the_heartbeat_keeps_no_other_from_being_done",
    ),
    Break(
        "the use of a key is noted once",
        f"{SRC}/accounts/models.py",
        "if key.last_used_at is None or now - key.last_used_at > USE_IS_RECORDED_EVERY:",
        "if key.last_used_at is None:",
        "test_auth.py::test_the_use_of_a_key_is_noted_again_after_a_minute",
    ),
    Break(
        "a forged cookie has its form read",
        f"{SRC}/accounts/auth.py",
        "if not request.user.is_authenticated:",
        "if False:",
        "test_site.py::test_a_form_of_somebody_with_a_forged_cookie_is_refused_unread",
    ),
    Break(
        "the limiter forgets whom it has blocked",
        f"{SRC}/settings.py",
        '"MAX_ENTRIES": 100_000',
        '"MAX_ENTRIES": 300',
        "test_site.py::test_the_limiter_remembers_whom_it_has_blocked_through_many_other_failures",
    ),
    Break(
        "mails have no page to point to",
        f"{SRC}/urls.py",
        '    path("accounts/", include("allauth.urls")),\n',
        "",
        "test_allauth.py::test_signing_up_does_not_tell_who_has_an_account",
    ),
    Break(
        "a page shows a team to strangers",
        f"{SRC}/teams/pages.py",
        "team = team_for(request, team_id)\n",
        'team = Team.objects.get(pk=team_id)\n    team.role = "viewer"\n',
        "test_pages.py::test_what_belongs_to_another_team_does_not_exist",
    ),
    Break(
        "a page reads a form before it knows who sends it",
        f"{SRC}/datasets/pages.py",
        "return csrf_exempt(page(csrf_protect(view)))",
        "return page(view)",
        "datasets/test_rest.py::test_a_file_of_somebody_with_a_forged_cookie_is_refused_unread",
    ),
    Break(
        "a page keeps polling when all is done",
        f"{SRC}/datasets/templates/datasets/dataset.html",
        "{% if in_progress %} data-live{% endif %}",
        " data-live",
        "datasets/test_pages.py::test_a_file_is_uploaded_by_the_form_and_its_page_shows_what_is_in_it",
    ),
    Break(
        "a key that only reads may write",
        f"{SRC}/accounts/auth.py",
        "if key and key.read_only and",
        "if False and",
        "test_auth.py::test_a_key_that_reads_changes_nothing",
    ),
    Break(
        "threads wait for requests to arrive",
        "gunicorn.conf.py",
        '"backend.core.server.Worker"',
        '"gthread"',
        "processes/test_server.py::test_nobody_waits_for_those_who_send_half_a_request",
    ),
    Break(
        "an address that nobody has verified is invited",
        f"{SRC}/accounts/elsewhere.py",
        " if address.verified]",
        "]",
        "test_sign_in.py::test_who_is_new_needs_an_invitation_or_an_issuer_that_decides",
    ),
    Break(
        "any text says that an address is verified",
        f"{SRC}/accounts/elsewhere.py",
        'str(address.verified).lower() == "true"',
        "bool(address.verified)",
        "test_sign_in.py::test_an_address_that_nobody_has_verified_opens_no_account",
    ),
    Break(
        "the administration asks for no second factor",
        f"{SRC}/urls.py",
        "if settings.OTHER_DOORS else",
        "if False else",
        "test_sign_in.py::test_the_administration_is_no_way_around_it",
    ),
    Break(
        "the client takes what is missing for a text",
        f"{SRC}/datasets/frames.py",
        "return stripped.set(missing, None), missing",
        "return stripped, missing",
        "datasets/test_frames.py::test_the_columns_of_a_csv_file_have_the_kinds_that_the_profile_tells_of",
    ),
    Break(
        "metrics reach for the database that the tests are to leave alone",
        f"{SRC}/metrics/process.py",
        "return pools.get(connection.alias)",
        'return getattr(connection, "pool", None)',
        "test_schema.py::test_the_tests_leave_alone_the_database_that_they_are_told_of",
        on_postgresql=True,
    ),
    Break(
        "a task that kills its workers goes on",
        f"{SRC}/tasks/attempts.py",
        "again = row.exception_class_path == _path(WorkerDiedError)",
        "again = False",
        "test_tasks.py::test_a_task_that_kills_its_worker_twice_in_a_row_is_given_to_no_third",
    ),
)


@pytest.fixture(scope="module")
def environment(with_python: Callable[[str], dict[str, str]]) -> Environment:
    """The environment of the project's commands."""
    return with_python(sys.executable)


@pytest.fixture(scope="module")
def project(render: Callable[..., Path], environment: Environment) -> Path:
    """A fresh project with its packages installed."""
    made = render("python-django")
    processes.sh("uv venv", made, environment)
    processes.sh("uv pip sync --python .venv --require-hashes requirements-dev.txt", made, environment)
    processes.sh("uv pip install --python .venv --no-deps --editable .", made, environment)
    return made


def test_each_break_has_its_place(project: Path) -> None:
    assert_all_have_a_place(BREAKS, project)


@pytest.mark.parametrize("broken", some_by_seed(BREAKS), ids=str)
def test_a_break_turns_its_test_red(
    request: pytest.FixtureRequest, project: Path, environment: Environment, broken: Break
) -> None:
    settings = dict(environment)
    if broken.on_postgresql:
        settings["TEST_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    command = [".venv/bin/python", "-m", "pytest", "-q", "-x", f"tests/{broken.test}"]
    with broken.within(project):
        ran = processes.sh(command, project, settings, check=False)
    # 1: a test has failed; anything else would be a project that does not even begin.
    assert ran.returncode == 1, ran.stdout
    assert "1 failed" in ran.stdout, ran.stdout
