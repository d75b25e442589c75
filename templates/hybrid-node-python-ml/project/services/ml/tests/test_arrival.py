import json
import signal
import socket
import sys
import time

import httpx2
import pytest

from ml.registry import Registry

from .conftest import instances, serving


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long data lay unread")
def test_a_request_that_lay_unread_until_its_caller_gave_up_is_not_worked_on(
    trained: Registry,
) -> None:
    body = json.dumps({"instances": instances(1)}).encode()
    head = f"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n"
    head += "content-type: application/json\r\nx-timeout-ms: 300\r\n\r\n"
    with serving(ML_REGISTRY_DIR=str(trained.root)) as server:
        port = int(server.url.rsplit(":", 1)[1])
        server.process.send_signal(signal.SIGSTOP)
        callers = [socket.create_connection(("127.0.0.1", port), timeout=120) for _ in range(8)]
        for caller in callers:
            caller.sendall(head.encode() + body)
        time.sleep(0.6)
        server.process.send_signal(signal.SIGCONT)
        answers = []
        for caller in callers:
            with caller:
                answers.append(caller.recv(4096).split(b" ", 2)[1])
        metrics = httpx2.get(f"{server.url}/metrics", timeout=60).text
    assert answers == [b"504"] * 8
    assert "ml_batch_rows_count 0.0" in metrics
    assert 'ml_refused_total{reason="deadline_exceeded"} 8.0' in metrics
