import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from ml.registry import Registry

from . import tiny
from .conftest import SERVICE, instances, serving


def ml(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests", *arguments],
        env=environment,
        cwd=SERVICE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_with_0(trained: Registry, number: int) -> None:
    async def scenario(url: str, stop: "asyncio.Future[tuple[int, str]]") -> None:
        async with httpx2.AsyncClient(base_url=url, timeout=20) as client:
            body = {"instances": instances(256)}
            in_flight = [
                asyncio.create_task(client.post("/v1/predict", json=body)) for _ in range(8)
            ]
            await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
            stopping = asyncio.get_running_loop().run_in_executor(None, server.stop, number)
            answers = await asyncio.gather(*in_flight)
            assert {answer.status_code for answer in answers} == {200}
            stop.set_result(await stopping)

    async def main(url: str) -> tuple[int, str]:
        stop: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        await scenario(url, stop)
        return stop.result()

    with serving(ML_REGISTRY_DIR=str(trained.root), ML_MAX_QUEUE="4096") as server:
        code, log = asyncio.run(main(server.url))
    assert code == 0, log


def test_logs_are_json_and_carry_the_callers_ids(trained: Registry) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"x-request-id": "r-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    with serving(ML_REGISTRY_DIR=str(trained.root)) as server:
        httpx2.get(f"{server.url}/v1/model", headers=headers).raise_for_status()
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


def test_models_are_listed_promoted_and_measured(tmp_path: Path) -> None:
    where = {"ML_REGISTRY_DIR": str(tmp_path)}
    version = tiny.register(Registry(tmp_path)).version
    assert ml("promote", version, **where).stdout == f"production -> {version}\n"
    assert ml("models", **where).stdout.startswith(version)
    assert ml("promote", "missing", **where).returncode == 1
    measured = json.loads(ml("bench", "--json", "--seconds", "0.01", **where).stdout)
    assert measured["recommended"]["ML_MAX_BATCH"] >= 1
    assert "Recommended: ML_INTRA_OP_THREADS=" in ml("bench", "--seconds", "0.01", **where).stdout
