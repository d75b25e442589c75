"""What spans tell, and what they do not."""

import pytest
from django.test import RequestFactory
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from backend.core.tracing import WithoutMessages, without_query


def test_a_failure_is_told_without_what_it_says() -> None:
    told = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(WithoutMessages())
    provider.add_span_processor(SimpleSpanProcessor(told))
    with pytest.raises(ValueError, match="ada"), provider.get_tracer("tests").start_as_current_span("INSERT"):
        raise ValueError("Key (email)=(ada@example.com) already exists.")
    (span,) = told.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert "example.com" not in span.to_json()


@pytest.mark.parametrize("name", ["http.target", "http.url", "url.query"])
def test_an_address_is_told_without_what_stands_behind_it(name: str) -> None:
    value = "code=secret" if name == "url.query" else "/accounts/oidc/callback/?code=secret"
    with TracerProvider().get_tracer("tests").start_as_current_span("GET", attributes={name: value}) as span:
        without_query(span, RequestFactory().get("/"))
        assert span.attributes[name] == value.partition("?")[0].replace("code=secret", "")  # type: ignore[attr-defined]
