"""OpenTelemetry, where its packages are installed and an endpoint is named; otherwise nothing."""

from importlib.util import find_spec

import structlog

from backend.env import load

log = structlog.get_logger(__name__)


def start() -> None:
    """Trace requests and statements, and send the spans to OTEL_EXPORTER_OTLP_ENDPOINT."""
    env = load()
    if env.otel_exporter_otlp_endpoint is None:
        return
    if find_spec("opentelemetry.sdk") is None if find_spec("opentelemetry") else True:
        log.warning("no telemetry: its packages are not installed; requirements.txt has them")
        return
    from backend.core import tracing  # noqa: PLC0415 - its packages are optional

    tracing.start(str(env.otel_exporter_otlp_endpoint), env.otel_service_name)
