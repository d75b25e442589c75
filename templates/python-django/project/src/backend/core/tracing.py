"""The tracer: Django's requests, PostgreSQL's statements and tasks as spans over OTLP."""

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PROPAGATOR = TraceContextTextMapPropagator()
# In the older conventions and in the newer ones.
ADDRESSES = {"http.target", "http.url", "url.full"}


class WithoutMessages(SpanProcessor):
    """Takes the texts of errors out of spans: a database's names the values of the row, a task's may name anything.

    The log has them. Whatever processor comes after this one sees the same span.
    """

    def on_end(self, span: ReadableSpan) -> None:
        """Keep whether it failed."""
        span._status = trace.Status(span.status.status_code)  # noqa: SLF001 - there is no other way
        span._events = ()  # noqa: SLF001


def start(endpoint: str, service: str, share: float) -> None:
    """Install the tracer of this process. What else the standard variables say, the exporter reads itself."""
    resource = Resource.create({"service.name": service})
    provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(share))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(WithoutMessages())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(excluded_urls="livez,readyz", request_hook=without_query)
    PsycopgInstrumentor().instrument()
    atexit.register(provider.shutdown)


def without_query(span: Any, _request: object) -> None:
    """Leave out what stands behind the path: what somebody looks for, or the code with which somebody signs in."""
    for name in ADDRESSES & (span.attributes or {}).keys():
        span.set_attribute(name, str(span.attributes[name]).partition("?")[0])
    if "url.query" in (span.attributes or {}):
        span.set_attribute("url.query", "")


def ids() -> dict[str, str]:
    """Give the id of the trace that goes on here."""
    context = trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(context.trace_id)} if context.is_valid else {}


def here() -> dict[str, str]:
    """Give the place in the trace."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier


@contextmanager
def work(name: str, came_from: Mapping[str, str]) -> Iterator[None]:
    """Begin a trace that links to where the work came from: it may be done much later, and more than once."""
    origin = trace.get_current_span(PROPAGATOR.extract(came_from)).get_span_context()
    links = [trace.Link(origin)] if origin.is_valid else []
    tracer = trace.get_tracer(__name__)
    nowhere = trace.set_span_in_context(trace.INVALID_SPAN)
    with tracer.start_as_current_span(name, nowhere, trace.SpanKind.CONSUMER, links=links):
        structlog.contextvars.bind_contextvars(**ids())
        yield
