"""Predictions as server-sent events: each one as soon as its batch is ready."""

import asyncio
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Literal

import structlog
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from prometheus_client import Counter, Gauge
from pydantic import BaseModel, Field, RootModel
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.types import Send

from ml import task
from ml.batch import Batch
from ml.metrics import Metrics
from ml.problems import Problem, ServiceError
from ml.runtime import Runtime
from ml.schemas import ModelReference
from ml.task import Prediction

log = structlog.get_logger()

HEARTBEAT = format_sse_event(comment="heartbeat")
# After the deadline, how long the last event may take to be read.
GRACE_SECONDS = 1.0


class PredictionEvent(BaseModel):
    """The prediction for one instance; they come in the order of the instances."""

    type: Literal["prediction"]
    index: int = Field(ge=0, description="Of the instance, from 0")
    prediction: Prediction
    model: ModelReference = Field(description="A new version may take over while a stream runs")


class DoneEvent(BaseModel):
    """The last event of a stream that is complete."""

    type: Literal["done"]
    predictions: int = Field(ge=1, description="How many there were")


class ErrorEvent(BaseModel):
    """The last event of a stream that is not: the instances after the last prediction have none."""

    type: Literal["error"]
    problem: Problem


AnyEvent = Annotated[PredictionEvent | DoneEvent | ErrorEvent, Field(discriminator="type")]


class StreamEvent(RootModel[AnyEvent]):
    """The data of a server-sent event, whose name is its `type`."""


def event_schemas() -> dict[str, Any]:
    """What the contract says of events, by the names of the schemas."""
    schema = StreamEvent.model_json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    return {**schema.pop("$defs"), StreamEvent.__name__: schema}


class StreamSettings(BaseSettings):
    """What streams can be told; see .env.example."""

    model_config = SettingsConfigDict(env_prefix="ML_", env_ignore_empty=True, extra="ignore")

    stream_max_open: int = Field(64, ge=1)
    stream_heartbeat_seconds: float = Field(5.0, gt=0)


class Streams:
    """The streams that are open: so many and no more."""

    def __init__(self, settings: StreamSettings, metrics: Metrics) -> None:
        self.settings = settings
        self._open = 0
        gauge = Gauge("ml_streams_open", "Streams now", registry=metrics.registry)
        gauge.set_function(lambda: self._open)
        self._ended = Counter(
            "ml_streams_ended", "Streams by their end", ["outcome"], registry=metrics.registry
        )

    def admit(self) -> None:
        """Refuse a stream beyond the last one that may be open."""
        if self._open >= self.settings.stream_max_open:
            busy, detail = HTTPStatus.SERVICE_UNAVAILABLE, "Too many streams are open"
            raise ServiceError(busy, "too_many_streams", detail, retry_after=1)

    def opened(self) -> None:
        """Count a stream in."""
        self._open += 1

    def ended(self, outcome: str) -> None:
        """Count a stream out."""
        self._open -= 1
        self._ended.labels(outcome).inc()


class EventStream(StreamingResponse):
    """Sends events as fast as they are read, and never for longer than the caller waits.

    When the caller hangs up, the task that sends is cancelled, and with it the batch that it
    waits for, unless that is running already.
    """

    media_type = "text/event-stream"

    def __init__(
        self, streams: Streams, events: AsyncIterator[StreamEvent], deadline: float
    ) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(self._encoded(events), headers=headers)
        self._streams = streams
        self._deadline = deadline
        self._outcome = "abandoned"

    async def stream_response(self, send: Send) -> None:
        """Send every event, or cut the connection of a caller that no longer reads."""
        self._streams.opened()
        try:
            seconds = max(0.0, self._deadline - time.monotonic()) + GRACE_SECONDS
            async with asyncio.timeout(seconds):
                await super().stream_response(send)
        except TimeoutError:
            log.warning("stream_not_read")
        finally:
            self._streams.ended(self._outcome)

    async def _encoded(self, events: AsyncIterator[StreamEvent]) -> AsyncIterator[bytes]:
        while True:
            coming = asyncio.ensure_future(anext(events, None))
            try:
                while not coming.done():
                    await asyncio.wait([coming], timeout=self._heartbeat)
                    if not coming.done():
                        yield HEARTBEAT
            finally:
                coming.cancel()
            if (event := coming.result()) is None:
                return
            name = event.root.type
            if name != "prediction":
                self._outcome = name
            yield format_sse_event(event=name, data_str=event.model_dump_json())

    @property
    def _heartbeat(self) -> float:
        return self._streams.settings.stream_heartbeat_seconds


async def predict_each(
    runtime: Runtime, batch: Batch, deadline: float, step: int
) -> AsyncIterator[StreamEvent]:
    """An event for each instance, so many at a time, and one for the end."""
    start = 0
    try:
        for part in batch.split(step):
            outputs, model = await runtime.predict(part, deadline, _waits)
            reference = ModelReference(name=model.card.name, version=model.card.version)
            for index, prediction in enumerate(task.decode(outputs, model.card), start):
                yield StreamEvent(
                    PredictionEvent(
                        type="prediction", index=index, prediction=prediction, model=reference
                    )
                )
            start += len(part)
    except ServiceError as error:
        yield _failed(error.status, error.code, error.detail)
    except Exception:
        log.exception("stream_failed")
        yield _failed(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", None)
    else:
        yield StreamEvent(DoneEvent(type="done", predictions=len(batch)))


async def _waits() -> bool:
    """Whoever reads a stream is there: otherwise its task would have been cancelled."""
    return False


def _failed(status: HTTPStatus, code: str, detail: str | None) -> StreamEvent:
    problem = Problem(title=status.phrase, status=status, code=code, detail=detail)
    return StreamEvent(ErrorEvent(type="error", problem=problem))
