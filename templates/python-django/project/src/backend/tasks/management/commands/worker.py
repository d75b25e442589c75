"""`manage.py worker`: runs tasks until it is told to stop."""

import os
import threading
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils.crypto import get_random_string
from django_tasks import task_backends
from django_tasks_db.management.commands.db_worker import Worker as DatabaseWorker
from django_tasks_db.models import DBTaskResult

from backend.core import telemetry
from backend.core.health import migrations_pending
from backend.metrics import port
from backend.tasks import attempts, schedules
from backend.tasks.heartbeat import Heartbeat

log = structlog.get_logger(__name__)
# For a worker that nobody knows of yet to end by itself.
STARTING_SECONDS = 2.0


class Worker(DatabaseWorker):  # type: ignore[misc] # django_tasks_db is not typed
    """django-tasks-db's worker, which claims a task safely, with our way to run one: attempts and recovery."""

    running: bool

    def __init__(self, *, interval: float, once: bool, queues: Sequence[str] = ("*",)) -> None:
        super().__init__(
            queue_names=list(queues),
            excluded_queue_names=[],
            interval=interval,
            batch=once,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=get_random_string(32),
        )

    def shutdown(self, signum: int, frame: FrameType | None) -> None:
        """Stop after the current task; when told again, at once."""
        # The library exits from here when no task runs, which can leave the transaction that claims one half open.
        if not self.running:
            super().shutdown(signum, frame)
        self.running = False

    def run_task(self, db_task_result: DBTaskResult) -> None:
        """Run one claimed task."""
        self.running_task = True
        try:
            attempts.run(db_task_result)
        finally:
            self.running_task = False
            self._run_tasks += 1

    def wait_for_migrations(self) -> None:
        """Wait until the tables are those of this release: a task must not meet half of them."""
        if self.running and migrations_pending():
            log.info("waiting for migrations")
        while self.running and migrations_pending():
            time.sleep(self.interval)

    def run_through_outages(self) -> None:
        """Run, and wait for the database whenever it is gone."""
        while self.running:
            try:
                self.run()
            except (DatabaseError, InterfaceError) as error:
                log.warning("database unavailable", error=str(error).strip())
                connection.close()
                time.sleep(self.interval)
            else:
                return


def leave_in_time(worker: Worker, heartbeat: Heartbeat) -> None:
    """End a process that was told to stop and waits for a database that does not answer.

    When its lease is over, the others give its task to one of them.
    """
    while worker.running:
        time.sleep(0.2)
    time.sleep(STARTING_SECONDS)
    # While its task goes on, it goes on being believed in.
    while time.monotonic() < heartbeat.believed_until:
        time.sleep(0.2)
    log.warning("the worker is not heard of, and leaves without its database", worker=worker.worker_id)
    os._exit(0)  # what waits for the database would keep any other exit waiting, too


class Command(BaseCommand):
    """Run tasks; start as many of these processes as there is work for."""

    help = "Run tasks as they are enqueued. SIGTERM lets the current task end; a second one gives it back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the few options that a service or a test needs."""
        parser.add_argument("--once", action="store_true", help="stop when there is nothing left to do")
        parser.add_argument(
            "--queue",
            action="append",
            choices=sorted(task_backends["default"].queues),
            help="take this queue's tasks only; may be given several times (default: all queues)",
        )
        parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks (default: 1)")
        parser.add_argument("--alive-file", type=Path, help="a file for the probe: python -m backend.tasks.alive FILE")

    def handle(
        self,
        *_args: Any,
        once: bool,
        interval: float,
        alive_file: Path | None,
        queue: list[str] | None,
        **_options: Any,
    ) -> None:
        """Run until SIGTERM, or until nothing is left."""
        telemetry.start()
        port.serve()
        worker = Worker(interval=interval, once=once, queues=queue or ["*"])
        worker.configure_signals()
        if alive_file:
            alive_file.unlink(missing_ok=True)  # of the process before, in a pod that has been started again
        heartbeat = Heartbeat(worker.worker_id, alive_file)
        threading.Thread(target=leave_in_time, args=(worker, heartbeat), daemon=True).start()
        try:
            if not once:
                worker.wait_for_migrations()
            if not worker.running:
                return
            heartbeat.beat()
            attempts.recover()
            if not once:
                schedules.enqueue_due()
        except (DatabaseError, InterfaceError) as error:
            if not worker.running:
                return
            msg = f"The database is not ready: {str(error).strip()}. Can it be reached, and did `migrate` run?"
            raise CommandError(msg) from error
        heartbeat.start()
        log.info("worker started", worker=worker.worker_id, queues=queue or "all")
        try:
            worker.run_through_outages()
        finally:
            close_old_connections()
            heartbeat.stop()
            log.info("worker stopped", worker=worker.worker_id)
