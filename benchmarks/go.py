"""Measures the generated Go service beside bare net/http, in one run: `uv run benchmarks/go.py`.

CPU is the server's user plus system time per request. Each short load on the service stands between two on bare
net/http, and the ratio is the median of many such pairs: a core that is slower for seconds, as one of a virtual
machine can be, slows all three. Needs Go on PATH. Exits 1 when a request failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

from servers import (
    HERE,
    Program,
    Server,
    allow_many_connections,
    computed,
    go_build,
    go_service,
    load,
    resident_kb,
    running,
    start_load,
    wait_for,
)

ROUNDS = 40
SLICE = 0.2
STARTS = 7
CONNECTIONS = 10_000


def create_target(server: Server, name: str) -> str:
    """Add a target that is never probed; gives its path."""
    body = json.dumps({"name": name, "url": "https://example.com", "enabled": False}).encode()
    request = urllib.request.Request(f"{server.base}/v1/targets", body, {"Content-Type": "application/json"})  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own server
        return str(answer.headers["Location"])


def assert_same_list(bare: Server, service: Server) -> None:
    """Fail if the two lists of targets differ in anything but their values, or by more than a tenth in length."""
    texts = []
    for server in (bare, service):
        with urllib.request.urlopen(f"{server.base}/v1/targets", timeout=5) as answer:  # noqa: S310 - our own server
            texts.append(answer.read())
    fields = [[list(item) for item in json.loads(text)["items"]] for text in texts]
    assert fields[0] == fields[1], fields
    assert 0.9 < len(texts[0]) / len(texts[1]) < 1.1, texts  # noqa: PLR2004 - a tenth


@dataclass(frozen=True)
class Pair:
    """A short load on one server between two on the bare one: microseconds of CPU a request, and both ratios."""

    cpu: float
    of_cpu: float
    of_rate: float
    failed: int


def slice_of_load(generator: Path, server: Server, path: str) -> tuple[float, int, int]:
    """Send requests for a moment; gives the CPU of each, their number and the failed ones."""
    before = computed(server.pid)
    seen = wait_for(start_load(generator, server, path, 64, SLICE))
    return (computed(server.pid) - before) / seen["requests"], seen["requests"], seen["failed"]


def pair(generator: Path, bare: tuple[Server, str], other: tuple[Server, str]) -> Pair:
    """Load the other server between two loads on the bare one."""
    before, between, after = (slice_of_load(generator, *case) for case in (bare, other, bare))
    failed = before[2] + between[2] + after[2]
    return Pair(between[0], (before[0] + after[0]) / 2 / between[0], between[1] * 2 / (before[1] + after[1]), failed)


def requests(generator: Path, cases: dict[str, tuple[Server, str]], beside: dict[str, tuple[Server, str]]) -> int:
    """Print what a request costs, each beside the bare server's request of the kind that its name holds."""
    pairs: dict[str, list[Pair]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            kind = next((each for each in beside if each in name), "one word")
            pairs[name].append(pair(generator, beside[kind], case))
    for name, seen in pairs.items():
        low, middle, high = quantiles([one.of_cpu for one in seen], n=4)
        print(f"{name:34} {min(one.cpu for one in seen):7.1f} us CPU at least; ", end="")
        rate = median(one.of_rate for one in seen)
        print(f"{middle:4.2f}x bare in CPU ({low:.2f} to {high:.2f}), {rate:4.2f}x in rate")
    return sum(one.failed for seen in pairs.values() for one in seen)


def connections(holder: Path, name: str, server: Server) -> int:
    """Print what an open connection costs in memory."""
    before = resident_kb(server.pid)
    command = [str(holder), f"-addr={server.base.removeprefix('http://')}", f"-connections={CONNECTIONS}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdin
        assert holding.stdout
        failed = json.loads(holding.stdout.readline())["failed"]
        each = (resident_kb(server.pid) - before) / CONNECTIONS
        holding.stdin.write("\n")
        holding.stdin.flush()
        failed += json.loads(holding.stdout.readline())["failed"]
    print(f"{name:34} {each:7.1f} kB for each of {CONNECTIONS} open connections, {failed} requests failed")
    return int(failed)


def beside_computing(generator: Path, server: Server) -> int:
    """Print how long an answer that waits 50 ms takes, alone and while all cores compute."""
    alone = load(generator, server, "/claims/io", 32)
    computing = start_load(generator, server, "/claims/cpu", 8, 5)
    beside = load(generator, server, "/claims/io", 32)
    failed = wait_for(computing)["failed"]
    for name, seen in (("alone", alone), ("beside 8 that compute", beside)):
        print(f"{'service, waits 50 ms, ' + name:34} p50 {seen.p50:6.1f} ms, p99 {seen.p99:6.1f} ms")
    return int(failed) + alone.failed + beside.failed


def starts(programs: dict[str, Program]) -> None:
    """Print the shortest time from the command to the first answer, and the memory then."""
    for name, program in programs.items():
        first, idle = [], []
        for _ in range(STARTS):
            with running(program) as server:
                first.append(server.first)
                idle.append(resident_kb(server.pid) / 1024)
        size = Path(program.command[0]).stat().st_size / 1e6
        print(f"{name:34} {min(first):7.1f} ms to the first answer, {min(idle):.1f} MB idle, binary {size:.1f} MB")


def main() -> int:
    """Run and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", help="an empty PostgreSQL database, to read from it too")
    url = parser.parse_args().database_url
    allow_many_connections()
    print(subprocess.run(["go", "version"], check=True, capture_output=True, text=True).stdout.strip())
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        generator, holder = (go_build(HERE / "go", f"./{name}", folder / name) for name in ("load", "hold"))
        plain = Program([str(go_build(HERE / "go", "./bare", folder / "bare"))], folder, {}, "/livez")
        program = go_service(folder)
        starts({"bare net/http": plain, "service": program})
        failed = 0
        for name, held in {"bare net/http": plain, "service": program}.items():
            with running(held) as server:
                failed += connections(holder, name, server)
        bare, service = stack.enter_context(running(plain)), stack.enter_context(running(program))
        beside = {
            "one word": (bare, "/livez"),
            "list of 20": (bare, "/claims/json"),
            "list of targets": (bare, "/v1/targets"),
        }
        row, *_ = [create_target(service, f"target {number}") for number in range(20)]
        assert_same_list(bare, service)
        cases = {
            "bare net/http, one word": beside["one word"],
            "service, one word": (service, "/livez"),
            "bare net/http, list of 20": beside["list of 20"],
            "service, list of 20": (service, "/claims/json"),
            "service, read from SQLite": (service, row),
            "bare, list of targets": beside["list of targets"],
            "SQLite, list of targets": (service, "/v1/targets"),
        }
        if url:
            migrated = replace(program, environment={**program.environment, "DATABASE_URL": url})
            subprocess.run([program.command[0], "migrate", "up"], env=dict(migrated.environment), check=True)
            on_postgres = stack.enter_context(running(migrated))
            cases["service, read from PostgreSQL"] = (on_postgres, create_target(on_postgres, "target"))
        failed += requests(generator, cases, beside)
        failed += beside_computing(generator, service)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
