"""A deployment for the tests: its own database and files, and the processes that production has."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_django
from dj_database_url import parse
from django.db import connections
from django_tasks.base import Task
from django_tasks_db.models import DBTaskResult, get_date_max

from backend.accounts.models import ApiKey, User
from backend.env import PROJECT
from backend.teams.models import Membership, Role, Team
from tests.conftest import DOORS

ALIAS = "deployment"
SERVER = os.environ.get("TEST_DATABASE_URL", "")


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something is so, and fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@dataclass
class Process:
    """A process under test."""

    popen: "subprocess.Popen[bytes]"
    log: Path
    url: str = ""

    def stop(self) -> int:
        """Send SIGTERM and give the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(120)

    def status(self, path: str) -> int:
        """Ask the server for a page, and give the status of its answer; 0 without any."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0


@dataclass
class Deployment:
    """A database with tables, a folder for files, and the environment that names both."""

    folder: Path
    environment: dict[str, str]

    def without_doors(self) -> dict[str, str]:
        """Give the environment without further ways to sign in, which the tests switch on."""
        return {name: value for name, value in self.environment.items() if not name.startswith(DOORS)}

    def enqueue(self, task: Task[Any, Any], *args: object) -> DBTaskResult:
        """Enqueue a task in the database of the deployment."""
        return DBTaskResult.objects.using(ALIAS).create(
            task_path=task.module_path,
            queue_name=task.queue_name,
            args_kwargs={"args": args, "kwargs": {}},
            backend_name="default",
            run_after=get_date_max(),
        )

    def member_of(self, *teams: str) -> str:
        """Make somebody who owns teams with these names, and give a key of theirs."""
        user = User.objects.using(ALIAS).create(email=f"{uuid.uuid4().hex}@example.com")
        for name in teams:
            team = Team.objects.using(ALIAS).create(name=name)
            Membership.objects.using(ALIAS).create(team=team, user=user, role=Role.OWNER)
        secret = f"key_{uuid.uuid4().hex}"
        ApiKey.objects.using(ALIAS).create(user=user, name="tests", start=secret[:8], digest=ApiKey.hash(secret))
        return secret

    @contextmanager
    def process(self, *command: str, url: str = "", **environment: str) -> Iterator[Process]:
        """Start a process, and see to its end."""
        log = self.folder / f"{uuid.uuid4().hex}.log"
        with log.open("wb") as out:
            popen = subprocess.Popen(
                [sys.executable, *command],
                cwd=PROJECT,
                env=self.environment | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            try:
                yield Process(popen, log, url)
            finally:
                popen.kill()
                popen.wait(120)
                sys.stdout.write(log.read_text()[-5000:])  # pytest shows it where the test fails

    @contextmanager
    def worker(self, *options: str, **environment: str) -> Iterator[Process]:
        """Start a worker."""
        with self.process("manage.py", "worker", "--interval", "0.1", *options, **environment) as process:
            yield process

    @contextmanager
    def server(self, **environment: str) -> Iterator[Process]:
        """Start a server, and wait until it answers."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with self.process("-m", "gunicorn", url=url, PORT=str(port), **environment) as process:
            wait_for(lambda: process.popen.poll() is not None or process.status("/livez") == 200)
            assert process.popen.poll() is None, process.log.read_text()[-3000:]
            yield process


@pytest.fixture(scope="session")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[Deployment]:
    """A deployment on the kind of database under test, with one user whose key the environment holds."""
    folder = tmp_path_factory.mktemp("deployment")
    name = f"processes_{uuid.uuid4().hex[:12]}"
    url = f"{SERVER.rpartition('/')[0]}/{name}" if SERVER else f"sqlite:///{folder}/data/db.sqlite3"
    if SERVER:
        _execute(f"create database {name}")
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "backend.settings", "WEB_WORKERS": "1"}
    environment |= {"DATA_DIR": str(folder / "data"), "DATABASE_URL": url, "STATIC_ROOT": str(folder / "static")}
    environment |= {"PYTHONPATH": str(PROJECT), "METRICS_PORT": ""}
    try:
        made = Deployment(folder, environment)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=PROJECT, env=environment, check=True)
        collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "-v0"]
        known = made.without_doors() | _of_the_image() | {"DJANGO_SETTINGS_MODULE": "tests.processes.collecting"}
        subprocess.run(collect, cwd=PROJECT, env=known, check=True)
        connections.settings[ALIAS] = connections.configure_settings({ALIAS: parse(url), "default": {}})[ALIAS]
        with django_db_blocker.unblock():
            yield made
            connections[ALIAS].close()
    finally:
        if SERVER:
            _execute(f"drop database {name} with (force)")


def _of_the_image() -> dict[str, str]:
    """Give the ways to sign in for which the image collects static files: it is built once, for every setting."""
    command, _, _ = (PROJECT / "Dockerfile").read_text().partition("manage.py collectstatic")
    given = dict(re.findall(r"(\w+)=(\S+)", command.rpartition("&&")[2]))
    return {name: value for name, value in given.items() if name.startswith(DOORS)}


def _execute(statement: str) -> None:
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(statement.encode())
