"""What is in the database, read when somebody asks: it is told as long as one process is there, whichever."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import structlog
from django.db import DatabaseError, InterfaceError

log = structlog.get_logger(__name__)
KEPT_SECONDS = 5.0


# By the values of the labels, in their order.
Values = dict[tuple[str, ...], float]


class Told(NamedTuple):
    """A number, or one for each set of labels."""

    name: str
    meaning: str
    labels: Sequence[str]
    values: Values


Ask = Callable[[], Iterable[Told]]


class Rows:
    """One answer of the database, for all who want to know within a few seconds."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._known: list[Told] = []
        self._until = 0.0

    def __call__(self) -> list[Told]:
        """Give what is there; nothing, rather than zero, while the database does not answer."""
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._known = list(self._ask())
                except (DatabaseError, InterfaceError) as error:
                    log.warning("metrics without the database", error=str(error).strip())
                    self._known = []
                self._until = time.monotonic() + KEPT_SECONDS
            return self._known
