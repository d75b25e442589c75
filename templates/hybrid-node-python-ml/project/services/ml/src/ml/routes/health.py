"""Probes and metrics, open to whoever can reach the port."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from ml.problems import ServiceError, documented
from ml.routes.dependencies import runtime_of
from ml.schemas import Live, ModelReference, Ready

router = APIRouter(tags=["health"])


@router.get("/livez", operation_id="livez", responses=documented(503))
async def livez(request: Request) -> Live:
    """Whether the process answers and works on batches: if not, only a new one will."""
    runtime = runtime_of(request)
    if not runtime.batcher.alive:
        detail = "Batches are no longer worked on"
        raise ServiceError(HTTPStatus.SERVICE_UNAVAILABLE, "not_alive", detail)
    return Live()


@router.get("/readyz", operation_id="readyz", responses=documented(503))
async def readyz(request: Request) -> Ready:
    """Whether a model is loaded and batches are being worked on."""
    runtime = runtime_of(request)
    if not runtime.ready:
        raise ServiceError(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "No model is in service")
    card = runtime.model.card
    return Ready(model=ModelReference(name=card.name, version=card.version))


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus metrics."""
    content = request.app.state.metrics.render()
    return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")
