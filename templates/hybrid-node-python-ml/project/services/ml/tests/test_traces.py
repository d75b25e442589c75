import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx2
import pytest

from ml.registry import Registry

from .conftest import instances, serving

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(BaseHTTPRequestHandler):
    received = b""

    def do_POST(self) -> None:
        Collector.received += self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_spans_continue_the_callers_trace(trained: Registry, collector: str) -> None:
    environment = {
        "ML_REGISTRY_DIR": str(trained.root),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    with serving(**environment) as server:
        answer = httpx2.post(
            f"{server.url}/v1/predict",
            json={"instances": instances(1)},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
            timeout=60,
        )
        assert answer.status_code == 200
        code, log = server.stop(signal.SIGTERM)
    assert code == 0, log
    assert bytes.fromhex(TRACE) in Collector.received
    assert bytes.fromhex(PARENT) in Collector.received
    assert b"/v1/predict" in Collector.received
