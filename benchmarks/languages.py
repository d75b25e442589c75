"""Checks the article's claims on our own projects, in one run: `uv run benchmarks/languages.py`.

The same three workloads on the generated Node, Django and Go services, each with all its middleware and as many
processes as it starts by itself: waiting 50 ms, a list as JSON, and the primes below 200,000. CPU is that of the whole
process tree. Needs Node, npm, uv and Go on PATH. Exits 1 when a request failed or the answers differ.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from contextlib import ExitStack
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
    npm_install,
    render,
    resident_kb,
    running,
    start_load,
    wait_for,
)

ROUNDS = 2
SECONDS = 4.0
WAITING = 256
WORKLOADS = {"waits 50 ms": ("io", WAITING), "list as JSON": ("json", 32), "primes": ("cpu", 8)}
PREFIXES = {"go": "/claims", "node-ts": "/claims", "python-django": "/api/claims"}


def node(folder: Path) -> Program:
    """Generate the Node service on its embedded database, with its rate limit out of the load's way."""
    project = render("node-ts", folder / "node")
    npm_install(project)
    settings = {
        "DATA_DIR": str(folder / "node-data"),
        "RATE_LIMIT_MAX": "1000000000",
        "NODE_ENV": "production",
        "AUTH_SECRET": secrets.token_hex(32),
        "PUBLIC_URL": "https://bench.example.com",
        "MAIL_URL": "log:",
        "ALLOW_EMBEDDED_DATABASE": "true",
        "PATH": os.environ["PATH"],
    }
    return Program(["node", "apps/api/src/server.ts"], project, settings, "/readyz")


def django(folder: Path) -> Program:
    """Generate the Django service with the versions that it pins, on SQLite and gunicorn."""
    project = render("python-django", folder / "django")
    pinned = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    framework = next(name for name in pinned if name.startswith("django=="))
    settings = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}} | {
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{folder}/django.sqlite3",
        "DATA_DIR": str(folder / "django-data"),
        "ENV_FILE": str(folder / "absent"),
        "HTTPS": "false",
        "SECRET_KEY": secrets.token_urlsafe(50),
    }
    for command in (
        ["uv", "add", "--quiet", "--no-sync", "--constraints", "constraints.txt", framework],
        ["uv", "sync", "--quiet", "--no-dev", "--compile-bytecode"],
        [".venv/bin/python", "manage.py", "migrate", "-v0"],
        [".venv/bin/python", "manage.py", "collectstatic", "--no-input", "-v0"],
    ):
        subprocess.run(command, cwd=project, env=settings, check=True, timeout=600)
    # Without the fresh process that comes after some thousands of requests, which would fall into one of the rounds.
    return Program([".venv/bin/gunicorn", "--max-requests=0"], project, settings, "/readyz")


def versions(python: Path) -> str:
    """Name what runs the services."""
    commands = (["go", "version"], ["node", "--version"], [str(python), "--version"])
    printed = (subprocess.run(c, check=True, capture_output=True, text=True).stdout.strip() for c in commands)
    return f"{os.cpu_count()} cores; " + "; ".join(printed)


def check_answers(servers: dict[str, Server]) -> None:
    """Make sure that the services do the same work."""
    for route, _ in WORKLOADS.values():
        answers = []
        for stack, server in servers.items():
            with urllib.request.urlopen(f"{server.base}{PREFIXES[stack]}/{route}", timeout=30) as answer:  # noqa: S310 - our own
                answers.append(json.load(answer))
        if any(answer != answers[0] for answer in answers):
            raise SystemExit(f"the services answer {route} differently: {answers}")


def workloads(generator: Path, servers: dict[str, Server]) -> int:
    """Print every workload on every service, beside Go."""
    failed = 0
    for name, (route, connections) in WORKLOADS.items():
        rounds: dict[str, list[Load]] = {stack: [] for stack in servers}
        for _ in range(ROUNDS):
            for stack, server in servers.items():
                rounds[stack].append(load(generator, server, f"{PREFIXES[stack]}/{route}", connections, SECONDS))
        least = {stack: min(result.cpu for result in results) for stack, results in rounds.items()}
        for stack, results in rounds.items():
            best = max(results, key=lambda result: result.a_second)
            print(
                f"{name:14} {stack:14} {least[stack]:9.0f} us CPU, {least[stack] / least['go']:6.2f}x Go's; "
                f"{best.a_second:7.0f} a second, p50 {best.p50:7.1f} ms, p99 {best.p99:7.1f} ms, {connections} clients"
            )
            failed += sum(result.failed for result in results)
    return failed


def beside_computing(generator: Path, servers: dict[str, Server]) -> int:
    """Print how long clients wait for an answer that takes 50 ms while two others have primes computed."""
    failed = 0
    for stack, server in servers.items():
        computing = start_load(generator, server, f"{PREFIXES[stack]}/cpu", 2, SECONDS + 1)
        seen = load(generator, server, f"{PREFIXES[stack]}/io", 8, SECONDS)
        failed += seen.failed + wait_for(computing)["failed"]
        print(f"50 ms beside 2 that compute {stack:14} p50 {seen.p50:7.1f} ms, p99 {seen.p99:7.1f} ms, 8 clients")
    return failed


def main() -> int:
    """Run and print one table."""
    allow_many_connections()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        generator = go_build(HERE / "go", "./load", folder / "load")
        programs = {"go": go_service(folder), "node-ts": node(folder), "python-django": django(folder)}
        print(versions(programs["python-django"].cwd / ".venv/bin/python"))
        servers = {name: stack.enter_context(running(program)) for name, program in programs.items()}
        check_answers(servers)
        for name, server in servers.items():
            print(
                f"{name:14} {server.first:7.0f} ms to the first answer, {resident_kb(server.pid) / 1024:6.1f} MB idle"
            )
        return int(workloads(generator, servers) + beside_computing(generator, servers) > 0)


if __name__ == "__main__":
    sys.exit(main())
