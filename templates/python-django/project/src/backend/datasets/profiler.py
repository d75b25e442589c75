"""From a file to its profile, in memory that does not grow with the file."""

from pathlib import Path

from backend.datasets import engine
from backend.datasets.profile import Facts, Profile


def profile(path: Path, file_format: str) -> Profile:
    """Read the file twice: once for what is in its columns, and once more to see how the numbers spread."""
    columns: dict[str, Facts] = {}
    for batch in engine.facts(path, file_format):
        for name, facts in batch.items():
            columns.setdefault(name, Facts()).add(facts)
    spans = {name: facts.span for name, facts in columns.items() if facts.span}
    counts = engine.histograms(path, file_format, spans)
    rows = max((facts.rows for facts in columns.values()), default=0)
    return Profile(rows=rows, columns=[facts.column(name, counts.get(name)) for name, facts in columns.items()])
