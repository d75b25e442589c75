"""Prometheus metrics, one registry per app."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class _Live(Collector):
    """Values that are read when they are scraped."""

    def __init__(self, queue: Callable[[], int], drift: Callable[[], dict[str, float]]) -> None:
        self._queue = queue
        self._drift = drift

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("ml_queue_rows", "Rows waiting for a batch", value=self._queue())
        drift = GaugeMetricFamily(
            "ml_drift_psi", "Population stability index against training", labels=["signal"]
        )
        for signal, value in self._drift().items():
            drift.add_metric([signal], value)
        yield drift


class Metrics:
    """Everything the service counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "ml_http_request_duration_seconds",
            "Time to answer a request",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_rows = Histogram(
            "ml_batch_rows", "Rows per batch", buckets=_ROWS, registry=self.registry
        )
        self._batch_seconds = Histogram(
            "ml_batch_duration_seconds", "Inference time", buckets=_SECONDS, registry=self.registry
        )
        self._waited = Histogram(
            "ml_queue_wait_seconds", "Time queued", buckets=_SECONDS, registry=self.registry
        )
        self._refused = Counter(
            "ml_refused", "Requests not worked on", ["reason"], registry=self.registry
        )
        self._model = Gauge(
            "ml_model_info", "The model in service", ["name", "version"], registry=self.registry
        )
        self._reload_failures = Counter(
            "ml_model_reload_failures", "Versions that were refused", registry=self.registry
        )

    def watch(self, queue: Callable[[], int], drift: Callable[[], dict[str, float]]) -> None:
        """Read these values at every scrape."""
        self.registry.register(_Live(queue, drift))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def batch(self, rows: int, seconds: float) -> None:
        """Count a batch."""
        self._batch_rows.observe(rows)
        self._batch_seconds.observe(seconds)

    def waited(self, seconds: float) -> None:
        """Count the time a request was queued."""
        self._waited.observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a request that was not worked on."""
        self._refused.labels(reason).inc()

    def serving(self, name: str, version: str) -> None:
        """Name the model in service."""
        self._model.clear()
        self._model.labels(name, version).set(1)

    def reload_failed(self) -> None:
        """Count a version that was refused."""
        self._reload_failures.inc()

    def render(self) -> bytes:
        """The exposition of every metric."""
        return generate_latest(self.registry)
