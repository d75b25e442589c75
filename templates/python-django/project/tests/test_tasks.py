"""Tasks: attempts, waits, dead workers and schedules."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from backend.tasks import attempts, housekeeping
from backend.tasks.backend import RetriedTask
from backend.tasks.cron import Cron
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


@task(max_attempts=1, max_seconds=0.1)
def endless() -> None:
    """Take longer than allowed."""
    time.sleep(60)


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


def test_a_task_of_a_queue_that_another_release_had_fails_and_stops_no_worker(run_tasks: Callable[[], int]) -> None:
    fragile.enqueue(1)
    DBTaskResult.objects.update(queue_name="gone")
    assert run_tasks() == 1
    assert (only().status, only().exception_class_path) == ("FAILED", "django_tasks.exceptions.InvalidTaskError")
    # So it is where its worker has died.
    DBTaskResult.objects.update(status="RUNNING", worker_ids=["dead"])
    assert attempts.recover() == 1
    assert only().status == "FAILED"


def test_a_failure_waits_longer_each_time_and_is_final_at_the_last_attempt(run_tasks: Callable[[], int]) -> None:
    fragile.enqueue(9)
    for wait in (60, 120):
        before = timezone.now()
        run_tasks()
        row = only()
        assert row.status == "READY"
        assert "not yet" in row.traceback
        assert before <= row.run_after - timedelta(seconds=wait) <= timezone.now()
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


def test_a_task_that_kills_its_worker_twice_in_a_row_is_given_to_no_third(run_tasks: Callable[[], int]) -> None:
    fragile.enqueue(9)
    only().claim("victim 1")
    attempts.recover()
    be_patient()
    run_tasks()  # an attempt that fails in another way lets it begin again
    DBTaskResult.objects.update(worker_ids=[], run_after=timezone.now())
    for attempt, status in ((1, "READY"), (2, "FAILED")):
        be_patient()
        only().claim(f"victim {attempt}")
        attempts.recover()
        assert only().status == status
    assert "WorkerDiedAgainError" in only().exception_class_path


def test_a_task_that_takes_too_long_is_interrupted(run_tasks: Callable[[], int]) -> None:
    endless.enqueue()
    assert run_tasks() == 1
    assert (only().status, only().exception_class_path) == ("FAILED", "backend.tasks.attempts.TaskTookTooLongError")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_fails_in_one_job_of_the_heartbeat_keeps_no_other_from_being_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    ended: list[int] = []
    heart = Heartbeat("steady")
    monkeypatch.setattr("backend.tasks.attempts.recover", lambda: 1 / 0)
    monkeypatch.setattr("backend.tasks.schedules.enqueue_due", lambda: done.append("schedules"))
    monkeypatch.setattr("backend.tasks.heartbeat.os.kill", lambda _process, number: ended.append(number))
    for _ in range(5):
        heart.turn()
    assert (len(done), heart.failures, ended) == (5, 5, [])
    assert Worker.objects.filter(pk="steady").exists()
    monkeypatch.setattr(heart, "beat", lambda: 1 / 0)
    for beats in range(1, 5):
        assert not ended, f"ended after {beats - 1} missed beats"
        heart.turn()
    assert ended == [signal.SIGTERM]


def test_a_heartbeat_goes_on_when_a_job_raises_what_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TASK_LEASE = timedelta(seconds=0.04)
    turns = threading.Event()
    heart = Heartbeat("steady")

    def broken() -> None:
        if heart.failures == 3:
            turns.set()
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(heart, "beat", lambda: None)
    monkeypatch.setattr("backend.tasks.attempts.recover", broken)
    monkeypatch.setattr("backend.tasks.schedules.enqueue_due", list)
    heart.start()
    try:
        assert turns.wait(30)
        assert heart.is_alive()
    finally:
        heart.stopping.set()
        heart.join()


def test_a_turn_whose_task_cannot_be_enqueued_stays_due_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = timedelta(hours=1)
    good = Turn("tests.test_tasks.fragile_hourly", hour)
    assert enqueue_due({"gone": Turn("tests.test_tasks.gone", hour), "good": good}) == ["good"]
    assert not Schedule.objects.filter(name="gone").exists()
    with monkeypatch.context() as patched:
        patched.setattr("tests.test_tasks.fragile_hourly", object())
        assert enqueue_due({"late": good}) == []
    assert enqueue_due({"late": good}) == ["late"]


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


@pytest.mark.parametrize(
    ("text", "now", "then"),
    [
        ("* * * * *", "2026-01-01T00:00:30", "2026-01-01T00:01"),
        ("30 3 * * *", "2026-01-01T03:30", "2026-01-02T03:30"),
        ("30 3 * * *", "2026-01-01T05:29+02:00", "2026-01-01T03:30"),
        ("*/20 9-17/4 * * *", "2026-01-01T09:40", "2026-01-01T13:00"),
        ("5,35 * * * *", "2026-12-31T23:40", "2027-01-01T00:05"),
        ("0 0 * * 1-5", "2026-01-02T00:00", "2026-01-05T00:00"),  # from a Friday to a Monday
        ("0 0 * * 7", "2026-01-02T00:00", "2026-01-04T00:00"),
        ("0 0 13 * 5", "2026-01-10T00:00", "2026-01-13T00:00"),
        ("0 0 13 * 5", "2026-01-13T00:00", "2026-01-16T00:00"),
        ("0 0 31 * *", "2026-01-31T00:00", "2026-03-31T00:00"),
        ("0 12 29 2 *", "2096-03-01T00:00", "2104-02-29T12:00"),
    ],
)
def test_a_schedule_like_cron_comes_when_cron_would(text: str, now: str, then: str) -> None:
    moments = [datetime.fromisoformat(each) for each in (now, then)]
    asked, told = (each if each.tzinfo else each.replace(tzinfo=UTC) for each in moments)
    assert Cron(text).after(asked) == told


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* 24 * * *", "5-1 * * * *", "*/0 * * * *", "x * * * *", "0 0 30 2 *"]
)
def test_a_schedule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not of the form|never comes"):
        Cron(text)


def test_a_schedule_like_cron_waits_for_its_time_when_it_is_new() -> None:
    yearly = {"yearly": Turn("tests.test_tasks.fragile_hourly", Cron("0 0 1 1 *"))}
    assert enqueue_due(yearly) == []
    new_year = Schedule.objects.get().due_at
    assert timezone.now() < new_year <= timezone.now() + timedelta(days=366)
    Schedule.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    assert enqueue_due(yearly) == ["yearly"]
    assert enqueue_due(yearly) == []
    assert Schedule.objects.get().due_at == new_year


def test_a_schedule_whose_times_become_others_does_not_wait_for_the_old_turn() -> None:
    task = "tests.test_tasks.fragile_hourly"
    for old, new in ((Cron("0 0 1 1 *"), Cron("* * * * *")), (timedelta(days=300), timedelta(minutes=1))):
        Schedule.objects.all().delete()
        Schedule.claim("changed", old, timezone.now() - timedelta(days=1))
        Schedule.objects.update(due_at=timezone.now() + timedelta(days=200))
        assert enqueue_due({"changed": Turn(task, new)}) == []
        assert Schedule.objects.get().due_at <= timezone.now() + timedelta(minutes=1)


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
