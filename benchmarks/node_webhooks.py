"""Measures how the Node service takes Stripe's events, beside a bare route: `uv run benchmarks/node_webhooks.py`.

Sends events of their own ids, each signed over its bytes, as fast as answers come. Says what one costs the server in
CPU: about a customer that is not ours, and about one that is, for which a job is enqueued in the same transaction.
Beside it runs node:http with pg, which checks the signature by hand and stores the id by one statement. Needs Node, npm
and a PostgreSQL server. Exits 1 when an event was not taken.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from node import CONNECTIONS, arguments, prepare, prepared, service
from servers import HERE, Program, Server, computed, running

ROUNDS = 12
EVENTS = 400
PATIENCE = 120
SECRET = "whsec_" + secrets.token_hex(16)
CUSTOMER = "cus_of_the_benchmark"
SETTINGS = {
    "STRIPE_SECRET_KEY": "sk_test_of_the_benchmark",
    "STRIPE_WEBHOOK_SECRET": SECRET,
    "STRIPE_PRICE_PRO_MONTH": "price_of_the_benchmark",
    # Else it would ask Stripe, and that is another question.
    "JOBS_IN_PROCESS": "false",
}


def event(customer: str) -> bytes:
    """Give a request with an event of about the size that Stripe's have."""
    padding = {f"field_{number}": "x" * 40 for number in range(40)}
    thing = {"id": "sub_1", "object": "subscription", "customer": customer, "metadata": padding}
    told = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "type": "customer.subscription.updated",
        "data": {"object": thing},
    }
    body = json.dumps(told).encode()
    now = int(time.time())
    signature = hmac.new(SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    head = (
        "POST /webhooks/stripe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Stripe-Signature: t={now},v1={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send(server: Server, requests: list[bytes]) -> int:
    """Send them over one connection, one after the other; gives how many were not taken."""
    host, port = urlsplit(server.base).hostname, urlsplit(server.base).port
    reader, writer = await asyncio.open_connection(host, port)
    refused = 0
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        refused += not head.startswith(b"HTTP/1.1 200 ")
    writer.close()
    return refused


async def cost(server: Server, customer: str) -> tuple[float, int]:
    """Give the microseconds of CPU of each event, and how many were not taken."""
    share = EVENTS // CONNECTIONS
    requests = [[event(customer) for _ in range(share)] for _ in range(CONNECTIONS)]
    before = computed(server.pid)
    refused = await asyncio.wait_for(asyncio.gather(*(send(server, each) for each in requests)), PATIENCE)
    return (computed(server.pid) - before) / EVENTS, sum(refused)


def compare(project: Path, url: str) -> int:
    """Run both servers side by side; gives how many events were not taken."""
    ours = service(project, url)
    ours = replace(ours, environment={**ours.environment, **SETTINGS})
    bare = Program(["node", str(HERE / "node/webhooks.mjs")], project, ours.environment, "/livez")
    with running(ours) as server, running(bare) as beside:
        _, organization = prepare(server)
        command = ["node", str(HERE / "node/customer.mjs"), url, organization, CUSTOMER]
        subprocess.run(command, cwd=project, check=True, timeout=60)
        cases = {
            "bare node:http": (beside, CUSTOMER),
            "service, not ours": (server, "cus_of_somebody_else"),
            "service, with a job": (server, CUSTOMER),
        }
        seen: dict[str, list[float]] = {name: [] for name in cases}
        failed = 0
        # The first round warms up.
        for number in range(ROUNDS + 1):
            for name, (asked, customer) in cases.items():
                spent, refused = asyncio.run(cost(asked, customer))
                failed += refused
                if number:
                    seen[name].append(spent)
    least = {name: min(each) for name, each in seen.items()}
    for name, spent in least.items():
        print(f"{name:20} {spent:7.0f} us CPU  {least['bare node:http'] / spent:5.2f}x of bare node:http")
    return failed


def main() -> int:
    """Measure with a project and a database of its own."""
    chosen = arguments(__doc__).parse_args()
    with prepared(chosen.project, chosen.database_url) as (project, url):
        return int(compare(project, url) > 0)


if __name__ == "__main__":
    sys.exit(main())
