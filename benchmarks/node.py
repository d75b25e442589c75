"""Measures the generated Node service beside node:http and pg, in one run: `uv run benchmarks/node.py`.

A request for the list of an organization's 20 projects passes session, role, tenant transaction and the whole HTTP
side. Beside it run node:http and pg with the very statements that the service was seen to send, the same with the
list's statement alone, and a Nest project on Express. `--before COMMIT` puts the service as it was then beside today's.
Jobs stand beside pg-boss by itself. Needs Node, npm, Go and a PostgreSQL server. Exits 1 when a request failed or the
answers differ.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree
from typing import Any

from servers import (
    HERE,
    Program,
    Server,
    computed,
    generate,
    go_build,
    npm_install,
    resident_kb,
    running,
    start_load,
    wait_for,
)

ROUNDS = 24
SECONDS = 0.3
WARM_UP = 3.0
# Below the pool's 10 connections: what waiting costs is not the question.
CONNECTIONS = 8
ORIGIN = "https://bench.example.com"
LIST = "/api/v1/organizations/bench/projects"
# What Node makes of 512 MiB that a container's limit tells it of: a quarter, times two, for the old generation.
LIMITED = ("--max-old-space-size=256", "--max-semi-space-size=2")
MEMORY_SECONDS = 10.0
JOBS = 1000
JOB_ROUNDS = 3


@dataclass(frozen=True)
class Case:
    """What is asked for, of whom, and beside which other case its CPU is looked at."""

    server: Server
    path: str
    beside: str
    cookie: str = ""


def service(project: Path, url: str) -> Program:
    """Give the generated project as production runs it, with its limits out of the load's way."""
    settings = {
        "NODE_ENV": "production",
        "DATABASE_URL": url,
        "MIGRATE_ON_START": "true",
        "AUTH_SECRET": secrets.token_hex(32),
        "PUBLIC_URL": ORIGIN,
        "MAIL_URL": "log:",
        "RATE_LIMIT_MAX": "1000000000",
        "PATH": os.environ["PATH"],
    }
    return Program(["node", "apps/api/src/server.ts"], project, settings, "/readyz")


def call(server: Server, path: str, cookie: str = "", body: Mapping[str, object] | None = None) -> tuple[Any, str]:
    """Ask as a browser would; gives the answer and the cookies that it set."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Origin": ORIGIN, "Content-Type": "application/json", "Cookie": cookie}
    request = urllib.request.Request(server.base + path, data, headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
        cookies = (line.partition(";")[0] for line in answer.headers.get_all("Set-Cookie", []))
        return json.load(answer), "; ".join(cookies)


def prepare(server: Server) -> tuple[str, str]:
    """Sign up an owner with an organization and 20 projects; gives the cookie and the organization's id."""
    owner = {"name": "Owner", "email": "owner@example.com", "password": secrets.token_hex(16)}
    _, cookie = call(server, "/api/auth/sign-up/email", body=owner)
    made, _ = call(server, "/api/auth/organization/create", cookie, {"name": "Bench", "slug": "bench"})
    for number in range(20):
        project = {"name": f"Project {number}", "description": "Something to read. " * 5}
        call(server, LIST, cookie, project)
    return cookie, made["id"]


def record(program: Program, cookie: str, target: Path) -> list[dict[str, Any]]:
    """Write down the statements that one request for the list sends."""
    log = target.with_suffix(".log")
    command = ["node", "--import", str(HERE / "node/record.mjs"), *program.command[1:]]
    # Jobs would send statements of their own in between.
    settings = {**program.environment, "RECORD": str(log), "JOBS_IN_PROCESS": "false"}
    recorded = replace(program, command=command, environment=settings)
    with running(recorded) as server:
        log.write_text("", encoding="utf-8")
        call(server, LIST, cookie)
        statements = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    target.write_text(json.dumps(statements), encoding="utf-8")
    return statements


def nest(folder: Path, environment: Mapping[str, str]) -> Program:
    """Install and build the Nest project."""
    project = Path(copytree(HERE / "node/nest", folder / "nest"))
    npm_install(project)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=project, check=True, timeout=600)
    return Program(["node", "dist/main.js"], project, environment, "/livez")


def request_cost(generator: Path, case: Case, seconds: float) -> tuple[float, int]:
    """Send requests for a moment; gives the microseconds of CPU of each and how many failed."""
    before = computed(case.server.pid)
    seen = wait_for(start_load(generator, case.server, case.path, CONNECTIONS, seconds, case.cookie))
    return (computed(case.server.pid) - before) / seen["requests"], seen["failed"]


def compare(generator: Path, cases: Mapping[str, Case]) -> int:
    """Print what a request costs, each beside another one; gives how many failed."""
    failed = sum(request_cost(generator, case, WARM_UP)[1] for case in cases.values())
    costs: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            cost, bad = request_cost(generator, case, SECONDS)
            costs[name].append(cost)
            failed += bad
    least = {name: min(seen) for name, seen in costs.items()}
    for name, case in cases.items():
        print(f"{name:28} {least[name]:7.0f} us CPU  {least[case.beside] / least[name]:5.2f}x of {case.beside}")
    one, listed = least["bare, one statement"], least["service, list"]
    print(f"{'service, list':28} {'':15}  {one / listed:5.2f}x of bare, one statement")
    return failed


def memory(generator: Path, program: Program, cookie: str) -> int:
    """Print the memory that the service holds after load, with a container's limit and without."""
    failed = 0
    for name, flags in {"as in 512 MiB": LIMITED, "no limit": ()}.items():
        with running(replace(program, command=["node", *flags, *program.command[1:]])) as server:
            idle = resident_kb(server.pid) / 1024
            failed += request_cost(generator, Case(server, LIST, "", cookie), MEMORY_SECONDS)[1]
            print(f"{name:28} {resident_kb(server.pid) / 1024:7.1f} MB after load, {idle:.1f} MB idle")
    return failed


def jobs(project: Path, url: str) -> None:
    """Print what a job that does nothing costs, beside one of pg-boss without anything of ours."""
    seen: dict[str, list[dict[str, Any]]] = {"bare pg-boss": [], "service": []}
    for _ in range(JOB_ROUNDS):
        for name, rounds in seen.items():
            command = ["node", str(HERE / "node/jobs.mjs"), name.partition(" ")[0], str(JOBS)]
            environment = {"DATABASE_URL": url, "PATH": os.environ["PATH"]}
            done = subprocess.run(
                command, cwd=project, env=environment, check=True, capture_output=True, text=True, timeout=600
            )
            rounds.append(json.loads(done.stdout))
    for phase in ("enqueued", "worked"):
        least = {name: min(each[phase]["cpu"] for each in rounds) for name, rounds in seen.items()}
        most = {name: max(each[phase]["a_second"] for each in rounds) for name, rounds in seen.items()}
        for name in seen:
            ratios = f"{least['bare pg-boss'] / least[name]:5.2f}x, {most[name] / most['bare pg-boss']:5.2f}x in rate"
            print(f"{name + ', ' + phase:28} {least[name]:7.0f} us CPU  {most[name]:6.0f} a second  {ratios}")


def check_answers(servers: Mapping[str, tuple[Server, str]], cookie: str) -> None:
    """Make sure that all give the same list."""
    answers = {name: call(server, path, cookie)[0] for name, (server, path) in servers.items()}
    expected = answers["service"]
    wrong = [name for name, answer in answers.items() if answer != expected]
    if wrong or len(expected["items"]) != 20:  # noqa: PLR2004 - as many as prepare() makes
        raise SystemExit(f"not the same answer: {answers}")


def measure(folder: Path, project: Path, url: str, parts: list[str], before: Path | None) -> int:
    """Prepare the database, and run the parts; gives how many requests failed."""
    generator = go_build(HERE / "go", "./load", folder / "load")
    program = service(project, url)
    with running(program) as server:
        cookie, organization = prepare(server)
    statements = record(program, cookie, folder / "statements.json")
    print(f"{len(statements)} statements: " + "; ".join(" ".join(one["text"].split())[:40] for one in statements))
    beside = {
        **program.environment,
        "STATEMENTS": str(folder / "statements.json"),
        "ORGANIZATION_ID": organization,
    }
    failed = 0
    if "requests" in parts or "nest" in parts:
        with ExitStack() as stack:
            ours = stack.enter_context(running(program))
            bare = stack.enter_context(
                running(Program(["node", str(HERE / "node/bare.mjs")], project, beside, "/livez"))
            )
            lists = {"service": (ours, LIST), "bare, same": (bare, "/same"), "bare, one": (bare, "/one")}
            cases = {
                "bare, same statements": Case(bare, "/same", "bare, same statements"),
                "service, list": Case(ours, LIST, "bare, same statements", cookie),
                "bare, one statement": Case(bare, "/one", "bare, same statements"),
                "bare, livez": Case(bare, "/livez", "bare, livez"),
                "service, livez": Case(ours, "/livez", "bare, livez"),
            }
            if before:
                earlier = stack.enter_context(running(replace(program, cwd=before)))
                lists["before"] = (earlier, LIST)
                cases["service before, list"] = Case(earlier, LIST, "bare, same statements", cookie)
            if "nest" in parts:
                third = stack.enter_context(running(nest(folder, beside)))
                lists["nest"] = (third, LIST)
                cases["Nest on Express, list"] = Case(third, LIST, "bare, same statements", cookie)
                cases["Nest on Express, livez"] = Case(third, "/livez", "bare, livez")
            check_answers(lists, cookie)
            failed += compare(generator, cases)
    if "memory" in parts:
        failed += memory(generator, program, cookie)
    if "jobs" in parts:
        jobs(project, url)
    return failed


def database(action: str, project: Path, server: str, name: str) -> None:
    """Create or drop the benchmark's own database."""
    command = ["node", str(HERE / "node/database.mjs"), action, server, name]
    subprocess.run(command, cwd=project, check=True, timeout=60)


@contextmanager
def prepared(project: Path | None, server: str) -> Iterator[tuple[Path, str]]:
    """Give a project with its packages, generated unless one is named, and the URL of an empty database of its own."""
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        if project is None:
            project = generate("node-ts", Path(temporary) / "project")
            npm_install(project)
        name = f"bench_{secrets.token_hex(4)}"
        database("create", project, server, name)
        stack.callback(database, "drop", project, server, name)
        yield project, f"{server.rpartition('/')[0]}/{name}"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Give a parser of what `prepared` wants to know."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    server = os.environ.get("STACKGEN_POSTGRES_URL")
    parser.add_argument(
        "--database-url",
        default=server,
        required=not server,
        help="where databases can be made; by default STACKGEN_POSTGRES_URL",
    )
    parser.add_argument("--project", type=Path, help="a generated project with its packages installed")
    return parser


def main() -> int:
    """Run the parts that were asked for."""
    parser = arguments(__doc__)
    parser.add_argument("parts", nargs="*", default=["requests", "nest", "memory", "jobs"])
    parser.add_argument("--before", metavar="COMMIT", help="measure the list as this commit's templates had it, too")
    chosen = parser.parse_args()
    print(subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip())
    with tempfile.TemporaryDirectory() as temporary, prepared(chosen.project, chosen.database_url) as (project, url):
        folder = Path(temporary)
        before = None
        if chosen.before:
            before = generate("node-ts", folder / "before", chosen.before)
            npm_install(before)
        return int(measure(folder, project, url, chosen.parts, before) > 0)


if __name__ == "__main__":
    sys.exit(main())
