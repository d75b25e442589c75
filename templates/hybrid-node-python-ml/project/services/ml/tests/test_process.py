import asyncio
import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx2
import pytest

from ml.registry import Registry

from . import tiny
from .conftest import SERVICE, instances, serving, until


def ml(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests", *arguments],
        env=environment,
        cwd=SERVICE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# A model that hangs while a file is there: nothing can end its thread.
HANGING = """
import os, sys, time
import tests
from ml.cli import main
from ml.model import Model
run = Model.run
def hanging(self, batch):
    if os.path.exists(os.environ["HANGS"]):
        open(os.environ["HANGS"] + ".now", "w").close()
    while os.path.exists(os.environ["HANGS"]):
        time.sleep(0.02)
    return run(self, batch)
Model.run = hanging
main()
"""


def listens(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), 60).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_with_0(trained: Registry, tmp_path: Path, number: int) -> None:
    hangs = tmp_path / "hangs"
    limits = {"ML_MAX_QUEUE": "4096", "ML_SHUTDOWN_SECONDS": "50"}
    where = {"ML_REGISTRY_DIR": str(trained.root), "HANGS": str(hangs)}
    body, patient = {"instances": instances(256)}, {"x-timeout-ms": "120000"}
    with serving(("-c", HANGING), **where, **limits) as server, ThreadPoolExecutor(5) as pool:
        hangs.touch()
        url = f"{server.url}/v1/predict"
        post = partial(httpx2.post, url, json=body, headers=patient, timeout=120)
        asked = [pool.submit(post) for _ in range(4)]
        waiting = f"ml_queue_rows {3 * 256}.0"
        metrics = partial(httpx2.get, f"{server.url}/metrics", timeout=60)
        asyncio.run(until(lambda: waiting in metrics().text))
        stopping = pool.submit(server.stop, number)
        asyncio.run(until(lambda: not listens(server.url)))
        hangs.unlink()
        assert {one.result().status_code for one in asked} == {200}
        code, log = stopping.result()
    assert code == 0, log


def test_a_model_that_hangs_does_not_keep_a_service_that_is_told_to_stop(
    trained: Registry, tmp_path: Path
) -> None:
    hangs = tmp_path / "hangs"
    where = {"ML_REGISTRY_DIR": str(trained.root), "HANGS": str(hangs)}
    with serving(("-c", HANGING), ML_SHUTDOWN_SECONDS="1", **where) as server:
        hangs.touch()
        body = {"instances": instances(1)}
        with ThreadPoolExecutor() as pool:
            pool.submit(httpx2.post, f"{server.url}/v1/predict", json=body, timeout=120)
            asyncio.run(until((tmp_path / "hangs.now").exists, 120))
            code, log = server.stop(signal.SIGTERM)
    assert code == 0, log


def test_a_model_that_hangs_while_it_is_loaded_does_not_either(
    trained: Registry, tmp_path: Path
) -> None:
    hangs = tmp_path / "hangs"
    hangs.touch()
    where = {"ML_REGISTRY_DIR": str(trained.root), "HANGS": str(hangs), "PORT": "0"}
    process = subprocess.Popen([sys.executable, "-c", HANGING, "serve"], env=where, cwd=SERVICE)
    try:
        asyncio.run(until((tmp_path / "hangs.now").exists, 120))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_half_a_request_does_not_keep_it(trained: Registry) -> None:
    with serving(ML_REGISTRY_DIR=str(trained.root), ML_SHUTDOWN_SECONDS="1") as server:
        port = int(server.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as frozen:
            frozen.sendall(b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-length: 99\r\n\r\n{")
            httpx2.get(f"{server.url}/livez", timeout=30).raise_for_status()
            code, log = server.stop(signal.SIGTERM)
    assert code == 0, log


def test_logs_are_json_and_carry_the_callers_ids(trained: Registry) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"x-request-id": "r-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    with serving(ML_REGISTRY_DIR=str(trained.root)) as server:
        httpx2.get(f"{server.url}/v1/model", headers=headers, timeout=60).raise_for_status()
        _, log = server.stop(signal.SIGTERM)
    lines = [json.loads(line) for line in log.splitlines()]
    request = next(line for line in lines if line["event"] == "request")
    assert (request["request_id"], request["trace_id"]) == ("r-1", trace)
    assert (request["route"], request["status"]) == ("/v1/model", 200)


def test_without_a_model_it_says_what_to_do(tmp_path: Path) -> None:
    result = ml("serve", ML_REGISTRY_DIR=str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "ml train" in result.stderr


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOST": "0.0.0.0"}, "ML_SERVICE_TOKEN is required"),
        ({"PORT": "99999"}, "PORT"),
        ({"ML_SERVICE_TOKEN": "short"}, "ML_SERVICE_TOKEN"),
    ],
)
def test_a_wrong_setting_is_one_line(environment: dict[str, str], expected: str) -> None:
    result = ml("serve", **environment)
    assert result.returncode == 1
    assert expected in result.stderr
    assert "Traceback" not in result.stderr


def test_predictions_come_before_the_last_row_is_there(trained: Registry) -> None:
    # More than is kept back on the way, and less than keeps a reader from going on.
    rows = instances(400)
    command = [sys.executable, "-m", "tests", "predict", "-"]
    environment = {"ML_REGISTRY_DIR": str(trained.root)}
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(
            command, env=environment, cwd=SERVICE, stdin=pipe, stdout=pipe, text=True
        ) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        assert process.stdin
        assert process.stdout
        process.stdin.write("".join(f"{json.dumps(row)}\n" for row in rows))
        process.stdin.flush()
        first = pool.submit(process.stdout.readline)
        try:
            assert json.loads(first.result(120))
        except BaseException:
            process.kill()
            raise
        process.stdin.close()
        assert len(process.stdout.readlines()) == len(rows) - 1
        assert process.wait(120) == 0


def test_models_are_listed_promoted_and_measured(tmp_path: Path) -> None:
    where = {"ML_REGISTRY_DIR": str(tmp_path)}
    version = tiny.register(Registry(tmp_path)).version
    assert ml("promote", version, **where).stdout == f"production -> {version}\n"
    assert ml("models", **where).stdout.startswith(version)
    assert ml("promote", "missing", **where).returncode == 1
    measured = json.loads(ml("bench", "--json", "--seconds", "0.01", **where).stdout)
    assert measured["recommended"]["ML_MAX_BATCH"] >= 1
    assert "Recommended: ML_INTRA_OP_THREADS=" in ml("bench", "--seconds", "0.01", **where).stdout
