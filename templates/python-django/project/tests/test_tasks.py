"""Tasks: attempts, waits, dead workers and schedules."""

import logging
import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from backend.tasks import attempts, housekeeping
from backend.tasks.backend import RetriedTask
from backend.tasks.heartbeat import Heartbeat
from backend.tasks.management.commands.worker import Worker as RunningWorker
from backend.tasks.models import Schedule, Worker
from backend.tasks.schedules import SCHEDULES, Turn, enqueue_due

pytestmark = pytest.mark.django_db


@task(max_attempts=3, backoff_seconds=60)
def fragile(succeed_at: int, *, calls: list[int] | None = None) -> str:
    """Fail until it has been tried often enough."""
    row = DBTaskResult.objects.get(status="RUNNING")
    if len(row.worker_ids) < succeed_at:
        raise RuntimeError("not yet")
    return "done"


@task()
def not_json() -> object:
    """Give what cannot be stored."""
    return object()


@task()
def killed() -> None:
    """Be told to stop for the second time."""
    raise SystemExit(1)


def only() -> DBTaskResult:
    return DBTaskResult.objects.get()


def be_patient() -> None:
    DBTaskResult.objects.update(run_after=timezone.now())


def test_a_success_keeps_what_the_task_gave(run_tasks: Callable[[], int]) -> None:
    fragile.enqueue(1)
    assert run_tasks() == 1
    assert (only().status, only().return_value) == ("SUCCESSFUL", "done")


def test_a_failure_waits_longer_each_time_and_is_final_at_the_last_attempt(run_tasks: Callable[[], int]) -> None:
    fragile.enqueue(9)
    for wait in (60, 120):
        run_tasks()
        row = only()
        assert row.status == "READY"
        assert "not yet" in row.traceback
        assert timedelta(seconds=wait - 5) < row.run_after - timezone.now() < timedelta(seconds=wait + 5)
        assert run_tasks() == 0
        be_patient()
    run_tasks()
    assert (only().status, len(only().worker_ids)) == ("FAILED", 3)
    be_patient()
    assert run_tasks() == 0


def test_a_task_that_succeeds_at_its_second_attempt_is_a_success(run_tasks: Callable[[], int]) -> None:
    fragile.enqueue(2)
    run_tasks()
    be_patient()
    run_tasks()
    assert (only().status, only().traceback) == ("SUCCESSFUL", "")


def test_a_wait_never_exceeds_an_hour() -> None:
    assert isinstance(fragile, RetriedTask)
    assert [fragile.wait_after(n).seconds for n in (1, 2, 3, 10, 60)] == [60, 120, 240, 3600, 3600]


def test_a_result_that_cannot_be_stored_is_a_failure(run_tasks: Callable[[], int]) -> None:
    not_json.enqueue()
    for _ in range(3):
        run_tasks()
        be_patient()
    assert only().status == "FAILED"
    assert "TypeError" in only().exception_class_path


def test_a_task_whose_worker_must_stop_waits_for_another(run_tasks: Callable[[], int]) -> None:
    killed.enqueue()
    with pytest.raises(SystemExit):
        run_tasks()
    assert only().status == "READY"


def test_a_task_that_a_release_has_removed_fails_once(run_tasks: Callable[[], int]) -> None:
    fragile.enqueue(1)
    DBTaskResult.objects.update(task_path="backend.gone.task")
    run_tasks()
    assert only().status == "FAILED"


def test_the_tasks_of_a_dead_worker_go_to_others(
    run_tasks: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    long_ago = timezone.now() - timedelta(minutes=10)
    Worker(id="dead", host="a", last_seen=long_ago).save()
    Worker(id="alive", host="b", last_seen=timezone.now()).save()
    for worker in ("dead", "alive", "unknown"):
        fragile.enqueue(1)
        DBTaskResult.objects.get(status="READY", worker_ids=[]).claim(worker)
        DBTaskResult.objects.filter(status="READY").update(worker_ids=["x"])
    caplog.set_level(logging.WARNING)
    assert attempts.recover() == 2
    assert DBTaskResult.objects.get(status="RUNNING").worker_ids == ["alive"]
    assert DBTaskResult.objects.filter(status="READY").count() == 2
    assert "worker died" in caplog.text


def test_a_task_that_kills_every_worker_fails_in_the_end() -> None:
    fragile.enqueue(1)
    for attempt in range(3):
        be_patient()
        only().claim(f"victim {attempt}")
        attempts.recover()
    assert only().status == "FAILED"
    assert "WorkerDiedError" in only().exception_class_path


def test_a_worker_that_comes_back_from_the_dead_changes_nothing() -> None:
    fragile.enqueue(1)
    late = only()
    late.claim("slow")
    attempts.recover()
    be_patient()
    only().claim("fast")
    late.worker_ids = ["slow"]
    attempts.succeeded(late, "too late")
    assert (only().status, only().worker_ids) == ("RUNNING", ["slow", "fast"])


def test_each_turn_of_a_schedule_is_taken_once() -> None:
    schedules = {"hourly": Turn("tests.test_tasks.fragile_hourly", timedelta(hours=1))}
    assert enqueue_due(schedules) == ["hourly"]
    assert enqueue_due(schedules) == []
    assert DBTaskResult.objects.count() == 1
    Schedule.objects.update(due_at=timezone.now() - timedelta(days=3))
    # After a long outage, one turn makes up for all that were missed.
    assert enqueue_due(schedules) == ["hourly"]
    assert enqueue_due(schedules) == []


def test_of_two_workers_that_see_the_same_turn_one_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    Schedule.objects.create(name="s", due_at=now)
    stale = Schedule.objects.get(name="s")
    assert Schedule.claim("s", timedelta(hours=1), now)
    monkeypatch.setattr(Schedule.objects, "get_or_create", lambda **_: (stale, False))
    assert not Schedule.claim("s", timedelta(hours=1), now)


def test_every_scheduled_task_exists_and_runs(run_tasks: Callable[[], int]) -> None:
    enqueue_due()
    assert run_tasks() == len(SCHEDULES)
    assert set(DBTaskResult.objects.values_list("status", flat=True)) == {"SUCCESSFUL"}


def test_old_results_are_forgotten_and_young_ones_kept(run_tasks: Callable[[], int]) -> None:
    fragile.enqueue(1)
    run_tasks()
    assert housekeeping.forget_results.call() == 0
    DBTaskResult.objects.update(finished_at=timezone.now() - timedelta(days=31))
    assert housekeeping.forget_results.call() == 1


@task()
def fragile_hourly() -> None:
    """Have a turn."""


def test_a_worker_told_to_stop_ends_what_it_is_at_and_ends_at_once_when_told_again() -> None:
    worker = RunningWorker(interval=0, once=True)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)}
    worker.configure_signals()
    try:
        signal.raise_signal(signal.SIGTERM)  # returns: it may come in the middle of claiming a task
        assert not worker.running
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_worker_stops_in_order_while_the_database_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    def gone(*_call: object) -> object:
        raise OperationalError("gone")

    with connection.execute_wrapper(gone):
        Heartbeat("left").stop()
    assert "row left behind" in caplog.text
