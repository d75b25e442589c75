"""Predictions as a stream of events."""

from typing import cast

from fastapi import APIRouter, Depends, Request, Response

from ml.auth import authenticate
from ml.problems import documented
from ml.routes.dependencies import Timeout, deadline_of, runtime_of
from ml.schemas import PredictRequest
from ml.serving import encode
from ml.streaming import EventStream, Streams, predict_each

router = APIRouter(prefix="/v1", tags=["predictions"], dependencies=[Depends(authenticate)])

# As OpenAPI 3.2 describes a stream: one event after the other, whose data is text that holds JSON.
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["prediction", "done", "error"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/StreamEvent"},
        },
    },
}


@router.post(
    "/predict:stream",
    operation_id="predictStream",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events, whose name is the `type` in their data. `done` or "
            "`error` is the last one; a stream that ends without either was cut off. Comments keep "
            "the connection alive.",
            "content": {"text/event-stream": {"itemSchema": _EVENT}},
        },
        **documented(400, 401, 413, 422, 500, 503),
    },
)
async def predict_stream(
    body: PredictRequest, request: Request, timeout_ms: Timeout = None
) -> EventStream:
    """Predict for each instance, and send each prediction when it is ready."""
    runtime, streams = runtime_of(request), cast("Streams", request.app.state.streams)
    deadline = deadline_of(request, timeout_ms)
    batch = encode(body.instances)
    streams.admit()
    runtime.batcher.admit(batch, deadline)
    step = request.app.state.settings.max_batch
    return EventStream(streams, predict_each(runtime, batch, deadline, step), deadline)
