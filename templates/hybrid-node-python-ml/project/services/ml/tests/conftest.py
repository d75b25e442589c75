import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from ml.app import create_app
from ml.registry import ModelCard, Registry
from ml.settings import Settings

from . import task, tiny

SERVICE = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    registry = Registry(tmp_path_factory.mktemp("models"))
    tiny.register(registry)
    return registry


@pytest.fixture(scope="session")
def card(trained: Registry) -> ModelCard:
    return trained.card(trained.resolve("production"))


@pytest.fixture
def settings(trained: Registry) -> Settings:
    return Settings(registry_dir=trained.root, reload_seconds=0)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def instances(count: int, seed: int = 0) -> list[list[float]]:
    generator = np.random.default_rng(seed)
    rows: list[list[float]] = generator.random((count, task.FEATURES)).astype(np.float32).tolist()
    return rows


async def present() -> bool:
    """A caller that has not hung up."""
    return False


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[str]

    def stop(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        log, _ = self.process.communicate(timeout=20)
        return self.process.returncode, log


@contextmanager
def serving(module: str = "tests", **environment: str) -> Iterator[Server]:
    """The service as its own process, ready to answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", module, "serve"],
        env={"PATH": os.environ["PATH"], "PORT": str(port), **environment},
        cwd=SERVICE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "the service did not become ready"
            try:
                httpx2.get(f"{server.url}/readyz", timeout=1).raise_for_status()
                break
            except httpx2.TransportError:
                time.sleep(0.05)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
