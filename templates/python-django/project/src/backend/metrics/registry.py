"""Where the parts of the project count and measure: with prometheus_client's own metrics, or with nothing.

Labels have few values, which are known beforehand: never an address, a person or a team. Without METRICS_PORT nothing
is counted, and the library is not even loaded.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings

from backend.metrics import shared
from backend.metrics.rows import Ask, Rows

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.core import GaugeMetricFamily

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Nothing:
    """A metric of a process that nobody asks."""

    def labels(self, *_: Any, **__: Any) -> Self:
        """Give the metric."""
        return self

    def inc(self, *_: Any) -> None:
        """Do nothing."""

    dec = set = observe = inc

    def time(self) -> AbstractContextManager[None]:
        """Measure nothing."""
        return nullcontext()


def is_on() -> bool:
    """Tell whether anybody may ask."""
    return settings.METRICS_ADDRESS is not None


# A second time, under the same name, it is the same metric.


@cache
def counter(name: str, meaning: str, *labels: str) -> "Counter | Nothing":
    """Give what counts something that happens. Name its labels' values at the start: a rate needs the zero before."""
    if not is_on():
        return Nothing()
    from prometheus_client import Counter  # noqa: PLC0415 - only where it is asked for

    return Counter(name, meaning, labels, registry=_registry())


@cache
def histogram(name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> "Histogram | Nothing":
    """Give what notes how many seconds something took."""
    if not is_on():
        return Nothing()
    from prometheus_client import Histogram  # noqa: PLC0415

    return Histogram(name, meaning, labels, registry=_registry(), buckets=buckets)


@cache
def gauge(name: str, meaning: str) -> "Gauge | Nothing":
    """Give what notes how much there is of something in this process; of several processes, the sum is told."""
    if not is_on():
        return Nothing()
    from prometheus_client import Gauge  # noqa: PLC0415

    return Gauge(name, meaning, registry=_registry(), multiprocess_mode="livesum")


def read(ask: Ask) -> Ask:
    """Have something read from the database whenever somebody wants to know, in whichever process that is."""
    if is_on():
        _read().append(Rows(ask))
    return ask


def scrape() -> bytes:
    """Give every number in Prometheus's format."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    read = CollectorRegistry()
    read.register(_Read())
    rows = generate_latest(read)
    counted = _registry()
    if shared.folder:
        counted = CollectorRegistry()
        MultiProcessCollector(counted, str(shared.folder))  # type: ignore[no-untyped-call]
    return generate_latest(counted) + rows


class _Read:
    """What `read` was given, as prometheus_client wants it."""

    def collect(self) -> Iterator["GaugeMetricFamily"]:
        """Read it all."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

        for rows in _read():
            for told in rows():
                family = GaugeMetricFamily(told.name, told.meaning, labels=told.labels)
                for labels, value in told.values.items():
                    family.add_metric(labels, value)
                yield family


@cache
def _read() -> list[Rows]:
    return []


@cache
def _registry() -> "CollectorRegistry":
    from prometheus_client import CollectorRegistry, disable_created_metrics, values  # noqa: PLC0415

    disable_created_metrics()  # type: ignore[no-untyped-call]
    if shared.folder:
        values.ValueClass = values.MultiProcessValue(lambda: shared.place)  # type: ignore[no-untyped-call]
    return CollectorRegistry()
