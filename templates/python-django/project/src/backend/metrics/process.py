"""How a process is: its CPU, its memory, its connections to the database."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import connection

from backend.metrics.registry import counter, gauge

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

# Linux alone has it.
MEMORY = Path("/proc/self/statm")


class Process:
    """Notes now and then how the process is."""

    def __init__(self) -> None:
        self.counted = 0.0
        self.cpu = counter("process_cpu_seconds_total", "Seconds of CPU that processes took.")
        if MEMORY.exists():
            self.memory = gauge("process_resident_memory_bytes", "Memory that processes have.")

    def note(self) -> None:
        """Note how it is now."""
        spent = time.process_time()
        self.cpu.inc(spent - self.counted)
        self.counted = spent
        if MEMORY.exists():
            self.memory.set(int(MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        if pool := _pool():
            now = pool.get_stats()
            used = gauge("database_connections", "Connections to the database that are in use.")
            used.set(now["pool_size"] - now["pool_available"])
            possible = gauge("database_connections_max", "Connections to the database that there may be.")
            possible.set(now["pool_max"])
            waiting = gauge("database_connections_waiting", "Threads that wait for a connection.")
            waiting.set(now.get("requests_waiting", 0))


def _pool() -> "ConnectionPool[Any] | None":
    """Give PostgreSQL's pool, once somebody has used it. Without one each thread has a connection, and none waits."""
    # Not `connection.pool`, which makes one: in the tests, to the database that they are to leave alone.
    pools: dict[str, ConnectionPool[Any]] = getattr(connection, "_connection_pools", {})
    return pools.get(connection.alias)
