"""What operators see of real processes: one sum for all of a server, and a trace that leads into the worker."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from backend.env import PROJECT
from tests.processes.conftest import SERVER, Deployment, Process, free_port, wait_for

# A person with a key and a team, as the deployment's own code makes them.
PERSON = """
from backend.accounts.models import ApiKey, User
from backend.teams.models import Team
user = User.objects.create_user("watched@example.com", "correct-horse-battery")
print(ApiKey.issue(user, "tests")[1], Team.start("Watched", user).pk)
"""
INVITE = "POST api/teams/<uuidstr:team_id>/invitations"


class Watched(NamedTuple):
    """A server with two processes, a worker, and what they have sent."""

    server: Process
    worker: Process
    metrics: dict[str, str]
    spans: list[Span]
    key: str
    team: str

    def scrape(self, whose: str = "server") -> dict[str, float]:
        """Every sample, by its name and labels as they are written."""
        with urllib.request.urlopen(self.metrics[whose], timeout=60) as answer:
            lines = [line.rpartition(" ") for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    def invite(self) -> None:
        """Invite somebody, whom a worker then sends a mail."""
        body = json.dumps({"email": f"{uuid.uuid4().hex}@fruit.example"}).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.server.url}/api/teams/{self.team}/invitations", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 201


@pytest.fixture(scope="module")
def watched(deployment: Deployment) -> Iterator[Watched]:
    """Both, from the start of the first test to the end of the last."""
    made = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", PERSON],
        cwd=PROJECT,
        env=deployment.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    key, team = made.stdout.split()
    ports = {"server": free_port(), "worker": free_port()}
    metrics = {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}
    with _collector() as (spans, endpoint):
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with (
            deployment.server(WEB_WORKERS="2", METRICS_PORT=str(ports["server"]), **traced) as server,
            deployment.worker(METRICS_PORT=str(ports["worker"]), OTEL_SERVICE_NAME="worker", **traced) as worker,
        ):
            wait_for(lambda: server.log.read_text().count("metrics are offered") == 2)
            wait_for(lambda: "worker started" in worker.log.read_text())
            yield Watched(server, worker, metrics, spans, key, team)
            assert worker.stop() == server.stop() == 0


@contextmanager
def _collector() -> Iterator[tuple[list[Span], str]]:
    received: list[Span] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            for resource in ExportTraceServiceRequest.FromString(sent).resource_spans:
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    # Who has waited too long for an answer sends the same once more.
                    if span.span_id not in {known.span_id for known in received}:
                        received.append(span)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield received, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_task_links_to_the_request_that_enqueued_it_and_log_lines_name_the_trace(watched: Watched) -> None:
    def named(name: str) -> list[Span]:
        return [span for span in watched.spans if span.name == name]

    watched.invite()
    # Those without a link do what tests before this one have enqueued.
    wait_for(lambda: any(work.links for work in named("teams.send_invitation")) and named(INVITE))
    (work,) = (work for work in named("teams.send_invitation") if work.links)
    (request,) = named(INVITE)
    assert [link.trace_id for link in work.links] == [request.trace_id]
    assert work.trace_id != request.trace_id
    assert not work.parent_span_id
    if SERVER:
        statements = [span for span in watched.spans if span.trace_id == request.trace_id and span.name == "INSERT"]
        assert statements
        assert "fruit" not in str(statements)
    lines = [json.loads(line) for line in watched.server.log.read_text().splitlines() if '"event": "request"' in line]
    (logged,) = [line for line in lines if line["path"].endswith("/invitations")]
    assert logged["trace_id"] == request.trace_id.hex()


def test_any_process_of_a_server_tells_the_sum_of_all_and_a_killed_one_is_followed_by_one_that_goes_on(
    watched: Watched,
) -> None:
    count = 'http_request_duration_seconds_count{method="GET",route="/api/me",status="401"}'
    for _ in range(20):
        assert watched.server.status("/api/me") == 401
    assert watched.server.status("/static/core/admin.css") == 200
    # Who has an answer has it a moment before its request ends.
    wait_for(lambda: watched.scrape()["http_requests_in_flight"] == 0)
    assert {watched.scrape()[count] for _ in range(10)} == {20}
    before = watched.scrape()
    assert before['http_request_duration_seconds_count{method="GET",route="/static/",status="200"}'] == 1
    assert before["http_requests_max"] == 16
    assert ("database_connections_max" in before) == bool(SERVER)
    address = urlsplit(watched.server.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as held:
        held.sendall(
            b"POST /_allauth/app/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert held.recv(64).startswith(b"HTTP/1.1 100")
        # The server says "100" a moment before the request begins.
        wait_for(lambda: watched.scrape()["http_requests_in_flight"] == 1)
        for pid in re.findall(r"Booting worker with pid: (\d+)", watched.server.log.read_text()):
            os.kill(int(pid), signal.SIGKILL)
        wait_for(lambda: watched.server.log.read_text().count("metrics are offered") == 4)
    wait_for(lambda: watched.server.status("/livez") == 200)
    wait_for(lambda: watched.scrape()["http_requests_in_flight"] == 0)
    after = watched.scrape()
    assert after[count] == 20
    assert after["http_requests_max"] == 16
    assert after["process_cpu_seconds_total"] > before["process_cpu_seconds_total"]


def test_a_worker_tells_of_tasks_and_not_of_requests(watched: Watched) -> None:
    done = 'jobs_total{kind="teams.send_invitation",outcome="done"}'
    # Whom another test has invited may be counted later, and what the database says is told some seconds later.
    before = watched.scrape("worker").get(done, 0)
    watched.invite()
    wait_for(lambda: watched.scrape("worker").get(done, 0) > before)
    wait_for(lambda: 'queue_jobs{kind="teams.send_invitation",state="waiting"}' in watched.scrape("worker"))
    now = watched.scrape("worker")
    assert now["process_resident_memory_bytes"] > 1_000_000
    assert [name for name in now if name.startswith("http_")] == []


def test_a_server_says_which_port_is_taken(deployment: Deployment, watched: Watched) -> None:
    port = str(urlsplit(watched.metrics["server"]).port)
    with deployment.process("-m", "gunicorn", PORT=str(free_port()), METRICS_PORT=port) as server:
        assert server.popen.wait(120) == 1
        assert re.search(r"^METRICS_PORT: .*in use", server.log.read_text(), re.MULTILINE)
