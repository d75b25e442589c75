"""What several benchmarks share: servers of generated projects, the load on them, and what it cost."""

import json
import os
import resource
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import copier

HERE = Path(__file__).parent
ROOT = HERE.parent
PATIENCE = 60
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024


@dataclass(frozen=True)
class Load:
    """What one round of requests cost the server: microseconds of CPU each, and what its clients saw."""

    cpu: float
    a_second: float
    p50: float
    p99: float
    failed: int


@dataclass(frozen=True)
class Server:
    """A running server: its first process, its address, and the milliseconds from its start to its first answer."""

    pid: int
    base: str
    first: float


@dataclass(frozen=True)
class Program:
    """How to start a server, and where it answers once it is ready."""

    command: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    ready: str


def tree(root: int) -> list[tuple[int, float]]:
    """Give the CPU ticks and the resident kB of a process and of all below it."""
    seen: dict[int, tuple[int, int, float]] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            seen[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15])), int(fields[21]) * PAGE_KB
    found, below = [], [root]
    while below:
        pid = below.pop()
        found += [seen[pid][1:]] if pid in seen else []
        below += [child for child, (parent, _, _) in seen.items() if parent == pid]
    return found


def cpu_seconds(root: int) -> float:
    """User plus system time of a process tree, and of those of it that have ended."""
    return sum(ticks for ticks, _ in tree(root)) / TICKS


def resident_kb(root: int) -> float:
    """Memory that a process tree holds; pages that its processes share count for each."""
    return sum(size for _, size in tree(root))


def computed(pid: int) -> float:
    """Give the microseconds that a process without children has computed, finer than ticks are."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            total += int((thread / "schedstat").read_text(encoding="utf-8").split()[0])
    return total / 1000


def free_port() -> str:
    """Give a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def allow_many_connections() -> None:
    """Raise the limit of open files for this process and those it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def running(program: Program) -> Iterator[Server]:
    """Start a server on a port of its own, and end it with the block."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    process = subprocess.Popen(
        program.command,
        cwd=program.cwd,
        env={**program.environment, "PORT": port, "ADMIN_PORT": free_port()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not answers(base + program.ready):
            if process.poll() is not None or time.perf_counter() - start > PATIENCE:
                raise SystemExit(f"{program.command} did not answer")
            time.sleep(0.001)
        yield Server(process.pid, base, (time.perf_counter() - start) * 1000)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def answers(url: str) -> bool:
    """Tell whether a URL answers 200."""
    with suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
        return True
    return False


def load(generator: Path, server: Server, path: str, connections: int = 64, seconds: float = 3) -> Load:
    """Send requests for some seconds."""
    before = cpu_seconds(server.pid)
    seen = wait_for(start_load(generator, server, path, connections, seconds))
    cpu = (cpu_seconds(server.pid) - before) / seen["requests"] * 1e6
    return Load(cpu, seen["requests"] / seconds, seen["p50_us"] / 1000, seen["p99_us"] / 1000, seen["failed"])


def start_load(  # noqa: PLR0913, PLR0917 - one parameter a flag
    generator: Path, server: Server, path: str, connections: int, seconds: float, cookie: str = ""
) -> "subprocess.Popen[str]":
    """Begin to send requests for some seconds."""
    options = [f"-url={server.base}{path}", f"-connections={connections}", f"-duration={seconds}s", f"-cookie={cookie}"]
    return subprocess.Popen([str(generator), *options], stdout=subprocess.PIPE, text=True)


def wait_for(sending: "subprocess.Popen[str]") -> Any:  # noqa: ANN401 - JSON
    """Give what the load generator saw."""
    printed, _ = sending.communicate(timeout=120)
    if sending.returncode:
        raise SystemExit(f"the load generator exited {sending.returncode}")
    return json.loads(printed)


def generate(stack: str, folder: Path, commit: str = "HEAD") -> Path:
    """Generate a project with the answers that are its defaults."""
    copier.run_copy(
        str(ROOT), folder, data={"stack": stack, "name": "bench"}, vcs_ref=commit, defaults=True, quiet=True
    )
    return folder


def npm_install(folder: Path) -> None:
    """Install what a package.json pins."""
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=600)


def render(stack: str, folder: Path) -> Path:
    """Generate a project, with the three routes that all stacks are compared by."""
    generate(stack, folder)
    for patch in json.loads((HERE / "languages/patches.json").read_text(encoding="utf-8"))[stack]:
        path = folder / patch["file"]
        if "copy" in patch:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((HERE / "languages" / patch["copy"]).read_text(encoding="utf-8"), encoding="utf-8")
            continue
        text = path.read_text(encoding="utf-8")
        if text.count(patch["after"]) != 1:
            raise SystemExit(f"{patch['file']} of {stack} has no place for the routes any more")
        path.write_text(text.replace(patch["after"], patch["after"] + patch["add"]), encoding="utf-8")
    return folder


def go_build(source: Path, package: str, target: Path) -> Path:
    """Build a static Go program."""
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(target), package]
    subprocess.run(command, cwd=source, env=os.environ | {"CGO_ENABLED": "0"}, check=True, timeout=600)
    return target


def go_service(folder: Path) -> Program:
    """Generate and build the Go service; its limits are out of the load's way."""
    project = render("go", folder / "go")
    settings = {
        "DATABASE_URL": f"sqlite:{folder}/bench.db",
        "RATE_LIMIT_PER_SECOND": "1e9",
        "RATE_LIMIT_BURST": "1000000000",
        "MAX_IN_FLIGHT": "100000",
    }
    binary = go_build(project, "./cmd/bench", folder / "service")
    return Program([str(binary), "serve"], folder, settings, "/readyz")
