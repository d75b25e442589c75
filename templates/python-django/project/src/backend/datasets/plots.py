"""Distributions as SVG, small enough to stand in a table."""

from xml.sax.saxutils import escape

from backend.datasets.profile import Column

WIDTH, HEIGHT, BASE = 320, 120, 100
LABEL_LENGTH = 40


def plot(column: Column) -> str:
    """Draw a histogram of numbers, or the most frequent values of anything else."""
    if column.histogram:
        bars = [(count, "") for count in column.histogram.counts]
        labels = (column.minimum or "", column.maximum or "")
    else:
        bars = [(top.count, top.value) for top in column.top]
        labels = (f"{len(bars)} most frequent values" if bars else "too many different values to draw", "")
    return _svg(f"Distribution of {column.name}", bars, labels)


def _svg(title: str, bars: list[tuple[int, str]], labels: tuple[str, str]) -> str:
    highest = max((count for count, _ in bars), default=0) or 1
    step = WIDTH / max(len(bars), 1)
    shapes = "".join(
        f'<rect x="{place * step + 1:.1f}" y="{BASE - BASE * count / highest:.1f}" width="{step - 2:.1f}" '
        f'height="{BASE * count / highest:.1f}" fill="#2f6fb0"><title>{_text(f"{label} {count}")}</title></rect>'
        for place, (count, label) in enumerate(bars)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="11" fill="#57606a"><title>{_text(title)}</title>{shapes}'
        f'<text x="1" y="{HEIGHT - 5}">{_text(labels[0])}</text>'
        f'<text x="{WIDTH - 1}" y="{HEIGHT - 5}" text-anchor="end">{_text(labels[1])}</text></svg>'
    )


def _text(value: str) -> str:
    # XML has no place for control characters, escaped or not.
    return escape("".join(letter for letter in value[:LABEL_LENGTH] if letter.isprintable()))
