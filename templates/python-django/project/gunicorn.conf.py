"""The server: a few processes with threads. `uv run gunicorn` reads this file by itself."""

import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from backend.env import load
from backend.metrics import shared

env = load()

wsgi_app = "backend.wsgi:application"
bind = f"{env.host}:{env.port}"
worker_class = "backend.core.server.Worker"
workers = env.web_workers
threads = env.web_threads
# A request in progress may end; then the process leaves, and a load balancer has long looked elsewhere.
graceful_timeout = env.shutdown_seconds
timeout = 60
keepalive = 75
# Fresh processes now and then give back what fragmentation has taken.
max_requests = 20_000
max_requests_jitter = 2_000
# The request log has one line for each request already, with its id.
accesslog = None
loglevel = env.log_level.lower()
control_socket_disable = True
forwarded_allow_ips = "*" if env.trusted_proxies else "127.0.0.1"


# With METRICS_PORT, any process tells Prometheus the numbers of all: backend/metrics/shared.py.


def on_starting(_server: Any) -> None:
    """Open the port that the processes share."""
    if env.metrics_port is not None:
        try:
            shared.begin(env.host, env.metrics_port)
        except ImproperlyConfigured as error:
            sys.exit(str(error))


def pre_fork(server: Any, worker: Any) -> None:
    """Give a process its place among the others."""
    worker.place = shared.free_place(other.place for other in server.WORKERS.values())


def post_fork(_server: Any, worker: Any) -> None:
    """Let it take its place."""
    shared.take(worker.place)


def child_exit(_server: Any, worker: Any) -> None:
    """Forget how busy it was."""
    shared.leave(worker.place)


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    shared.end()
