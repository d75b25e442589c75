"""A worker's second thread: it says that the process lives, and looks after the tasks of those that do not."""

import socket
import threading

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from backend.tasks import attempts, schedules
from backend.tasks.models import Worker

log = structlog.get_logger(__name__)


class Heartbeat(threading.Thread):
    """Beats four times in a lease, so that three beats may be lost before a living worker is taken for dead."""

    def __init__(self, worker_id: str) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.worker_id = worker_id
        self.stopping = threading.Event()

    def run(self) -> None:
        """Beat until stopped."""
        interval = settings.TASK_LEASE.total_seconds() / 4
        while not self.stopping.wait(interval):
            try:
                self.beat()
                attempts.recover()
                schedules.enqueue_due()
            except (DatabaseError, InterfaceError) as error:
                log.warning("heartbeat missed", error=str(error).strip())
                connection.close()
        connection.close()

    def beat(self) -> None:
        """Write that the worker lives."""
        now = timezone.now()
        Worker.objects.update_or_create(
            pk=self.worker_id,
            defaults={"last_seen": now},
            create_defaults={"last_seen": now, "host": socket.gethostname()},
        )

    def stop(self) -> None:
        """End the thread and remove the worker's row, which grows old by itself where the database is gone."""
        self.stopping.set()
        if self.is_alive():
            self.join(timeout=10)
        try:
            Worker.objects.filter(pk=self.worker_id).delete()
        except (DatabaseError, InterfaceError) as error:
            log.warning("worker's row left behind", error=str(error).strip())
