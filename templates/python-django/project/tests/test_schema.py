"""The API against its own description: no answer that it does not announce, and never a server error."""

from collections.abc import Sequence
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.core.result import Ok

from backend.accounts.models import User
from backend.core.problems import _field
from backend.teams.models import Team
from backend.wsgi import application


def served(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Serve within the transaction of the test, whose connection a server would give back; close every answer."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    answer = application(environ, start_response)
    try:
        return [b"".join(answer)]
    finally:
        answer.close()
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


SCHEMA = schemathesis.openapi.from_wsgi("/api/openapi.json", served)
OPERATIONS: dict[str, Any] = {
    found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)
}
# All that there are, but what measures time.
CHECKS = [check for check in checks.CHECKS.get_all() if check.__name__ != "max_response_time"]
# What a schema cannot say: that an expiry lies ahead, that a key which only reads has no scope to write, and that no
# file in a form is empty.
FORMS = [
    label for label, found in OPERATIONS.items() if "multipart/form-data" in found.get_request_payload_content_types()
]
REFUSES_MORE = {label: [checks.positive_data_acceptance] for label in ("POST /api/keys", *FORMS)}


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_that_is_announced(label: str, ada: User, team: Team) -> None:
    ask_everything(label, ada, {"team_id": str(team.pk)}, REFUSES_MORE.get(label, ()))


def ask_everything(label: str, user: User, known: dict[str, str], but: Sequence[Any] = ()) -> None:
    """Ask an operation for all that its description allows and for more, about rows that are there."""
    browser = Client()
    browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    # A session opens every operation, those on keys included.
    headers = {"X-Session-Token": str(browser.session.session_key)}

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=OPERATIONS[label].as_strategy())
    def ask(case: Any) -> None:
        case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
        case.call_and_validate(headers=headers, checks=CHECKS, excluded_checks=but)

    ask()


@pytest.mark.django_db
def test_the_tests_leave_alone_the_database_that_they_are_told_of() -> None:
    # Here, since the application is there before Django makes the database of the tests.
    if connection.vendor == "sqlite":
        assert connection.settings_dict["NAME"].startswith("file:memorydb")
        return
    with connection.cursor() as cursor:
        cursor.execute("select current_database()")
        assert cursor.fetchone()[0].startswith("test_")


@pytest.mark.parametrize(
    ("location", "told"),
    [
        (("body", "data", "teams", 0), "teams.0"),
        (("body", "file"), "file"),
        (("body",), "body"),
        (("query", "price", "above"), "price.above"),
        (("path", "team_id"), "team_id"),
    ],
)
def test_a_field_is_named_as_clients_know_it(location: tuple[Any, ...], told: str) -> None:
    assert _field(location) == told
