"""Tables that people open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(rows: Iterable[Sequence[object]]) -> str:
    """Write rows as CSV in which no text can act as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    # A spreadsheet runs what starts like this, so a column named =HYPERLINK(...) would act on whoever opens it.
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ").startswith(STARTS_A_FORMULA) else value
