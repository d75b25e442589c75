"""A worker's second thread: it says that the process lives, and looks after the tasks of those that do not."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from backend.tasks import alive, attempts, schedules
from backend.tasks.models import Worker

log = structlog.get_logger(__name__)
BEATS = 4


class Heartbeat(threading.Thread):
    """Beats four times in a lease, so that three beats may be lost before a living worker is taken for dead."""

    def __init__(self, worker_id: str, alive_file: Path | None = None) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.worker_id = worker_id
        self.alive_file = alive_file
        self.stopping = threading.Event()
        self.failures = 0
        self.missed = 0
        # Until others take it for dead, on the clock of `time.monotonic`; before its first beat, nobody knows of it.
        self.believed_until = 0.0

    def run(self) -> None:
        """Beat until stopped."""
        interval = settings.TASK_LEASE.total_seconds() / BEATS
        self._live_on()
        while not self.stopping.wait(interval):
            self._live_on()
            self.turn()
        connection.close()

    def _live_on(self) -> None:
        """Tell the container's probe, which is not to depend on the database: it would kill what waits for it."""
        if self.alive_file:
            alive.until(self.alive_file, settings.TASK_LEASE)

    def turn(self) -> None:
        """Do what is due, each thing for itself: what fails here must not keep the rest from being done."""
        if self._guarded(self.beat):
            self.missed = 0
        self._guarded(attempts.recover)
        self._guarded(schedules.enqueue_due)
        if self.missed == BEATS:
            # The others take this worker for dead by now. One that is wrong about itself is of no use: start afresh.
            log.error("the worker cannot say that it lives, and ends", failures=self.failures)
            os.kill(os.getpid(), signal.SIGTERM)

    def _guarded(self, job: Callable[[], object]) -> bool:
        try:
            job()
        except (DatabaseError, InterfaceError) as error:
            # The database may come back, and the worker waits for it, too.
            log.warning("heartbeat missed", error=str(error).strip())
            connection.close()
        except Exception:  # a thread that ends by one is missed by nobody
            self.failures += 1
            self.missed += job == self.beat
            log.exception("heartbeat failed", failures=self.failures)
        else:
            return True
        return False

    def beat(self) -> None:
        """Write that the worker lives."""
        now, until = timezone.now(), time.monotonic() + settings.TASK_LEASE.total_seconds()
        Worker.objects.update_or_create(
            pk=self.worker_id,
            defaults={"last_seen": now},
            create_defaults={"last_seen": now, "host": socket.gethostname()},
        )
        self.believed_until = until

    def stop(self) -> None:
        """End the thread and remove the worker's row, which grows old by itself where the database is gone."""
        self.stopping.set()
        if self.is_alive():
            self.join(timeout=10)
        try:
            Worker.objects.filter(pk=self.worker_id).delete()
        except (DatabaseError, InterfaceError) as error:
            log.warning("worker's row left behind", error=str(error).strip())
