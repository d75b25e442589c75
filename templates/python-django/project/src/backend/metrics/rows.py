"""What is in the database, read when somebody asks: it is told as long as one process is there, whichever."""

import time
from collections.abc import Callable, Iterable, Sequence
from threading import Lock, Thread
from typing import NamedTuple

import structlog
from django.db import DatabaseError, InterfaceError, connections

log = structlog.get_logger(__name__)
KEPT_SECONDS = 5.0
# Prometheus waits for ten seconds at most, for this and all the rest.
WAIT_SECONDS = 3.0


# By the values of the labels, in their order.
Values = dict[tuple[str, ...], float]


class Told(NamedTuple):
    """A number, or one for each set of labels."""

    name: str
    meaning: str
    labels: Sequence[str]
    values: Values


Ask = Callable[[], Iterable[Told]]


class Asking(Thread):
    """Asks beside whoever waits: nobody can end a statement of a server that is frozen."""

    def run(self) -> None:
        """Ask, and give the connections back, which belong to the thread."""
        try:
            super().run()
        finally:
            connections.close_all()


class Rows:
    """One answer of the database, for all who want to know within a few seconds."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._lock = Lock()
        self._known: list[Told] = []
        self._until = 0.0
        self._asking: Asking | None = None

    def __call__(self) -> list[Told]:
        """Give what is there; nothing, rather than zero, while the database does not answer."""
        with self._lock:
            if time.monotonic() >= self._until and not (self._asking and self._asking.is_alive()):
                self._known = []
                self._asking = Asking(target=self._read, daemon=True)
                self._asking.start()
            asking = self._asking
        if asking:
            asking.join(WAIT_SECONDS)
        return self._known

    def _read(self) -> None:
        try:
            self._known = list(self._ask())
        except (DatabaseError, InterfaceError) as error:
            log.warning("metrics without the database", error=str(error).strip())
        self._until = time.monotonic() + KEPT_SECONDS
