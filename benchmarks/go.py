"""Measures the generated Go service beside bare net/http, in one run: `uv run benchmarks/go.py`.

CPU is the server's user plus system time per request, the least of several interleaved rounds: on a busy machine
it is what stays comparable, where requests a second do not. Needs Go on PATH. Exits 1 when a request failed.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import copier

ROOT = Path(__file__).parents[1]
ROUNDS = 3
PATIENCE = 30
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What one round of requests cost the server: microseconds of CPU each, and the latencies that clients saw."""

    cpu: float
    p50: int
    p99: int
    requests: int
    failed: int


def cpu_seconds(pid: int) -> float:
    """User plus system time of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    """Memory that a running process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def free_port() -> str:
    """Give a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: str, **environment: str) -> Iterator[tuple[int, float]]:
    """Start a server; gives its process id and the milliseconds to its first answer."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env={"PORT": port, **environment}, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - start > PATIENCE:
                    raise
                time.sleep(0.001)
        yield process.pid, (time.perf_counter() - start) * 1000
    finally:
        process.terminate()
        process.wait(PATIENCE)


def load(program: Path, pid: int, url: str, connections: int = 64) -> Load:
    """Send requests for some seconds."""
    before = cpu_seconds(pid)
    done = subprocess.run(
        [program, f"-url={url}", f"-connections={connections}"], check=True, capture_output=True, text=True
    )
    seen = json.loads(done.stdout)
    cpu = (cpu_seconds(pid) - before) / seen["requests"] * 1e6
    return Load(cpu, seen["p50_us"], seen["p99_us"], seen["requests"], seen["failed"])


def build(folder: Path) -> tuple[Path, Path, Path]:
    """Build the generated service, the bare server and the load generator."""
    project = folder / "project"
    answers = {"stack": "go", "name": "bench"}
    copier.run_copy(str(ROOT), project, data=answers, vcs_ref="HEAD", defaults=True, quiet=True)
    environment = os.environ | {"CGO_ENABLED": "0"}
    flags = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"]
    subprocess.run([*flags, "-o", folder / "service", "./cmd/bench"], cwd=project, env=environment, check=True)
    for name in ("bare", "load"):
        subprocess.run(
            [*flags, "-o", folder / name, f"./{name}"], cwd=ROOT / "benchmarks/go", env=environment, check=True
        )
    return folder / "service", folder / "bare", folder / "load"


def create_target(port: str) -> str:
    """Add a target that is never probed; gives its path."""
    body = json.dumps({"name": "x", "url": "https://example.com", "enabled": False}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/targets", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own server
        return str(answer.headers["Location"])


def main() -> int:
    """Run and print one table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        service, bare, generator = build(folder)
        ports = free_port(), free_port()
        settings = {
            "ADMIN_PORT": free_port(),
            "DATABASE_URL": f"sqlite:{folder}/bench.db",
            "RATE_LIMIT_PER_SECOND": "1e9",
            "RATE_LIMIT_BURST": "1000000000",
            "MAX_IN_FLIGHT": "100000",
        }
        with (
            running([str(service), "serve"], ports[0], **settings) as (pid, first),
            running([str(bare)], ports[1]) as (bare_pid, bare_first),
        ):
            idle, bare_idle = resident_mb(pid), resident_mb(bare_pid)
            base = f"http://127.0.0.1:{ports[0]}"
            cases = {
                "bare net/http, JSON": (bare_pid, f"http://127.0.0.1:{ports[1]}/livez"),
                "service, JSON": (pid, f"{base}/livez"),
                "service, read from SQLite": (pid, base + create_target(ports[0])),
            }
            rounds: dict[str, list[Load]] = {name: [] for name in cases}
            for _ in range(ROUNDS):
                for name, (server, url) in cases.items():
                    rounds[name].append(load(generator, server, url))
        reference = min(r.cpu for r in rounds["bare net/http, JSON"])
        for name, results in rounds.items():
            best = min(results, key=lambda r: r.cpu)
            print(
                f"{name:28} {best.cpu:7.1f} us CPU a request, {reference / best.cpu:4.2f}x bare, "
                f"p50 {best.p50 / 1000:6.2f} ms, p99 {best.p99 / 1000:6.2f} ms"
            )
        print(f"start to first answer        {first:7.1f} ms, bare {bare_first:.1f} ms")
        print(f"idle memory                  {idle:7.1f} MB, bare {bare_idle:.1f} MB")
        print(f"binary                       {service.stat().st_size / 1e6:7.1f} MB")
        return int(any(r.failed for results in rounds.values() for r in results))


if __name__ == "__main__":
    sys.exit(main())
