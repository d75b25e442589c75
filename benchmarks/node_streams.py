"""Measures idle event streams of the Node service beside bare node:http: `uv run benchmarks/node_streams.py`.

Opens so many streams on one process, lets some beats pass, and tells of one event. Says what each stream holds in
memory, what an idle second costs all of them, and how long it takes until the last one has heard. Beside it runs a
server with node:http alone. Needs Node, npm and a PostgreSQL server. Exits 1 when a stream was not opened or did not
hear.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from node import LIST, ORIGIN, arguments, call, prepare, prepared, service
from servers import HERE, Program, Server, allow_many_connections, computed, resident_kb, running

STREAMS = 10_000
AT_ONCE = 50
PATIENCE = 120
BEAT_SECONDS = 15
IDLE_SECONDS = 2 * BEAT_SECONDS
EVENTS = "/api/v1/organizations/bench/events"
HEARD = b"project.created"
LIMITS = {
    "LIVE_BEAT_MS": str(BEAT_SECONDS * 1000),
    "LIVE_STREAMS_PER_USER": "1000000",
    # What a burst of new streams does to the rest is not the question.
    "OVERLOAD_EVENT_LOOP_DELAY_MS": "0",
}
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def open_one(server: Server, path: str, cookie: str) -> Stream:
    """Ask for a stream as a browser would, and wait until it has begun."""
    host, port = urlsplit(server.base).hostname, urlsplit(server.base).port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nCookie: {cookie}\r\n\r\n".encode())
    status = await asyncio.wait_for(reader.readline(), PATIENCE)
    if b" 200 " not in status:
        raise SystemExit(f"no stream: {status!r}")
    await asyncio.wait_for(reader.readuntil(b"retry:"), PATIENCE)
    return reader, writer


async def hear(reader: asyncio.StreamReader) -> None:
    """Wait for the event; what came before are beats."""
    while HEARD not in await reader.readuntil(b"\n\n"):
        pass


async def measure(server: Server, path: str, cookie: str, count: int, tell: Callable[[], Awaitable[object]]) -> str:
    """Open the streams, let them be, and tell; gives the line to print."""
    before = resident_kb(server.pid)
    streams: list[Stream] = []
    for _ in range(0, count, AT_ONCE):
        streams += await asyncio.gather(*(open_one(server, path, cookie) for _ in range(AT_ONCE)))
    await asyncio.sleep(BEAT_SECONDS)
    start, used = time.perf_counter(), computed(server.pid)
    await asyncio.sleep(IDLE_SECONDS)
    busy = (computed(server.pid) - used) / 1000 / (time.perf_counter() - start)
    held = resident_kb(server.pid) - before
    start = time.perf_counter()
    await asyncio.wait_for(asyncio.gather(tell(), *(hear(reader) for reader, _ in streams)), PATIENCE)
    last = (time.perf_counter() - start) * 1000
    for _, writer in streams:
        writer.close()
    return f"{held / count:6.1f} kB each of {count}, {busy:6.2f} ms CPU in an idle second, {last:6.0f} ms to the last"


def compare(project: Path, url: str, count: int) -> None:
    """Run both servers, one after the other."""
    ours = service(project, url)
    ours = replace(ours, environment={**ours.environment, **LIMITS, "JOBS_IN_PROCESS": "false"})
    bare = Program(["node", str(HERE / "node/sse.mjs")], project, ours.environment, "/livez")
    with running(bare) as server:
        tell = lambda: asyncio.to_thread(call, server, "/tell")  # noqa: E731 - as below
        print(f"{'bare node:http':16}", asyncio.run(measure(server, "/events", "", count, tell)))
    with running(ours) as server:
        cookie, _ = prepare(server)
        body = {"name": "News", "description": ""}
        tell = lambda: asyncio.to_thread(call, server, LIST, cookie, body)  # noqa: E731 - what another cannot name
        print(f"{'service':16}", asyncio.run(measure(server, EVENTS, cookie, count, tell)))


def main() -> None:
    """Measure with as many streams as were asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS, help="how many, in steps of 50")
    chosen = parser.parse_args()
    allow_many_connections()
    with prepared(chosen.project, chosen.database_url) as (project, url):
        compare(project, url, chosen.streams)


if __name__ == "__main__":
    sys.exit(main())
