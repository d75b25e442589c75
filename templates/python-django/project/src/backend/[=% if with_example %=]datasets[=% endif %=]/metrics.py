"""What operators are told of data sets."""

from collections.abc import Iterator

from django.db.models import Count, Sum

from backend.datasets.models import Dataset, Status
from backend.metrics import registry
from backend.metrics.rows import Told, Values


@registry.read
def stored() -> Iterator[Told]:
    """Read how many there are, and how much they take."""
    rows = Dataset.objects.order_by().values("status").annotate(count=Count("pk"), bytes=Sum("size"))
    found = {row["status"]: row for row in rows}
    counts: Values = {(state,): found[state]["count"] if state in found else 0 for state in Status.values}
    yield Told("datasets", "Data sets, by how far their profile is.", ("state",), counts)
    yield Told("datasets_bytes", "Bytes of their files.", (), {(): sum(row["bytes"] for row in rows)})
