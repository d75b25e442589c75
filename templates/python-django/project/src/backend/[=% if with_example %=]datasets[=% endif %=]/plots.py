"""Distributions as SVG with axes. In a page they take its colour; alone they follow the reader's light or dark."""

from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from django.utils.safestring import SafeString, mark_safe

from backend.datasets.profile import Column, Histogram, Kind, TopValue

WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BASE = 46, 12, 10, 122
LINE, LABEL, COUNT = 20, 130, 84
LABEL_LENGTH = 20
# Three to one and more against white as against black.
COLOUR = "#3b7ec4"
ALONE = "<style>svg{color:#1f2328}@media (prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
# A page with more drawings than this is slow in every browser.
DRAWN = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def drawings(columns: list[Column]) -> list[tuple[Column, SafeString]]:
    """Draw the columns of a page, as many as it can bear."""
    # Safe: `plot` escapes every text it draws.
    return [(column, mark_safe(plot(column))) for column in columns[:DRAWN]]  # noqa: S308


def plot(column: Column, *, alone: bool = False) -> str:
    """Draw a histogram of what lies on a scale, or the most frequent values of anything else."""
    if column.histogram:
        height, shapes = HEIGHT, _histogram(column.histogram, column.kind)
    elif column.top:
        height, shapes = LINE * len(column.top), _frequent(column.top)
    else:
        reason = "no values" if column.distinct == 0 else "every value is rare"
        height, shapes = LINE, f'<text x="1" y="14">{reason}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="11" fill="currentColor">'
        f"<title>{_text(f'Distribution of {column.name}', 80)}</title>{ALONE if alone else ''}{shapes}</svg>"
    )


def _histogram(histogram: Histogram, kind: Kind) -> str:
    highest = max(histogram.counts, default=0) or 1
    wide = WIDTH - LEFT - RIGHT
    step = wide / max(len(histogram.counts), 1)
    tall = BASE - TOP
    width = (histogram.high - histogram.low) / max(len(histogram.counts), 1)
    edges = [_end(histogram.low + place * width, kind) for place in range(len(histogram.counts) + 1)]
    bars = "".join(
        _bar(
            *(LEFT + place * step + 0.5, BASE - tall * count / highest, step - 1, tall * count / highest),
            f"{edges[place]} to {edges[place + 1]}: {count}",
        )
        for place, count in enumerate(histogram.counts)
    )
    return _axes(highest, histogram, kind) + bars


def _axes(highest: int, histogram: Histogram, kind: Kind) -> str:
    """Draw the counts at the left and the values below, with a line for each number."""
    shapes = ""
    for count in sorted({0, highest // 2, highest}):
        y = BASE - (BASE - TOP) * count / highest
        shapes += _line(LEFT, y, WIDTH - RIGHT, y) + _label(LEFT - 5, y + 4, _short(count), "end")
    ends = sorted({histogram.low, (histogram.low + histogram.high) / 2, histogram.high})
    for place, anchor in zip(ends, ("start", "middle", "end") if len(ends) > 1 else ("start",), strict=True):
        span = histogram.high - histogram.low
        x = LEFT + (WIDTH - LEFT - RIGHT) * ((place - histogram.low) / span if span else 0)
        shapes += _line(x, BASE, x, BASE + 4) + _label(x, BASE + 18, _end(place, kind), anchor)
    return shapes


def _end(value: float, kind: Kind) -> str:
    """Write a number of the axis as what it stands for."""
    if kind is Kind.DATE:
        moment = EPOCH + timedelta(seconds=value)
        return f"{moment:%Y-%m-%d}" if moment.year >= 1000 else str(moment.date())
    if kind is Kind.DURATION:
        return str(timedelta(seconds=round(value)))
    return f"{value:.6g}"


def _short(count: int) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= 10 * size:
            return f"{count / size:.3g}{letter}"
    return str(count)


def _frequent(values: list[TopValue]) -> str:
    """Draw a line for each value: what it is, a bar, how often it is there, and its share."""
    longest = (WIDTH - LABEL - COUNT) / values[0].count
    return "".join(
        _label(LABEL - 6, place * LINE + 14, each.value, "end")
        + _bar(LABEL, place * LINE + 2, each.count * longest, LINE - 4, f"{each.value}: {each.count}")
        + _label(LABEL + each.count * longest + 5, place * LINE + 14, f"{_short(each.count)} ({each.share:.1%})")
        for place, each in enumerate(values)
    )


def _bar(x: float, y: float, width: float, height: float, title: str) -> str:
    size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {size} fill="{COLOUR}"><title>{_text(title, 80)}</title></rect>'


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    place = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {place} stroke="currentColor" stroke-opacity="0.35"/>'


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_text(text, LABEL_LENGTH)}</text>'


def _text(value: str, length: int) -> str:
    # XML has no place for control characters, escaped or not.
    shown = "".join(letter for letter in value if letter.isprintable())
    return escape(shown if len(shown) <= length else f"{shown[: length - 1]}…")
