"""Measures a generated Django project beside its alternatives, in one run: `uv run benchmarks/django.py [PART...]`.

CPU is user plus system time of the server's process tree, the least of several interleaved rounds: on a busy machine
it is what stays comparable, where requests a second do not. Needs uv. Exits 1 when an answer or a figure is not what
it should be, or when the server that the template chose does not stop.
"""

import argparse
import asyncio
import itertools
import json
import math
import os
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import copier

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(__file__).parent / "django"
EXTRAS = ("djangorestframework==3.18.3", "granian==2.8.7")
TICKS = os.sysconf("SC_CLK_TCK")
ROUNDS = 4
REQUESTS = 1000
THREADS = 8
CONNECTIONS = 8
ROWS, PAGE = 100, 20
LIST = f"limit={PAGE}"
TASKS = 2000
MEGABYTES = 1000
WIDE_MEGABYTES, WIDE_COLUMNS = 20, 2000  # of 200, polars takes 20 GB and more than ten minutes
UPLOADS, UPLOAD_BYTES = 1000, 1_000_000
PATIENCE = 60
LOAD_DEADLINE = 120
STOP_DEADLINE = 30
ROUTES = {
    "constant": {
        "plain view": "/api/plain/constant",
        "django-ninja": "/api/ninja/constant",
        "REST framework": "/api/rest/constant",
    },
    f"list of {PAGE} rows": {
        "plain view": f"/api/plain/datasets?{LIST}",
        "django-ninja": f"/api/datasets?{LIST}",
        "REST framework": f"/api/rest/datasets?{LIST}",
    },
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Project:
    """A generated project with its environment, its data and the key that opens them."""

    folder: Path
    environment: dict[str, str]
    key: str = ""
    scale: float = 1.0

    @property
    def bin(self) -> Path:
        return self.folder / ".venv/bin"

    def data(self, *arguments: object) -> Any:  # noqa: ANN401
        """Run a command of data.py, and give what it prints."""
        return json.loads(self.run(str(SCRIPTS / "data.py"), *map(str, arguments)))

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.bin / "python"), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def times(self, least: int, number: float) -> int:
        """Give how often to do something at the scale that was asked for."""
        return max(least, round(number * self.scale))


@dataclass(frozen=True)
class Server:
    """How to start one."""

    command: Sequence[str]
    environment: dict[str, str]
    cwd: Path
    port: int = field(default_factory=free_port)


@dataclass(frozen=True)
class Used:
    """What a command took: seconds of wall time and of CPU, and its largest size in MB."""

    wall: float
    cpu: float
    peak: float


# --- Processes ---


def tree(root: int) -> dict[int, list[str]]:
    """Give what the system knows of a process and of all below it: the fields of its `stat` behind the name."""
    known: dict[int, list[str]] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            known[int(entry.name)] = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    found, below = {}, [root]
    while below:
        pid = below.pop()
        if pid in known:
            found[pid] = known[pid]
        below += [child for child, fields in known.items() if int(fields[1]) == pid]
    return found


def tree_cpu(root: int) -> float:
    """User plus system time of a process, of all below it, and of those of them that have ended."""
    return sum(sum(map(int, fields[11:15])) for fields in tree(root).values()) / TICKS


def tree_peak(root: int) -> float:
    """The largest sizes of a process and of all below it, together, in MB; what they share counts for each."""
    sizes = [(Path("/proc") / str(pid) / "status").read_text(encoding="utf-8") for pid in tree(root)]
    return sum(int(re.findall(r"VmHWM:\s+(\d+)", size)[0]) for size in sizes) / 1024


def group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def start(server: Server) -> "subprocess.Popen[bytes]":
    """Start a server as the leader of its own group, so that none of its processes can outlive the benchmark."""
    environment = server.environment | {"PORT": str(server.port), "GRANIAN_PORT": str(server.port)}
    return subprocess.Popen(
        server.command,
        cwd=server.cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing of a server behind."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_DEADLINE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def first_answer(process: "subprocess.Popen[bytes]", server: Server, key: str) -> None:
    """Wait until the server answers a request that takes it through the whole project."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as client:
            client.request("GET", "/api/me", headers={"Authorization": f"Bearer {key}"})
            if (status := client.getresponse().status) == HTTPStatus.OK:
                return
            raise SystemExit(f"{' '.join(server.command)} answered {status}")
        time.sleep(0.005)
    raise SystemExit(f"{' '.join(server.command)} did not answer")


@contextmanager
def running(server: Server, key: str) -> Iterator[int]:
    """Run a server until the block ends; gives its process id once it answers."""
    process = start(server)
    try:
        first_answer(process, server, key)
        yield process.pid
    finally:
        end(process)


def used(command: Sequence[str], project: Project) -> Used:
    """Run a command to its end; raises when it fails or takes too long."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=project.folder, env=project.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    watch = threading.Timer(600, process.kill)
    watch.start()
    _, status, usage = os.wait4(process.pid, 0)
    watch.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited {process.returncode}")
    return Used(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


# --- The project ---


def generate(folder: Path, database_url: str | None) -> Project:
    """Generate a project, install its pinned versions and what it is compared with, and fill its database."""
    place = folder / "project"
    answers = {"stack": "python-django", "name": "bench"}
    copier.run_copy(str(ROOT), place, data=answers, vcs_ref="HEAD", defaults=True, quiet=True)
    outside = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    install = ["uv", "pip", "install", "--quiet", "--python", ".venv"]
    for command in (
        ["uv", "venv", "--quiet", "--python", ">=3.11"],
        [*install, "--compile-bytecode", "--require-hashes", "--requirements", "requirements.txt"],
        [*install, "--no-deps", "--editable", "."],
        [*install, "--compile-bytecode", *EXTRAS],
    ):
        subprocess.run(command, cwd=place, env=outside, check=True, timeout=600)
    environment = outside | {
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": database_url or f"sqlite:///{folder}/data/db.sqlite3",
        "DATA_DIR": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "backend.settings",
        "ENV_FILE": str(folder / "absent"),
        "HTTPS": "false",
        "PYTHONPATH": str(SCRIPTS),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "WEB_THREADS": str(THREADS),
        "WEB_WORKERS": "1",
    }
    project = Project(place, environment)
    project.run("manage.py", "migrate", "-v0")
    project.run("manage.py", "collectstatic", "--no-input", "-v0")
    project.key = project.data("fill", ROWS)
    return project


def gunicorn(project: Project, **environment: str) -> Server:
    """Start the template's own server with the template's own configuration."""
    return Server([str(project.bin / "gunicorn")], project.environment | environment, project.folder)


def granian(project: Project, *options: str, **environment: str) -> Server:
    """Start granian with as many processes and threads."""
    command = [str(project.bin / "granian"), "--interface", "wsgi", "--no-ws", "--workers", "1"]
    command += ["--blocking-threads", str(THREADS), *options, "backend.wsgi:application"]
    return Server(command, project.environment | environment, project.folder)


# --- Requests ---


def body_of(server: Server, path: str, key: str) -> bytes:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as client:
        client.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = client.getresponse()
        content = answer.read()
    if answer.status != HTTPStatus.OK:
        raise SystemExit(f"{path} answered {answer.status}: {content[:500]!r}")
    return content


def load(server: Server, pid: int, path: str, project: Project, requests: int) -> float:
    """Send so many requests over a few connections; gives the server's microseconds of CPU for each."""
    expected = body_of(server, path, project.key)
    turns, deadline = itertools.count(), time.monotonic() + LOAD_DEADLINE
    problems: list[str] = []

    def send() -> None:
        try:
            with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as client:
                while next(turns) < requests and not problems:
                    client.request("GET", path, headers={"Authorization": f"Bearer {project.key}"})
                    if client.getresponse().read() != expected:
                        problems.append(f"{path} gave different answers")
                    if time.monotonic() > deadline:
                        problems.append(f"{requests} requests for {path} took more than {LOAD_DEADLINE} seconds")
        except (OSError, HTTPException) as error:
            problems.append(f"{path}: {error!r}")

    before = tree_cpu(pid)
    clients = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    if problems:
        raise SystemExit(problems[0])
    return (tree_cpu(pid) - before) / requests * 1e6


def check_bodies(server: Server, key: str) -> None:
    """Make sure that what is compared gives the same answers."""
    for routes in ROUTES.values():
        bodies = {name: json.loads(body_of(server, path, key)) for name, path in routes.items()}
        for name, body in bodies.items():
            if body != bodies["plain view"]:
                raise SystemExit(f"{name} does not answer what the plain view answers: {body} {bodies['plain view']}")


def http(project: Project) -> None:
    """Compare frameworks on one server, and servers with one framework."""
    # Without the fresh process that comes after some thousands of requests, which would fall into one of the rounds.
    settings = {"DJANGO_SETTINGS_MODULE": "comparison.settings", "GUNICORN_CMD_ARGS": "--max-requests 0"}
    servers = {"gunicorn": gunicorn(project, **settings), "granian": granian(project, **settings)}
    requests = project.times(200, REQUESTS)
    samples: dict[tuple[str, str, str], list[float]] = {}
    with running(servers["gunicorn"], project.key) as one, running(servers["granian"], project.key) as other:
        pids = {"gunicorn": one, "granian": other}
        for name, server in servers.items():
            check_bodies(server, project.key)
            for path in (path for routes in ROUTES.values() for path in routes.values()):
                load(server, pids[name], path, project, 100)
        for _ in range(ROUNDS):
            for route, routes in ROUTES.items():
                for framework, path in routes.items():
                    for name, server in servers.items():
                        cost = load(server, pids[name], path, project, requests)
                        samples.setdefault((route, framework, name), []).append(cost)
    title(f"CPU per request, one process with {THREADS} threads, {requests} requests x {ROUNDS} rounds")
    print(f"{'':34} {'gunicorn':>11} {'/ plain':>8} {'granian':>14} {'/ plain':>8} {'granian / gunicorn':>20}")
    for route, routes in ROUTES.items():
        plain = {name: min(samples[route, "plain view", name]) for name in servers}
        for framework in routes:
            a, b = (min(samples[route, framework, name]) for name in ("gunicorn", "granian"))
            print(
                f"{route:18} {framework:15} {a:8.0f} us {a / plain['gunicorn']:8.2f} {b:11.0f} us "
                f"{b / plain['granian']:8.2f} {b / a:20.2f}"
            )


# --- Starting and stopping ---


def time_to_first_answer(server: Server, key: str) -> Used:
    begin = time.perf_counter()
    with running(server, key) as pid:
        return Used(time.perf_counter() - begin, tree_cpu(pid), 0)


def cold_start(project: Project) -> None:
    """Compare the time from the command to the first answer: caches of the file system warm, bytecode there."""
    bare = [str(project.bin / "gunicorn"), "--worker-class", "gthread", "--workers", "1", "--threads", str(THREADS)]
    bare += ["--no-control-socket", "bare:application", "--bind"]
    outside = {name: value for name, value in project.environment.items() if name != "DJANGO_SETTINGS_MODULE"}
    samples: dict[str, list[Used]] = {}
    rounds = project.times(1, 7)
    for round_ in range(rounds + 1):
        port = free_port()
        # Started elsewhere, since gunicorn would read the project's configuration.
        plain = Server([*bare, f"127.0.0.1:{port}"], outside, SCRIPTS, port)
        servers = {"bare Django, gunicorn": plain, "gunicorn": gunicorn(project), "granian": granian(project)}
        for name, server in servers.items():
            sample = time_to_first_answer(server, project.key)
            if round_:  # the first round only warms caches
                samples.setdefault(name, []).append(sample)
    reference = samples["bare Django, gunicorn"]
    title(f"Cold start to first answer, {rounds} rounds (median wall time, least CPU)")
    for name, taken in samples.items():
        wall, cpu = statistics.median(each.wall for each in taken), min(each.cpu for each in taken)
        least = statistics.median(each.wall for each in reference), min(each.cpu for each in reference)
        print(f"{name:34} {wall:8.2f} s {wall / least[0]:8.2f}x {cpu:8.2f} s CPU {cpu / least[1]:8.2f}x")


def stop_after(server: Server, delay: float | None, key: str) -> tuple[float | None, int, bool]:
    """Send SIGTERM some time after the start; gives the seconds to the end, the exit code, and what was left over."""
    process = start(server)
    try:
        if delay is None:
            first_answer(process, server, key)
        else:
            time.sleep(delay)
        begin = time.perf_counter()
        process.terminate()
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            return None, 0, True
        return time.perf_counter() - begin, process.returncode, group_lives(process.pid)
    finally:
        end(process)


def stopping(project: Project) -> None:
    """Compare what SIGTERM does while the server starts, at fractions of the time that a start takes."""
    fractions = (0.2, 0.4, 0.6, 0.8, None) if project.scale >= 1 else (0.5, None)
    title(f"SIGTERM during the start (seconds to the end, exit code; deadline {STOP_DEADLINE} s)")
    print(f"{'':34}" + "".join(f"{'ready' if part is None else f'{part:.0%} of start':>20}" for part in fractions))
    chosen_stops = True
    variants = {"gunicorn": (), "granian": (), "granian, kill timeout 5 s": ("--workers-kill-timeout", "5")}
    for name, options in variants.items():

        def server(name: str = name, options: tuple[str, ...] = options) -> Server:
            return gunicorn(project) if name == "gunicorn" else granian(project, *options)

        whole = time_to_first_answer(server(), project.key).wall
        cells = []
        for part in fractions:
            seconds, code, left = stop_after(server(), None if part is None else part * whole, project.key)
            if seconds is None:
                cells.append("NEVER")
            else:
                cells.append(f"{seconds:.2f} s, {code}{', LEFT CHILDREN' if left else ''}")
            chosen_stops &= name != "gunicorn" or (seconds is not None and not left)
        print(f"{name:34}" + "".join(f"{cell:>20}" for cell in cells))
    if not chosen_stops:
        raise SystemExit("the template's server did not stop, or left processes behind")


# --- Tasks ---


def worker(project: Project) -> None:
    """Compare the worker with the one of django-tasks-db, which knows neither retries nor recovery."""
    manage = [str(project.bin / "python"), "manage.py"]
    commands = {
        "django-tasks-db's own": [*manage, "db_worker", "--batch", "--no-startup-delay"],
        "worker": [*manage, "worker", "--once"],
    }
    tasks = project.times(200, TASKS)
    idle: dict[str, list[Used]] = {name: [] for name in commands}
    busy: dict[str, list[Used]] = {name: [] for name in commands}
    enqueueing: list[float] = []
    for _ in range(ROUNDS):
        for name, command in commands.items():
            # What the start takes is measured alone, and subtracted.
            project.data("enqueue", 0)
            idle[name].append(used(command, project))
            enqueueing.append(project.data("enqueue", tasks))
            busy[name].append(used(command, project))
            if (done := project.data("successful")) != tasks:
                raise SystemExit(f"{name}: {done} of {tasks} tasks were done")
    title(f"Worker, {tasks} tasks that do nothing x {ROUNDS} rounds (least of the rounds)")
    own = 0.0
    for name in commands:
        wall = min(each.wall for each in busy[name]) - min(each.wall for each in idle[name])
        cpu = min(each.cpu for each in busy[name]) - min(each.cpu for each in idle[name])
        own = own or cpu
        print(
            f"{name:34} {tasks / wall:8.0f} tasks/s {cpu / tasks * 1e3:8.2f} ms CPU a task {cpu / own:6.2f}x "
            f"{max(each.peak for each in busy[name]):6.0f} MB peak"
        )
    print(f"{'enqueue':34} {tasks / min(enqueueing):8.0f} tasks/s")


# --- A large file ---


def table(project: Project) -> None:
    """Profile a large CSV file."""
    profile(project, "csv", MEGABYTES)


def parquet(project: Project) -> None:
    """Profile a large Parquet file, which holds some times the values of a CSV file of its size."""
    profile(project, "parquet", MEGABYTES)


def wide(project: Project) -> None:
    """Profile a CSV file and a Parquet file of many columns."""
    for file_format in ("csv", "parquet"):
        profile(project, file_format, WIDE_MEGABYTES, WIDE_COLUMNS)


def profile(project: Project, file_format: str, size: int, columns: int = 0) -> None:
    """Compare the profile that the worker makes of a file with the same facts from polars alone."""
    megabytes = project.times(20, size)
    path = Path(project.data("dataset", megabytes * 1_000_000, file_format))
    path.parent.mkdir(parents=True, exist_ok=True)
    project.run(str(SCRIPTS / "write_table.py"), str(path), str(megabytes), str(columns))
    python, script = str(project.bin / "python"), str(SCRIPTS / "polars_profile.py")
    results = {"worker": used([python, "manage.py", "worker", "--once"], project)}
    known = json.loads(project.run(script, "streaming", str(path)))
    for engine in ("eager", "streaming"):
        results[f"polars, {engine}"] = used([python, script, engine, str(path)], project)
    check_facts(project.data("found"), known)
    size, rows = path.stat().st_size, next(iter(known.values()))["rows"]
    path.unlink()
    name = {"csv": "CSV", "parquet": "Parquet"}[file_format]
    title(f"Profile of a {name} file of {size / 1e6:.0f} MB, {rows} rows, {len(known)} columns (one run)")
    base = results["polars, eager"]
    for name, each in results.items():
        print(
            f"{name:34} {each.wall:8.1f} s {each.wall / base.wall:6.2f}x {each.cpu:8.1f} s CPU "
            f"{each.cpu / base.cpu:6.2f}x {each.peak:8.0f} MB peak {each.peak / base.peak:6.2f}x"
        )


def check_facts(found: Any, known: dict[str, dict[str, Any]]) -> None:  # noqa: ANN401
    """Make sure that both found the same."""
    if not isinstance(found, dict):
        raise SystemExit(f"the worker made no profile: {found}")
    for column in found["columns"]:
        facts = known[column["name"]]
        pairs = [(found["rows"], facts["rows"]), (column["missing"], facts["missing"])]
        if "mean" in facts:
            pairs += [(column["mean"], facts["mean"]), (column["standard_deviation"], facts["deviation"])]
            pairs += [(float(column["minimum"]), facts["low"]), (float(column["maximum"]), facts["high"])]
        if not all(math.isclose(one, other, rel_tol=1e-9) for one, other in pairs):
            raise SystemExit(f"the worker and polars disagree about {column['name']}: {pairs}")


# --- Many uploads at once ---


def uploads(project: Project) -> None:
    """Send files of a megabyte, all at once, to the server with the processes that it has by itself."""
    count, name = project.times(20, UPLOADS), "many"
    server = gunicorn(project, WEB_WORKERS="2")
    row = b"Apple,1.5,true,2026-01-01\n"
    content = b"name,price,sold,day\n" + row * (UPLOAD_BYTES // len(row))
    fields = {
        'name="team_id"': project.data("team"),
        'name="name"': name,
        'name="file"; filename="many.csv"': content.decode(),
    }
    disposition = "--x\r\nContent-Disposition: form-data; "
    body = (
        "".join(f"{disposition}{about}\r\n\r\n{value}\r\n" for about, value in fields.items()).encode() + b"--x--\r\n"
    )
    head = f"POST /api/datasets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {project.key}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with running(server, project.key) as pid:
        before, begin = tree_cpu(pid), time.perf_counter()
        answers = asyncio.run(send_at_once(server.port, head.encode() + body, count))
        wall, cpu, peak = time.perf_counter() - begin, tree_cpu(pid) - before, tree_peak(pid)
    statuses = Counter(status for status, _ in answers)
    if statuses != {HTTPStatus.ACCEPTED: count} or project.data("kept", name) != [count, count * len(content)]:
        raise SystemExit(f"of {count} uploads at once: {dict(statuses)}, kept {project.data('kept', name)}")
    took = sorted(seconds for _, seconds in answers)
    title(f"{count} uploads of {len(content) / 1e6:.0f} MB at once, 2 processes with {THREADS} threads (one run)")
    print(
        f"all answered with 202 after {wall:.1f} s ({count * len(content) / wall / 1e6:.0f} MB/s), half of them within "
        f"{took[count // 2]:.1f} s, {cpu / count * 1e3:.1f} ms CPU each, {peak:.0f} MB peak of all processes"
    )


async def send_at_once(port: int, request: bytes, count: int) -> list[tuple[int, float]]:
    """Send a request over so many connections at once; gives the status of each answer and the seconds to it."""
    begin = time.perf_counter()

    async def send() -> tuple[int, float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        status = int((await reader.readline()).split()[1])
        writer.close()
        return status, time.perf_counter() - begin

    return await asyncio.wait_for(asyncio.gather(*(send() for _ in range(count))), LOAD_DEADLINE * 3)


def title(text: str) -> None:
    print(f"\n{text}", flush=True)


PARTS = {
    "http": http,
    "start": cold_start,
    "stop": stopping,
    "worker": worker,
    "table": table,
    "parquet": parquet,
    "wide": wide,
    "uploads": uploads,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a generated Django project beside its alternatives.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="smaller for a trial: 0.02 takes a minute")
    parser.add_argument("--database-url", help="an empty PostgreSQL database; default: a SQLite file")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        project = generate(Path(folder), options.database_url)
        project.scale = options.scale
        for name in options.parts or PARTS:
            PARTS[name](project)
    return 0


if __name__ == "__main__":
    sys.exit(main())
