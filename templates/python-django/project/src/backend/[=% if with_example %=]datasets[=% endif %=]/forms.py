"""How the text of a CSV file is understood: what is missing, what is a number, and what is a date."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from backend.datasets.profile import Kind

# What pandas takes for missing, too.
MISSING = (
    *("NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "NULL", "null", "None", "NaN", "nan", "-NaN", "-nan"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SAMPLE = 100


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write values. `parse` gives null for whatever is not written so."""

    name: str
    kind: Kind
    parse: Callable[[pl.Series], pl.Series]
    note: str = ""
    begins: str = ""

    def fits(self, present: pl.Series) -> pl.Series | None:
        """Give the values as what they are, or None when one of them is written in another way."""
        # The first one alone, and then a few of them, tell most columns apart, for little.
        if self.begins and not re.match(self.begins, present[0], re.ASCII | re.IGNORECASE):
            return None
        if self.parse(present.head(SAMPLE)).null_count():
            return None
        values = self.parse(present)
        return None if values.null_count() else values


def _boolean(text: pl.Series) -> pl.Series:
    words = text.str.to_lowercase()
    known = words.is_in(["true", "false"])
    return (words == "true").set(~known, None)


def _integer(text: pl.Series) -> pl.Series:
    whole = text.cast(pl.Int64, strict=False)
    # Identifiers of 20 digits and more keep all of them.
    return text.cast(pl.Int128, strict=False) if whole.null_count() else whole


def _number(text: pl.Series) -> pl.Series:
    return text.cast(pl.Float64, strict=False).fill_nan(None)


def _decimal_comma(text: pl.Series) -> pl.Series:
    good = text.str.contains(r"^[+-]?([0-9]+,?[0-9]*|,[0-9]+)([eE][+-]?[0-9]{1,3})?$")
    return _number(text.set(~good, None).str.replace(",", ".", literal=True))


def _moment(*formats: str) -> Callable[[pl.Series], pl.Series]:
    """Read dates and times; what has an offset is compared as the instant it is, what has none as UTC."""

    def parse(text: pl.Series) -> pl.Series:
        found = pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("us"))
        for form in formats:
            if found.null_count() == 0:
                break
            found = found.fill_null(_read(text, form)) if len(text) else found
        # A year of two digits would be one of the first century.
        return found.set(~found.dt.year().is_between(1000, 9999), None)

    return parse


def _read(text: pl.Series, form: str) -> pl.Series:
    if form.endswith("%z"):
        read = text.str.replace("Z$", "+00:00").str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
        return read.dt.replace_time_zone(None)
    if "%H" in form:
        return text.str.to_datetime(form, strict=False, time_unit="us")
    return text.str.to_date(form, strict=False).cast(pl.Datetime("us"))


def _with_times(day: str) -> tuple[str, ...]:
    return (day, f"{day} %H:%M:%S%.f", f"{day} %H:%M")


ISO_TIMES = tuple(
    f"%Y-%m-%d{between}{time}{offset}"
    for offset in ("", "%z")
    for between in ("T", " ")
    for time in ("%H:%M:%S%.f", "%H:%M")
)
BOTH = "Read as month/day/year; day/month/year would be possible, too."
FORMS = (
    Form("boolean", Kind.BOOLEAN, _boolean, begins=r"true|false"),
    Form("integer", Kind.INTEGER, _integer, begins=r"[+-]?\d"),
    Form("number", Kind.NUMBER, _number, begins=r"[+-]?(\d|\.\d|inf)"),
    Form("decimal comma", Kind.NUMBER, _decimal_comma, "Commas stand for decimal points.", r"[+-]?[\d,]"),
    Form("2026-01-31", Kind.DATE, _moment("%Y-%m-%d", *ISO_TIMES), begins=r"\d{4}-\d"),
    Form("2026/01/31", Kind.DATE, _moment(*_with_times("%Y/%m/%d")), begins=r"\d{4}/\d"),
    Form("31.01.2026", Kind.DATE, _moment(*_with_times("%d.%m.%Y")), begins=r"\d{1,2}\.\d{1,2}\.\d{4}"),
    Form("01/31/2026", Kind.DATE, _moment(*_with_times("%m/%d/%Y")), begins=r"\d{1,2}/\d{1,2}/\d{4}"),
    Form("31/01/2026", Kind.DATE, _moment(*_with_times("%d/%m/%Y")), begins=r"\d{1,2}/\d{1,2}/\d{4}"),
    Form("31-Jan-2026", Kind.DATE, _moment("%d-%b-%Y", "%d %b %Y", "%d %B %Y"), begins=r"\d{1,2}[- ][a-z]{3}"),
    Form("Jan 31 2026", Kind.DATE, _moment("%b %d %Y", "%b %d, %Y", "%B %d, %Y"), begins=r"[a-z]{3,9} \d"),
)
MONTH_FIRST, DAY_FIRST = "01/31/2026", "31/01/2026"


def measure(values: pl.Series) -> pl.Series:
    """Give what can be counted into bins as numbers: of dates the seconds since 1970, of durations their seconds."""
    if isinstance(values.dtype, (pl.Datetime, pl.Date)):
        return values.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64) / 1e6
    if isinstance(values.dtype, pl.Duration):
        return values.cast(pl.Duration("us")).cast(pl.Int64).cast(pl.Float64) / 1e6
    return values.cast(pl.Float64)


def shown(value: object, *, whole_days: bool) -> str:
    """Write the smallest or the largest value exactly."""
    if isinstance(value, datetime):
        moment = value.isoformat()
        return moment[:10] if whole_days else moment
    return value.isoformat() if isinstance(value, date) else str(value)
