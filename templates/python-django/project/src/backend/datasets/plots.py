"""Distributions as SVG, small enough to stand in a table."""

from xml.sax.saxutils import escape

from backend.datasets.profile import Column, Histogram, TopValue

WIDTH, HEIGHT, BASE = 320, 120, 100
LINE, LABEL, COUNT = 18, 120, 50
LABEL_LENGTH = 20
COLOUR = "#2f6fb0"


def plot(column: Column) -> str:
    """Draw a histogram of numbers, or the most frequent values of anything else."""
    if column.histogram:
        height, shapes = HEIGHT, _histogram(column.histogram, (column.minimum or "", column.maximum or ""))
    elif column.top:
        height, shapes = LINE * len(column.top), _frequent(column.top)
    else:
        reason = "no values" if column.distinct == 0 else "too many different values to draw"
        height, shapes = LINE, f'<text x="1" y="13">{reason}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="11" fill="#57606a"><title>{_text(f"Distribution of {column.name}", 80)}'
        f"</title>{shapes}</svg>"
    )


def _histogram(histogram: Histogram, ends: tuple[str, str]) -> str:
    highest = max(histogram.counts, default=0) or 1
    step = WIDTH / max(len(histogram.counts), 1)
    bars = "".join(
        _bar(place * step + 1, BASE - BASE * count / highest, step - 2, BASE * count / highest, str(count))
        for place, count in enumerate(histogram.counts)
    )
    return bars + _label(1, HEIGHT - 5, ends[0]) + _label(WIDTH - 1, HEIGHT - 5, ends[1], "end")


def _frequent(values: list[TopValue]) -> str:
    """Draw a line for each value: what it is, a bar, and how often it is there."""
    longest = (WIDTH - LABEL - COUNT) / values[0].count
    return "".join(
        _label(LABEL - 6, place * LINE + 13, each.value, "end")
        + _bar(LABEL, place * LINE + 2, each.count * longest, LINE - 4, f"{each.value}: {each.count}")
        + _label(LABEL + each.count * longest + 5, place * LINE + 13, str(each.count))
        for place, each in enumerate(values)
    )


def _bar(x: float, y: float, width: float, height: float, title: str) -> str:
    size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {size} fill="{COLOUR}"><title>{_text(title, 80)}</title></rect>'


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_text(text, LABEL_LENGTH)}</text>'


def _text(value: str, length: int) -> str:
    # XML has no place for control characters, escaped or not.
    shown = "".join(letter for letter in value if letter.isprintable())
    return escape(shown if len(shown) <= length else f"{shown[: length - 1]}…")
