"""Measures the memory of the Node service in a container's limit: `uv run benchmarks/node_memory.py`.

With everything switched off, and with billing, live events, files and webhooks switched on and used: events from
Stripe are taken, files stored, 100 streams open, and a webhook is tried at each change. Both on PostgreSQL and on the
embedded database, after seconds of requests for the list. Needs Node, npm, Go and a PostgreSQL server. Exits 1 when a
request failed.
"""

import asyncio
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from node import (
    LIMITED,
    LIST,
    MEMORY_SECONDS,
    ORIGIN,
    Case,
    arguments,
    call,
    prepare,
    prepared,
    request_cost,
    service,
)
from node_streams import EVENTS, open_one
from node_webhooks import SETTINGS as BILLING
from node_webhooks import event, send
from servers import HERE, Program, Server, go_build, resident_kb, running

STREAMS = 100
USES = 20
ORGANIZATION = "/api/v1/organizations/bench"
# Where nobody listens: a webhook is tried, and nothing leaves this machine.
NOWHERE = "https://127.0.0.1:1024/"
# A busy machine is not the question.
UNLIMITED = {"OVERLOAD_EVENT_LOOP_DELAY_MS": "0"}
SWITCHED_ON = {
    **{name: value for name, value in BILLING.items() if name != "JOBS_IN_PROCESS"},
    "STRIPE_API_URL": "http://127.0.0.1:9",
    "LIVE_PRESENCE": "true",
    "LIVE_STREAMS_PER_USER": str(STREAMS),
    "FILES_TYPES": "text/plain",
    "ALLOWED_PRIVATE_CIDRS": "127.0.0.0/8",
}


def store(server: Server, cookie: str, number: int) -> None:
    """Upload a file of 64 KiB."""
    headers = {"Origin": ORIGIN, "Content-Type": "text/plain", "Cookie": cookie}
    url = f"{server.base}{ORGANIZATION}/files?name={number}.txt"
    request = urllib.request.Request(url, b"text " * 13_107, headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
        answer.read()


async def used(server: Server, cookie: str, generator: Path) -> int:
    """Use all that is switched on, and ask for the list while the streams are open; gives how many requests failed."""
    endpoint = {"url": NOWHERE, "eventTypes": ["projects.created"]}
    await asyncio.to_thread(call, server, f"{ORGANIZATION}/webhook-endpoints", cookie, endpoint)
    streams = [await open_one(server, EVENTS, cookie) for _ in range(STREAMS)]
    failed = await send(server, [event("cus_of_somebody_else") for _ in range(USES)])
    for number in range(USES):
        await asyncio.to_thread(store, server, cookie, number)
        news = {"name": f"News {number}", "description": ""}
        await asyncio.to_thread(call, server, LIST, cookie, news)
    failed += await asyncio.to_thread(asked, server, cookie, generator)
    for _, writer in streams:
        writer.close()
    return failed


def asked(server: Server, cookie: str, generator: Path) -> int:
    """Ask for the list for some seconds; gives how many requests failed."""
    return request_cost(generator, Case(server, LIST, "", cookie), MEMORY_SECONDS)[1]


def measure(program: Program, name: str, generator: Path, *, all_used: bool) -> int:
    """Print the memory that a server holds before and after its work."""
    program = replace(program, command=["node", *LIMITED, *program.command[1:]])
    with running(program) as server:
        idle = resident_kb(server.pid) / 1024
        cookie, _ = prepare(server)
        failed = asyncio.run(used(server, cookie, generator)) if all_used else asked(server, cookie, generator)
        print(f"{name:28} {resident_kb(server.pid) / 1024:6.1f} MB after load, {idle:.1f} MB idle")
    return failed


def compare(project: Path, server: str, folder: Path) -> int:
    """Run one server after the other, each with a database of its own."""
    generator = go_build(HERE / "go", "./load", folder / "load")
    failed = 0
    for state, settings in {"all off": {}, "all on": SWITCHED_ON}.items():
        with prepared(project, server) as (_, url):
            for engine, its in {"PostgreSQL": {}, "embedded": embedded(folder / state)}.items():
                program = service(project, url)
                files = {"FILES_DIR": str(folder / state / engine)} if settings else {}
                environment = {**program.environment, **settings, **files, **its, **UNLIMITED}
                if its:
                    del environment["DATABASE_URL"]
                program = replace(program, environment=environment)
                failed += measure(program, f"{engine}, {state}", generator, all_used=bool(settings))
    return failed


def embedded(folder: Path) -> Mapping[str, str]:
    """Give the settings of the embedded database."""
    return {"ALLOW_EMBEDDED_DATABASE": "true", "DATA_DIR": str(folder / "data")}


def main() -> int:
    """Measure with a project of its own, or the one that is named."""
    chosen = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, prepared(chosen.project, chosen.database_url) as (project, _):
        return int(compare(project, chosen.database_url, Path(folder)) > 0)


if __name__ == "__main__":
    sys.exit(main())
