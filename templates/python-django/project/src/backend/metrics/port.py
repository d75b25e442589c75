"""The port for Prometheus: of its own, since the proxy in front of the site must not know it."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import socket

import structlog
from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from backend.metrics import registry, shared
from backend.metrics.process import Process

log = structlog.get_logger(__name__)


class Answer(BaseHTTPRequestHandler):
    """Answers `GET /metrics`."""

    # Whoever sends nothing must not keep the others waiting.
    timeout = 5

    def do_GET(self) -> None:
        """Tell every number."""
        if self.path != "/metrics":
            self.send_error(404)
            return
        text = registry.scrape()
        self.send_response(200)
        self.send_header("Content-Type", registry.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: it comes every few seconds."""


class Server(HTTPServer):
    """One who asks at a time; between them, once a second, it notes how the process is."""

    def __init__(self, listening: socket) -> None:
        super().__init__(("", 0), Answer, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.process = Process()

    def service_actions(self) -> None:
        """Note how the process is."""
        try:
            self.process.note()
        except Exception:  # it would end the thread, and nobody would notice
            log.exception("the process could not be noted")

    def handle_error(self, *_: object) -> None:
        """Log it, which the base class would print."""
        log.error("metrics could not be told", exc_info=sys.exception())


def serve() -> Server | None:
    """Answer beside the work of this process, where METRICS_PORT says so."""
    if settings.METRICS_ADDRESS is None:
        return None
    # `metrics.py` of each app says what it has to tell.
    autodiscover_modules("metrics")
    server = Server(shared.listener or shared.listen(*settings.METRICS_ADDRESS))
    server.process.note()
    threading.Thread(target=server.serve_forever, args=(1.0,), name="metrics", daemon=True).start()
    host, port = server.socket.getsockname()[:2]
    log.info("metrics are offered", url=f"http://{host}:{port}/metrics")
    return server
