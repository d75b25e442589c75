"""Metrics: what Prometheus is told, and that dashboard and alerts ask for nothing else."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from backend.env import PROJECT
from backend.metrics import port, registry, rows, shared
from backend.teams.models import Team
from tests.conftest import Api

MONITORING = PROJECT / "monitoring"
# Of PostgreSQL's pool; SQLite's threads have a connection each.
POOLED = {"database_connections", "database_connections_max", "database_connections_waiting"}
ASKING = rows.Asking
KIND = 'kind="tests.test_metrics.sometimes"'
pytestmark = pytest.mark.usefixtures("offered", "ask_here")
urlpatterns = [path("long/", lambda _request: StreamingHttpResponse([b"one", b"two"]))]


@task(max_attempts=2, backoff_seconds=0)
def sometimes(outcome: str) -> str:
    """End as it is told."""
    if outcome == "failed":
        raise RuntimeError(outcome)
    return outcome


def samples() -> dict[str, float]:
    """Every sample, by its name and labels as they are written."""
    lines = [line.rpartition(" ") for line in registry.scrape().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def routes() -> set[tuple[str, ...]]:
    counted = r'^http_request_duration_seconds_count{method="(.*)",route="(.*)",status="(.*)"}'
    return set(re.findall(counted, "\n".join(samples()), re.MULTILINE))


@pytest.mark.django_db
def test_requests_are_counted_by_route_whatever_addresses_callers_make_up(api: Api, team: Team) -> None:
    for made_up in ("a", "b", "c"):
        Client().get(f"/no/such/{made_up}?x={made_up}")
        Client().generic(made_up.upper() * 9, "/livez")
    api("GET", f"/teams/{team.pk}")
    Client().get("/readyz")
    seen = routes()
    assert ("GET", "none", "404") in seen
    assert ("other", "/livez", "200") in seen
    assert ("GET", "/readyz", "200") in seen
    assert ("GET", "/api/teams/<uuidstr:team_id>", "200") in seen
    told = registry.scrape().decode()
    assert "such" not in told
    assert "AAAA" not in told
    assert str(team.pk) not in told


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_a_request_is_under_way_until_its_last_byte_is_sent() -> None:
    assert Client().get("/livez").status_code == 200
    assert samples()["http_requests_in_flight"] == 0
    file: Any = Client().get("/long/")
    assert samples()["http_requests_in_flight"] == 1
    b"".join(file.streaming_content)
    now = samples()
    assert (now["http_requests_in_flight"], now["http_requests_max"]) == (0, 8)


@pytest.mark.django_db
def test_tasks_are_told_by_kind_and_state_and_since_when_they_wait(run_tasks: Callable[[], int]) -> None:
    before = samples()
    assert before[f'jobs_total{{{KIND},outcome="given_up"}}'] == 0
    for outcome in ("done", "failed", "waits", "later"):
        sometimes.enqueue(outcome)
    waits, later = DBTaskResult.objects.filter(args_kwargs__args__0__in=["waits", "later"]).order_by("enqueued_at")
    DBTaskResult.objects.filter(pk=later.pk).update(run_after=timezone.now() + timedelta(hours=1))
    DBTaskResult.objects.filter(pk=waits.pk).update(enqueued_at=timezone.now() - timedelta(minutes=10))
    now = samples()
    states = {state: now[f'queue_jobs{{{KIND},state="{state}"}}'] for state in ("waiting", "later", "active")}
    assert states == {"waiting": 3, "later": 1, "active": 0}
    assert 600 <= now[f"queue_oldest_waiting_seconds{{{KIND}}}"] < 660
    while run_tasks():
        pass
    now = samples()
    outcomes = {each: now[f'jobs_total{{{KIND},outcome="{each}"}}'] for each in ("done", "failed", "given_up")}
    assert outcomes == {"done": 2, "failed": 1, "given_up": 1}
    assert now[f"job_duration_seconds_count{{{KIND}}}"] == 4
    assert now[f"queue_dead_letters{{{KIND}}}"] == 1
    assert now[f"queue_oldest_waiting_seconds{{{KIND}}}"] == 0


@pytest.mark.django_db
def test_what_the_database_knows_is_left_out_while_it_is_away() -> None:
    def gone(*_call: object) -> object:
        raise OperationalError("gone")

    with connection.execute_wrapper(gone):
        away = {name.partition("{")[0] for name in samples()}
    assert {name for name in away if name.startswith("queue_")} == set()
    assert "process_cpu_seconds_total" in away


@pytest.mark.django_db
def test_the_database_is_asked_once_for_all_who_want_to_know_within_seconds() -> None:
    asked: list[int] = []

    def ask() -> list[rows.Told]:
        asked.append(1)
        return []

    once = rows.Rows(ask)
    with patch.object(rows, "KEPT_SECONDS", 60):
        once()
        once()
    assert asked == [1]


def test_what_does_not_come_in_time_is_left_out_and_not_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "Asking", ASKING)
    monkeypatch.setattr(rows, "KEPT_SECONDS", 60)  # it may be there before it is asked for again
    monkeypatch.setattr(rows, "WAIT_SECONDS", 0.05)
    thawed, asked = Event(), []

    def ask() -> list[rows.Told]:
        asked.append(1)
        thawed.wait(60)
        return [rows.Told("some", "Some.", (), {(): 1.0})]

    frozen = rows.Rows(ask)
    assert frozen() == frozen() == []
    monkeypatch.setattr(rows, "WAIT_SECONDS", 60)
    thawed.set()
    assert [told.name for told in frozen()] == ["some"]
    assert asked == [1]


@pytest.mark.django_db
def test_each_metric_says_what_it_is() -> None:
    Client().get("/livez")
    told = registry.scrape().decode()
    names = set(re.findall(r"^([a-z]\w+?)(?:_bucket|_sum|_count)?[ {]", told, re.MULTILINE))
    described = set(re.findall(r"^# HELP (\w+) \S.*\n# TYPE \1 (?:counter|gauge|histogram)$", told, re.MULTILINE))
    assert names - described == set()
    assert len(names) > 10
    assert "_created" not in told


@pytest.mark.django_db
def test_dashboard_and_alerts_ask_for_what_there_is(offered: port.Server, run_tasks: Callable[[], int]) -> None:
    Client().get("/livez")
    sometimes.enqueue("done")
    run_tasks()
    offered.process.note()
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    alerts = (MONITORING / "alerts.yaml").read_text()
    rules = re.findall(r"^ +expr: (?:>-\n)?(.*?)\n +(?:for|labels):", alerts, re.MULTILINE | re.DOTALL)
    assert len(rules) >= 5
    # What is between quotes is a label's value; a name before a parenthesis is a function.
    names = {
        name
        for each in [*asked, *rules]
        for name in re.findall(r"\b[a-z]+_[a-z\d_]+\b(?! ?\()", re.sub(r'"[^"]*"', "", each))
    }
    endings = {"histogram": ("_bucket", "_sum", "_count")}
    there = {
        name + ending
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", registry.scrape().decode(), re.MULTILINE)
        for ending in endings.get(kind, ("",))
    }
    assert len(names) >= 10
    assert names - there <= (POOLED if connection.vendor == "sqlite" else set())


def test_the_port_answers_for_metrics_alone_and_a_taken_one_is_named(
    offered: port.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its thread sees nothing of the database that the tests have.
    monkeypatch.setattr(registry, "_read", list)
    host, number = offered.socket.getsockname()[:2]
    with urllib.request.urlopen(f"http://{host}:{number}/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert b"process_cpu_seconds_total" in answer.read()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{host}:{number}/livez", timeout=60)
    refused.value.close()
    assert refused.value.code == 404
    with pytest.raises(Exception, match=r"METRICS_PORT: .*in use"):
        shared.listen(host, number)


def test_a_process_takes_the_first_place_that_is_free() -> None:
    assert [shared.free_place(taken) for taken in ([], [0], [0, 2], [1, 2], [0, 1, 2])] == [0, 1, 1, 0, 3]


def test_without_a_port_and_an_endpoint_nothing_is_counted_and_no_library_loaded() -> None:
    code = (
        "import django, sys; django.setup(); from django.test import Client; from backend.tasks import metrics;"
        "from backend.metrics import port; assert port.serve() is None; metrics.ended('a.b', 'done');"
        "print(Client().get('/livez').status_code, [name for name in ('prometheus_client', 'opentelemetry')"
        " if name in sys.modules])"
    )
    off = {"METRICS_PORT": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "", "DJANGO_SETTINGS_MODULE": "backend.settings"}
    asked = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=os.environ | off,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert asked.stdout.strip() == "200 []", asked.stderr
