"""Processes and requests of the acceptance tests. Every process ends with its test, and every wait has a deadline.

Deadlines only end what hangs, and tell nothing about speed: a machine kept busy by others takes ten times as long.
"""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Server:
    """A process under test that listens on `url`."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    def output(self) -> str:
        """Give all that the process has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def await_output(self, pattern: str, deadline: float = 300) -> None:
        """Wait until it has written what a pattern finds: a mail or a line of the log may come after its answer."""
        end = time.monotonic() + deadline
        while not re.search(pattern, self.output()):
            if time.monotonic() > end:
                pytest.fail(f"nothing of {pattern!r} within {deadline} s:\n{self.output()[-3000:]}")
            time.sleep(0.1)

    def stop(self, deadline: float = 120, *, group: bool = False) -> int:
        """Send SIGTERM and give the exit code; fails when the process does not end in time.

        With `group`, its children get the signal too, as from a terminal's Ctrl-C.
        """
        if self.process.poll() is None:
            (os.killpg if group else os.kill)(self.process.pid, signal.SIGTERM)
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)
            pytest.fail(f"still running {deadline} s after SIGTERM:\n{self.output()[-3000:]}")


def closed_to_others(made: Path) -> list[Path]:
    """Give what only its maker may read: an image is made by root, and runs as somebody else."""
    paths = [made, *made.rglob("*")]
    assert len(paths) > 1 or made.is_file(), f"nothing was made in {made}"
    return [path for path in paths if path.exists() and path.stat().st_mode & (0o5 if path.is_dir() else 0o4) == 0]


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sh(
    command: Sequence[str] | str, cwd: Path, env: Mapping[str, str], timeout: float = 1800, *, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run a command (a string goes through the shell, as a README's reader would type it)."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(env),
        shell=isinstance(command, str),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        umask=0o022,  # as those who build images have it
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        pytest.fail(f"{command} exited {done.returncode} in {cwd}:\n{done.stdout[-6000:]}")
    return done


@contextmanager
def serve(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], ready: str, timeout: float = 300
) -> Iterator[Server]:
    """Start a server, wait until `ready` (a URL) answers 200, and see that it is gone afterwards."""
    log = cwd / f".server-{secrets.token_hex(4)}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, ready.rsplit("/", 1)[0], log)
    try:
        _await(server, ready, timeout)
        yield server
    finally:
        # The whole group, so that nothing that the server started outlives its test.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


def _await(server: Server, ready: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            pytest.fail(f"exited {server.process.returncode} before it was ready:\n{server.output()[-4000:]}")
        try:
            with urllib.request.urlopen(ready, timeout=20) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{ready} did not answer within {timeout} s:\n{server.output()[-4000:]}")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `json` is None where the body is not JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON, None where it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def http(
    method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None, timeout: float = 300
) -> Answer:
    """Send one request, JSON where the body is not bytes, and give the answer whatever its status."""
    raw = body if isinstance(body, bytes) else (json.dumps(body).encode() if body is not None else None)
    request = urllib.request.Request(url, data=raw, method=method, headers=dict(headers or {}))
    if raw is not None and not request.has_header("Content-type"):
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())
