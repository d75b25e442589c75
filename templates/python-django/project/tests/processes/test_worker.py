"""Workers as they are in production: started, stopped, and killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django_tasks_db.models import DBTaskResult

from backend.env import PROJECT
from backend.tasks.models import Worker
from tests.processes import work
from tests.processes.conftest import ALIAS, SERVER, Deployment, Process, wait_for
from tests.processes.wire import Wire


def state(row: DBTaskResult) -> tuple[str, int, object]:
    row.refresh_from_db()
    return (row.status, len(row.worker_ids), row.return_value)


def started(worker: Process) -> str:
    """Wait until a worker runs, and give its id."""
    wait_for(lambda: "worker started" in worker.log.read_text())
    line = next(line for line in worker.log.read_text().splitlines() if "worker started" in line)
    return str(json.loads(line)["worker"])


def test_the_task_of_a_worker_killed_with_sigkill_is_finished_by_another(
    deployment: Deployment, tmp_path: Path
) -> None:
    row = deployment.enqueue(work.slow_at_first, str(tmp_path))
    # Short enough to wait for, and only here: on a busy machine, a living worker may miss it.
    lease = {"TASK_LEASE_SECONDS": "3"}
    with deployment.worker(**lease) as victim:
        wait_for((tmp_path / "attempt-1").exists)
        with deployment.worker(**lease) as heir:
            started(heir)
            victim.popen.send_signal(signal.SIGKILL)
            assert victim.popen.wait(120) == -signal.SIGKILL
            wait_for((tmp_path / "attempt-2").exists)
            wait_for(lambda: state(row) == ("SUCCESSFUL", 2, "attempt 2"))
            assert heir.stop() == 0
            assert "worker died" in heir.log.read_text()


def test_a_worker_told_to_stop_ends_its_task_first_and_leaves_no_trace(deployment: Deployment, tmp_path: Path) -> None:
    row = deployment.enqueue(work.until, str(tmp_path / "end"))
    with deployment.worker() as worker:
        ident = started(worker)
        wait_for(lambda: state(row)[0] == "RUNNING")
        worker.popen.send_signal(signal.SIGTERM)
        (tmp_path / "end").touch()
        assert worker.popen.wait(120) == 0
    assert state(row) == ("SUCCESSFUL", 1, "done")
    assert not Worker.objects.using(ALIAS).filter(pk=ident).exists()


@pytest.mark.skipif(not SERVER, reason="a file always answers")
@pytest.mark.parametrize("moment", ["starting", "idle", "in a task"])
def test_a_worker_told_to_stop_leaves_a_database_that_does_not_answer(
    deployment: Deployment, tmp_path: Path, moment: str
) -> None:
    with Wire(deployment.environment["DATABASE_URL"]) as wire:
        wire.stuck_at = b"django_migrations" if moment == "starting" else None
        with deployment.worker(DATABASE_URL=wire.url, TASK_LEASE_SECONDS="2") as worker:
            if moment == "in a task":
                row = deployment.enqueue(work.until, str(tmp_path / "end"))
                wait_for(lambda: state(row)[0] == "RUNNING")
            if moment != "starting":
                started(worker)
                wire.stuck.set()
            wait_for(wire.stuck.is_set)
            worker.popen.send_signal(signal.SIGTERM)
            (tmp_path / "end").touch()
            assert worker.popen.wait(120) == 0
            assert "leaves without its database" in worker.log.read_text()
    DBTaskResult.objects.using(ALIAS).filter(status="RUNNING").delete()


def test_two_workers_share_the_tasks_and_stop_at_once_when_nothing_is_left(deployment: Deployment) -> None:
    rows = [deployment.enqueue(work.quick) for _ in range(20)]
    with deployment.worker() as one, deployment.worker() as other:
        started(one)
        started(other)
        wait_for(lambda: all(state(row)[0] == "SUCCESSFUL" for row in rows))
        assert one.stop() == other.stop() == 0
    assert [state(row)[1] for row in rows] == [1] * len(rows)


def test_a_worker_of_one_queue_leaves_the_others_alone(deployment: Deployment, tmp_path: Path) -> None:
    end = tmp_path / "end"
    long = [deployment.enqueue(work.long_until, str(end)) for _ in range(2)]
    short = deployment.enqueue(work.quick)
    with deployment.worker() as of_all, deployment.worker("--queue", "default") as of_short:
        # The one is busy with the first that came; the other passes the second one by.
        wait_for(lambda: state(long[0])[0] == "RUNNING")
        wait_for(lambda: state(short)[0] == "SUCCESSFUL")
        assert state(long[1]) == ("READY", 0, None)
        end.touch()
        wait_for(lambda: all(state(row)[0] == "SUCCESSFUL" for row in long))
        assert of_all.stop() == of_short.stop() == 0


def test_a_queue_that_there_is_not_is_refused_at_the_start(deployment: Deployment) -> None:
    with deployment.worker("--queue", "lnog") as worker:
        assert worker.popen.wait(120) == 2
        assert "invalid choice: 'lnog' (choose from" in worker.log.read_text()


def test_a_worker_waits_for_migrations_and_its_probe_waits_for_the_worker(deployment: Deployment) -> None:
    def probe() -> int:
        command = [sys.executable, "-m", "backend.tasks.alive", str(file)]
        return subprocess.run(command, cwd=PROJECT, check=False).returncode

    file = deployment.folder / "alive"
    applied = MigrationRecorder(connections[ALIAS])
    last = max(name for app, name in applied.applied_migrations() if app == "tasks")
    row = deployment.enqueue(work.quick)
    applied.record_unapplied("tasks", last)
    try:
        with deployment.process("manage.py", "worker", "--interval", "0.1", "--alive-file", str(file)) as worker:
            wait_for(lambda: "waiting for migrations" in worker.log.read_text())
            assert (state(row)[0], probe()) == ("READY", 1)
            applied.record_applied("tasks", last)
            started(worker)
            wait_for(lambda: probe() == 0)
            wait_for(lambda: state(row)[0] == "SUCCESSFUL")
            assert worker.stop() == 0
    finally:
        if ("tasks", last) not in applied.applied_migrations():
            applied.record_applied("tasks", last)
    os.utime(file, (0, 0))
    assert probe() == 1
