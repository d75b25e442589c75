import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        return self.process.wait(60), self.log.read_text("utf-8")


@contextmanager
def serving(program: Sequence[str] = ("-m", "tests"), **environment: str) -> Iterator[Server]:
    """The service as its own process, ready to answer, on a port that it finds itself."""
    # A file takes whatever is logged: a pipe that nobody reads would be full one day.
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *program, "serve"],
            env={"PATH": os.environ["PATH"], "PORT": "0", **environment},
            cwd=SERVICE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            file = Path(log.name)
            yield Server(address(process, file), process, file)
        finally:
            process.kill()
            process.wait()


def address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where it listens, once it says so."""
    deadline = time.monotonic() + 300
    while not (said := re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text("utf-8"))):
        assert process.poll() is None, log.read_text("utf-8")
        assert time.monotonic() < deadline, "the service did not become ready"
        time.sleep(0.05)
    return said[1]
