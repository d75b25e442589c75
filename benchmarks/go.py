"""Measures the generated Go service beside bare net/http, in one run: `uv run benchmarks/go.py`.

CPU is the server's user plus system time per request, the least of several interleaved rounds: on a busy machine
it is what stays comparable, where requests a second do not. Needs Go on PATH. Exits 1 when a request failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from servers import (
    HERE,
    Load,
    Program,
    Server,
    allow_many_connections,
    go_build,
    go_service,
    load,
    resident_kb,
    running,
    start_load,
    wait_for,
)

ROUNDS = 5
STARTS = 7
CONNECTIONS = 10_000


def create_target(server: Server) -> str:
    """Add a target that is never probed; gives its path."""
    body = json.dumps({"name": "x", "url": "https://example.com", "enabled": False}).encode()
    request = urllib.request.Request(f"{server.base}/v1/targets", body, {"Content-Type": "application/json"})  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own server
        return str(answer.headers["Location"])


def requests(generator: Path, bare: Server, cases: dict[str, tuple[Server, str]]) -> int:
    """Print what a request costs, beside the bare server's for the same list."""
    rounds: dict[str, list[Load]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, (server, path) in cases.items():
            rounds[name].append(load(generator, server, path))
    best = {name: min(results, key=lambda result: result.cpu) for name, results in rounds.items()}
    rate = {name: max(result.a_second for result in results) for name, results in rounds.items()}
    for name, result in best.items():
        beside = next(b for b, (server, _) in cases.items() if server is bare and ("list" in b) == ("list" in name))
        cpu, speed = best[beside].cpu / result.cpu, rate[name] / rate[beside]
        print(f"{name:34} {result.cpu:7.1f} us CPU, {rate[name]:8.0f} a second; ", end="")
        print(f"{cpu:4.2f}x bare in CPU, {speed:4.2f}x in rate")
    return sum(result.failed for results in rounds.values() for result in results)


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
        bare, service = stack.enter_context(running(plain)), stack.enter_context(running(program))
        cases = {
            "bare net/http, one word": (bare, "/livez"),
            "service, one word": (service, "/livez"),
            "bare net/http, list of 20": (bare, "/claims/json"),
            "service, list of 20": (service, "/claims/json"),
            "service, read from SQLite": (service, create_target(service)),
        }
        if url:
            migrated = replace(program, environment={**program.environment, "DATABASE_URL": url})
            subprocess.run([program.command[0], "migrate", "up"], env=dict(migrated.environment), check=True)
            on_postgres = stack.enter_context(running(migrated))
            cases["service, read from PostgreSQL"] = (on_postgres, create_target(on_postgres))
        failed = connections(holder, "bare net/http", bare) + connections(holder, "service", service)
        failed += requests(generator, bare, cases)
        failed += beside_computing(generator, service)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
