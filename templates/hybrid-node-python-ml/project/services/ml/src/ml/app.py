"""The application."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ml import __doc__ as description
from ml.limits import LimitBody
from ml.metrics import Metrics
from ml.observability import ObserveRequests, configure_logs, configure_traces
from ml.problems import FieldError, Problem, install
from ml.registry import RegistryError
from ml.routes import embeddings, health, octets, predict, stream
from ml.runtime import Runtime
from ml.schemas import MAX_BODY_BYTES
from ml.settings import Settings
from ml.signature import SIGNATURE
from ml.streaming import Streams, StreamSettings, event_schemas

log = structlog.get_logger()


def create_app(settings: Settings | None = None) -> FastAPI:
    """An app with its own runtime and metrics; the model is loaded when it starts."""
    settings = settings or Settings()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime = Runtime(settings, metrics)
        app.state.runtime = runtime
        try:
            await runtime.start()
        except RegistryError as error:
            log.error("model_refused", reason=str(error))
            raise
        yield
        await runtime.stop()

    # /docs and what it shows are for development: a browser sends no token.
    openapi_url = None if settings.tokens else "/openapi.json"
    app = FastAPI(
        title="ml",
        version="1",
        description=description,
        lifespan=lifespan,
        openapi_url=openapi_url,
    )
    # The first version that has words for a stream of events.
    app.openapi_version = "3.2.0"
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.streams = Streams(StreamSettings(), metrics)
    app.include_router(health.router)
    app.include_router(predict.router)
    if SIGNATURE.takes_octets:
        app.include_router(octets.router)
    if embeddings.OFFERED:
        app.include_router(embeddings.router)
    app.include_router(stream.router)
    install(app)
    longest = min(settings.max_body_bytes, MAX_BODY_BYTES or settings.max_body_bytes)
    app.add_middleware(LimitBody, max_bytes=longest)
    app.add_middleware(ObserveRequests, metrics=metrics)
    configure_traces(app)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]
    return app


def openapi(app: FastAPI) -> dict[str, Any]:
    """The contract: needs neither a running server nor a model."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version=app.openapi_version,
            description=app.description,
            routes=app.routes,
        )
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        for model in (FieldError, Problem):
            own = model.model_json_schema(ref_template="#/components/schemas/{model}")
            own.pop("$defs", None)
            schemas[model.__name__] = own
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for name, own in event_schemas().items():
            schemas.setdefault(name, own)
        app.openapi_schema = schema
    return app.openapi_schema


def create_reloading_app() -> FastAPI:
    """The app for `ml serve --reload`, whose settings come from the environment alone."""
    configure_logs(os.environ.get("LOG_LEVEL", "info"))
    return create_app()
