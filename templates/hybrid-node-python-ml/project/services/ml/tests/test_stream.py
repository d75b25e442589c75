import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from ml.app import create_app
from ml.batch import Batch
from ml.model import Array, Model
from ml.registry import ModelCard
from ml.settings import Settings
from ml.streaming import StreamEvent

from .conftest import instances, until

PATH = "/v1/predict:stream"
STEP = 4


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_batch": STEP})


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that ran, each one slowly."""
    batches: list[int] = []
    run = Model.run

    def slowly(self: Model, rows: Batch) -> Array:
        time.sleep(0.05)
        batches.append(len(rows))
        return run(self, rows)

    monkeypatch.setattr(Model, "run", slowly)
    return batches


class Clock:
    """The service's time, ahead of the real one."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def events(text: str) -> Iterator[dict[str, Any]]:
    for block in text.removesuffix("\n\n").split("\n\n"):
        if block.startswith(":"):
            continue
        name, data = block.split("\n")
        event = StreamEvent.model_validate_json(data.removeprefix("data: ")).model_dump()
        assert name == f"event: {event['type']}"
        yield event


def stream(client: TestClient, count: int = 10, **headers: str) -> list[dict[str, Any]]:
    answer = client.post(PATH, json={"instances": instances(count)}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(events(answer.text))


def test_sends_every_prediction_in_order_and_says_that_it_is_done(
    client: TestClient, card: ModelCard
) -> None:
    *predictions, done = stream(client)
    assert done == {"type": "done", "predictions": 10}
    assert [event["index"] for event in predictions] == list(range(10))
    assert {event["model"]["version"] for event in predictions} == {card.version}
    answer = client.post("/v1/predict", json={"instances": instances(10)}).json()
    for event, expected in zip(predictions, answer["predictions"], strict=True):
        for name, value in expected.items():
            same = value if isinstance(value, str) else pytest.approx(value, rel=1e-5, abs=1e-5)
            assert event["prediction"][name] == same
    metrics = client.get("/metrics").text
    assert 'ml_streams_ended_total{outcome="done"} 1.0' in metrics
    assert "ml_streams_open 0.0" in metrics


@pytest.mark.parametrize(
    ("body", "headers"),
    [({"instances": []}, {}), ({"instances": instances(1)}, {"x-timeout-ms": "0"})],
)
def test_what_does_not_fit_the_contract_is_a_problem(
    client: TestClient, body: object, headers: dict[str, str]
) -> None:
    answer = client.post(PATH, json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_needs_the_token(settings: Settings) -> None:
    guarded = Settings(registry_dir=settings.registry_dir, reload_seconds=0, service_token="a" * 16)
    with TestClient(create_app(guarded)) as client:
        answer = client.post(PATH, json={"instances": instances(1)})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_more_streams_than_allowed_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_STREAM_MAX_OPEN", "1")
    app = create_app(settings)
    with TestClient(app) as client:
        app.state.streams.opened()
        answer = client.post(PATH, json={"instances": instances(1)})
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")
        assert answer.headers["retry-after"] == "1"
        app.state.streams.ended("done")
        assert stream(client)[-1]["type"] == "done"


def test_a_stream_that_could_not_end_in_time_is_not_begun(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = client.app.state.runtime.batcher  # type: ignore[attr-defined]
    monkeypatch.setattr(batcher, "_running", (1, time.monotonic()))
    batcher.costs.observe(STEP, 60)
    body = {"instances": instances(10)}
    answer = client.post(PATH, json=body, headers={"x-timeout-ms": "1000"})
    assert (answer.status_code, answer.json()["code"]) == (503, "deadline_unmeetable")
    assert int(answer.headers["retry-after"]) > 1


def test_a_deadline_that_passes_ends_the_stream_with_an_error(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, run, batches = Clock(), Model.run, list[int]()

    def run_late(self: Model, rows: Batch) -> Array:
        batches.append(len(rows))
        if len(batches) == 3:
            clock.ahead = 60
        return run(self, rows)

    monkeypatch.setattr(Model, "run", run_late)
    monkeypatch.setattr("ml.batching.time", clock)
    *predictions, error = stream(client, 40, **{"x-timeout-ms": "60000"})
    assert error["type"] == "error"
    assert (error["problem"]["status"], error["problem"]["code"]) == (504, "deadline_exceeded")
    assert len(predictions) == 3 * STEP
    assert batches == [STEP] * 3


@pytest.mark.parametrize(
    ("failure", "code"),
    [(None, "no_finite_answer"), (RuntimeError("secret details"), "internal_error")],
)
def test_a_failure_ends_the_stream_with_an_error(
    client: TestClient,
    card: ModelCard,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception | None,
    code: str,
) -> None:
    run = Model.run
    ran: list[int] = []

    def fail_later(self: Model, rows: Batch) -> Array:
        ran.append(len(rows))
        if len(ran) == 1:
            return run(self, rows)
        if failure:
            raise failure
        return np.full((len(rows), card.outputs), np.nan, dtype=np.float32)

    monkeypatch.setattr(Model, "run", fail_later)
    *predictions, error = stream(client)
    assert len(predictions) == STEP
    assert error["problem"]["code"] == code
    assert "secret" not in json.dumps(error)
    assert len(ran) == 2
    assert 'ml_streams_ended_total{outcome="error"} 1.0' in client.get("/metrics").text


def test_comments_keep_a_slow_stream_alive(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, slow: list[int]
) -> None:
    monkeypatch.setenv("ML_STREAM_HEARTBEAT_SECONDS", "0.01")
    with TestClient(create_app(settings)) as client:
        text = client.post(PATH, json={"instances": instances(10)}).text
    assert ": heartbeat\n\n" in text
    assert list(events(text))[-1] == {"type": "done", "predictions": 10}
    assert len(slow) >= 3


@pytest.mark.parametrize("reads", [True, False])
def test_whoever_hangs_up_or_stops_reading_is_not_worked_for(
    settings: Settings, slow: list[int], monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    if not reads:
        # The time is up, but for what the last event may take.
        clock = Clock()
        clock.ahead = 60
        monkeypatch.setattr("ml.streaming.time", clock)
    body = json.dumps({"instances": instances(200)}).encode()
    first = asyncio.Event()
    hung_up = asyncio.Event()

    async def receive() -> Message:
        if not first.is_set():
            first.set()
            return {"type": "http.request", "body": body, "more_body": False}
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if b"event: prediction" in message.get("body", b""):
            if reads:
                hung_up.set()
            else:
                await asyncio.Event().wait()

    async def scenario() -> None:
        app = create_app(settings)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"x-timeout-ms", b"60000")],
        }
        async with app.router.lifespan_context(app):
            warmed = len(slow)
            await asyncio.wait_for(app(scope, receive, send), 30)
            batcher = app.state.runtime.batcher
            await until(lambda: batcher._running is None and batcher.queued_rows == 0)
            worked = len(slow) - warmed
            await asyncio.sleep(0.2)
            assert len(slow) - warmed == worked <= 2
        metrics = app.state.metrics.render()
        assert b'ml_streams_ended_total{outcome="abandoned"} 1.0' in metrics
        assert b"ml_streams_open 0.0" in metrics

    asyncio.run(scenario())


def test_events_are_in_the_contract() -> None:
    schemas = create_app(Settings()).openapi()["components"]["schemas"]
    mapping = schemas["StreamEvent"]["discriminator"]["mapping"]
    assert sorted(mapping) == ["done", "error", "prediction"]
