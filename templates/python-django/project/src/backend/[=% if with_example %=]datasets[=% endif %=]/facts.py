"""What is known of a column after some of its rows, in memory that does not grow with their number.

The first reading finds out what the values are, where they begin and end, how many differ, and which may be frequent.
The second, which knows all that, counts: bins, the frequent values, and what a sample of rows holds.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from backend.datasets import forms
from backend.datasets.forms import Form
from backend.datasets.profile import BINS, MAX_TOP, Column, Histogram, Kind, TopValue
from backend.datasets.sketches import Different, Frequent, Limits, shortened

MOSTLY = 0.5
NEARLY_ALL = 0.95
ENOUGH_TO_JUDGE = 50
# Up to here, each whole number is a number of its own for a computer, too.
EXACT = 2**53


@dataclass
class Facts:
    """A column: `known` is what a Parquet file says of its type; text has to be understood first."""

    limits: Limits
    known: Form | None = None
    rows: int = 0
    missing: int = 0
    infinite: int = 0
    numbers: int = 0
    zeros_before: int = 0
    markers: dict[str, int] = field(default_factory=dict)
    lowest: dict[str, Any] = field(default_factory=dict)
    highest: dict[str, Any] = field(default_factory=dict)
    whole_days: bool = True
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def __post_init__(self) -> None:
        """Begin with everything possible."""
        self.forms: list[Form] = [self.known] if self.known else list(forms.FORMS)
        self.different = Different(self.limits.hashes)
        self.different_numbers = Different(self.limits.hashes)
        self.frequent = Frequent(self.limits.candidates)
        self.bins = [0] * BINS
        self.counted: dict[str, int] = {}

    # --- The first reading --------------------------------------------------------------------------------------

    def learn(self, values: pl.Series) -> None:
        """Take in what more rows say."""
        present = self._present(values)
        self.rows += len(values)
        self.missing += len(values) - len(present)
        if not len(present):
            return
        self.different.add(present)
        self.frequent.add(present)
        numbers: pl.Series | None = None
        kept = []
        for form in self.forms:
            # What is a whole number is a number however numbers are written, and need not be read again.
            again = numbers is not None and form.kind is Kind.NUMBER
            understood = numbers.cast(pl.Float64) if numbers is not None and again else form.fits(present)
            if understood is not None:
                numbers = understood if form.kind in {Kind.INTEGER, Kind.NUMBER} else numbers
                self._learn_as(form, understood)
                kept.append(form)
        self.forms = kept
        if numbers is not None:
            # 1, 1.0 and 01 are one number; adding zero makes one of zero and -0.
            self.different_numbers.add(numbers.cast(pl.Float64) + 0.0)
        if not self.known:
            self._look_for_oddities(present)

    def _present(self, values: pl.Series) -> pl.Series:
        if self.known:
            # What is not a number is no value either.
            return (values.fill_nan(None) if values.dtype.is_float() else values).drop_nulls()
        text = values.str.strip_chars().drop_nulls()
        text = text.filter(text != "")
        missing = text.is_in(forms.MISSING)
        if missing.any():
            for marker, count in text.filter(missing).value_counts().iter_rows():
                self.markers[marker] = self.markers.get(marker, 0) + count
            text = text.filter(~missing)
        return text

    def _learn_as(self, form: Form, values: pl.Series) -> None:
        if form.kind is Kind.DATE:
            self.whole_days = self.whole_days and bool((values.dt.truncate("1d") == values).all())
        if values.dtype.is_float():
            finite = values.filter(values.is_finite())
            if form.name in {"number", "decimal comma"} or self.known:
                self.infinite += 0 if form.name == "decimal comma" else len(values) - len(finite)
            values = finite
        if len(values) and form.kind is not Kind.TEXT:
            low: Any = values.min()
            high: Any = values.max()
            self.lowest[form.name] = min(self.lowest.get(form.name, low), low)
            self.highest[form.name] = max(self.highest.get(form.name, high), high)

    def _look_for_oddities(self, present: pl.Series) -> None:
        if any(form.kind is Kind.INTEGER for form in self.forms):
            self.zeros_before += int(present.str.contains("^0[0-9]").sum())
        before = self.rows - self.missing - len(present)
        if any(form.kind is Kind.NUMBER for form in self.forms):
            self.numbers += len(present)
        elif self.numbers >= before * MOSTLY:
            self.numbers += len(present) - forms.FORMS[2].parse(present).null_count()

    @property
    def form(self) -> Form | None:
        """How the values are written; None when they are text, or when there are none."""
        return self.forms[0] if self.forms and self.rows > self.missing else None

    @property
    def kind(self) -> Kind:
        """The narrowest kind that holds for every value."""
        if self.rows == self.missing:
            return Kind.EMPTY
        return self.form.kind if self.form else Kind.TEXT

    @property
    def is_measured(self) -> bool:
        """Tell whether the values lie on a scale."""
        return self.kind in {Kind.INTEGER, Kind.NUMBER, Kind.DATE, Kind.DURATION}

    @property
    def span(self) -> tuple[float, float] | None:
        """Where a histogram begins and ends."""
        if not (self.is_measured and self.form and self.form.name in self.lowest):
            return None
        ends = [self.lowest[self.form.name], self.highest[self.form.name]]
        low, high = forms.measure(pl.Series(ends, dtype=None, strict=False)).to_list()
        return (low, high)

    @property
    def is_read_twice(self) -> bool:
        """Tell whether the second reading has something to count."""
        return self.is_measured or self.frequent.lost > 0

    # --- The second reading -------------------------------------------------------------------------------------

    def count_in(self, values: pl.Series) -> pl.Series | None:
        """Count more rows, and give their measures with nulls where there are none."""
        if self.frequent.lost:
            text = shortened(self._present(values))
            for value, count in text.filter(text.is_in(self.frequent.candidates.implode())).value_counts().iter_rows():
                self.counted[value] = self.counted.get(value, 0) + count
        if not self.is_measured:
            return None
        measures = self._measures(values)
        numbers = measures.drop_nulls()
        if len(numbers) and self.span:
            self._describe(numbers)
            low, high = self.span
            width = high / BINS - low / BINS  # not (high - low) / BINS, which may be too large for a number
            places = (numbers - low) / width if width and math.isfinite(high - low) else numbers * 0
            for place, count in places.cast(pl.Int64).clip(0, BINS - 1).value_counts().iter_rows():
                self.bins[place] += count
        return measures

    def _measures(self, values: pl.Series) -> pl.Series:
        form = self.form
        assert form  # noqa: S101 - only what is measured comes here
        if not self.known:
            text = values.str.strip_chars()
            values = form.parse(text.set(text.is_in(forms.MISSING), None))
        measures = forms.measure(values)
        return measures.set(~measures.is_finite(), None)

    def _describe(self, numbers: pl.Series) -> None:
        """Join means and sums of squares as Chan does, which stays exact where plain sums do not."""
        mean = float(numbers.mean())  # type: ignore[arg-type]
        squares = float(((numbers - mean) ** 2).sum())
        total = self.count + len(numbers)
        delta = mean - self.mean
        self.mean += delta * len(numbers) / total
        self.squares += squares + delta * delta * self.count * len(numbers) / total
        self.count = total

    # --- The result ---------------------------------------------------------------------------------------------

    def column(self, name: str, quartiles: list[float] | None) -> Column:
        """Give the finished column."""
        present = self.rows - self.missing
        different = self.different_numbers if self._is_told_apart_by_number else self.different
        column = Column(
            name=name,
            kind=self.kind,
            missing=self.missing,
            distinct=different.count(present),
            distinct_is_estimate=different.is_estimate,
            infinite=self.infinite if self.kind is Kind.NUMBER else 0,
            top=self._top(present),
        )
        if self.form and self.span:
            low, high = self.span
            column.minimum, column.maximum = (
                forms.shown(ends[self.form.name], whole_days=self.whole_days) for ends in (self.lowest, self.highest)
            )
            column.histogram = Histogram(low=low, high=high, counts=self.bins)
            if self.kind is not Kind.DATE:
                column.mean = _finite(self.mean)
                column.standard_deviation = _finite(math.sqrt(self.squares / max(1, self.count - 1)))
                if quartiles:
                    column.first_quartile, column.median, column.third_quartile = quartiles
        column.notes = self._notes(column, present)
        return column

    @property
    def _is_told_apart_by_number(self) -> bool:
        """Tell whether values that are written differently may be the same, and others not become so as a number."""
        if self.known or not self.form or self.kind not in {Kind.INTEGER, Kind.NUMBER}:
            return False
        exact = self.kind is Kind.NUMBER or max(-self.lowest["integer"], self.highest["integer"]) <= EXACT
        return bool(exact)

    def _top(self, present: int) -> list[TopValue]:
        counts = self.counted if self.frequent.lost else dict(self.frequent.counts.iter_rows())
        # A value that is rarer than the ones given up is not one of the most frequent for sure.
        surely = self.frequent.lost
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_TOP]
        return [
            TopValue(value=value.replace("\0", "\N{SYMBOL FOR NULL}"), count=count, share=count / present)
            for value, count in ordered
            if count > surely
        ]

    def _notes(self, column: Column, present: int) -> list[str]:
        notes = [f"{count} times {marker}, which counts as missing." for marker, count in sorted(self.markers.items())]
        if self.form and self.form.note:
            notes.append(self.form.note)
        if {forms.MONTH_FIRST, forms.DAY_FIRST} <= {form.name for form in self.forms} and self.kind is Kind.DATE:
            notes.append(forms.BOTH)
        if self.infinite and self.kind is Kind.NUMBER:
            notes.append(f"{self.infinite} values are infinite; they are left out of every number.")
        if self.kind is Kind.TEXT and not self.known and present * MOSTLY <= self.numbers:
            notes.append(f"{self.numbers} of {present} values are numbers, and the others are not.")
        if self.kind is Kind.INTEGER and self.zeros_before:
            notes.append(f"{self.zeros_before} values begin with a zero: codes rather than numbers?")
        if column.distinct == 1 and present > 1:
            notes.append("All values are the same.")
        if (
            self.kind in {Kind.TEXT, Kind.INTEGER}
            and present >= ENOUGH_TO_JUDGE
            and (column.distinct or 0) >= NEARLY_ALL * present
        ):
            notes.append("Nearly every value is different: an identifier?")
        return notes


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
