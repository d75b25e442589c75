"""OpenTelemetry, where its packages are installed and an endpoint is named; otherwise nothing, not even its import."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from types import ModuleType

import structlog

from backend.env import load

log = structlog.get_logger(__name__)
_tracing: ModuleType | None = None


def start() -> None:
    """Trace requests, statements and tasks, and send the spans to OTEL_EXPORTER_OTLP_ENDPOINT."""
    global _tracing  # noqa: PLW0603 - once in a process
    env = load()
    if env.otel_exporter_otlp_endpoint is None:
        return
    if find_spec("opentelemetry.sdk") is None if find_spec("opentelemetry") else True:
        log.warning("no telemetry: its packages are not installed; requirements.txt has them")
        return
    from backend.core import tracing  # noqa: PLC0415 - its packages are optional

    tracing.start(str(env.otel_exporter_otlp_endpoint), env.otel_service_name, env.otel_traces_sampler_arg)
    _tracing = tracing


def ids() -> dict[str, str]:
    """Give what lines of the log say of the trace that goes on here."""
    return _tracing.ids() if _tracing else {}


def here() -> dict[str, str]:
    """Give the place in the trace, as the header `traceparent` writes it, for work that is done later."""
    return _tracing.here() if _tracing else {}


def work(name: str, came_from: Mapping[str, str]) -> AbstractContextManager[object]:
    """Trace work that has come from somewhere else: `came_from` is what `here` has said there."""
    return _tracing.work(name, came_from) if _tracing else nullcontext()
