"""From a file to its profile: `python -m backend.datasets.reader FILE FORMAT MEBIBYTES SECONDS`.

The process may not take more memory or time than that: what is in the file decides how much it needs, and a file comes
from outside.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# Before polars starts them: each of its threads holds a part of the file.
os.environ.setdefault("POLARS_MAX_THREADS", str(min(4, os.cpu_count() or 1)))

import polars as pl

from backend.datasets.engine import CsvTable, table
from backend.datasets.facts import Facts
from backend.datasets.profile import (
    CORRELATED,
    PREVIEW_COLUMNS,
    PREVIEW_ROWS,
    REFUSED,
    TOO_LARGE,
    Correlation,
    FileProblem,
    Kind,
    Profile,
)
from backend.datasets.sketches import Limits, shortened

MEBIBYTE = 1024 * 1024


def read(path: Path, file_format: str) -> Profile:
    """Read the file twice: once for what is in its columns, and once more to count what was found."""
    try:
        return _read(path, file_format)
    except pl.exceptions.PolarsError as error:
        raise in_plain_words(error) from None


def _read(path: Path, file_format: str) -> Profile:
    opened = table(path, file_format)
    limits = Limits.of(len(opened.names))
    columns = [Facts(limits, known) for known in opened.known]
    first_rows: dict[int, list[str | None]] = {}
    for _, part in opened.parts(list(range(len(columns)))):
        for values in part:
            position = int(values.name)
            if position < PREVIEW_COLUMNS:
                kept = first_rows.setdefault(position, [])
                kept += _shown(values.head(PREVIEW_ROWS - len(kept)))
            columns[position].learn(values)
    rows = max(facts.rows for facts in columns)
    twice = [position for position, facts in enumerate(columns) if facts.is_read_twice]
    again = set(twice)
    chosen = _some_rows(rows, limits.sample)
    sample: dict[str, list[pl.Series]] = {str(position): [] for position in twice if columns[position].is_measured}
    for first, part in opened.parts(twice) if twice else ():
        here = chosen.filter((chosen >= first) & (chosen < first + len(part))) - first
        for values in part:
            position = int(values.name)
            measures = columns[position].count_in(values) if position in again else None
            if measures is not None:
                sample[values.name].append(measures.gather(here))
    measured = pl.DataFrame({name: pl.concat(parts) for name, parts in sample.items()})
    quartiles = {values.name: _quartiles(values.drop_nulls()) for values in measured}
    named = dict(zip((str(position) for position in range(len(columns))), opened.names, strict=True))
    return Profile(
        rows=rows,
        columns=[facts.column(named[str(n)], quartiles.get(str(n))) for n, facts in enumerate(columns)],
        encoding=opened.layout.encoding if isinstance(opened, CsvTable) else None,
        delimiter=opened.layout.delimiter if isinstance(opened, CsvTable) else None,
        sampled_rows=len(chosen) if len(chosen) < rows else None,
        preview=[list(row) for row in zip(*first_rows.values(), strict=True)],
        correlations=_correlations(measured, named, columns),
    )


def _some_rows(rows: int, most: int) -> pl.Series:
    """Choose rows at random, and every time the same ones."""
    chosen = range(rows) if rows <= most else sorted(random.Random(1).sample(range(rows), most))  # noqa: S311 - no secret
    return pl.Series(chosen, dtype=pl.Int64)


def _shown(values: pl.Series) -> list[str | None]:
    return shortened(values).str.replace_all("\0", "\N{SYMBOL FOR NULL}", literal=True).to_list()


def _quartiles(values: pl.Series) -> list[float] | None:
    found = [values.quantile(part, "linear") for part in (0.25, 0.5, 0.75)] if len(values) else []
    return [float(value) for value in found if value is not None] or None


def _correlations(measured: pl.DataFrame, named: dict[str, str], columns: list[Facts]) -> list[Correlation]:
    numbers = [name for name in measured.columns if columns[int(name)].kind in {Kind.INTEGER, Kind.NUMBER}]
    numbers = numbers[:CORRELATED]
    pairs = [(one, other) for place, one in enumerate(numbers) for other in numbers[place + 1 :]]
    if not pairs:
        return []
    found = measured.select(pl.corr(one, other).alias(f"{one} {other}") for one, other in pairs).row(0)
    return [
        Correlation(one=named[one], other=named[other], pearson=max(-1.0, min(1.0, pearson)))
        for (one, other), pearson in zip(pairs, found, strict=True)
        if pearson is not None and pearson == pearson  # noqa: PLR0124 - what is not a number differs from itself
    ]


def in_plain_words(error: pl.exceptions.PolarsError) -> FileProblem:
    """Say what is wrong with a file."""
    if "could not parse" in str(error):  # all values are read as text, so there is only one way to fail
        return FileProblem("A value goes on behind its closing quotation mark: is a comma, semicolon or tab missing?")
    if isinstance(error, pl.exceptions.SchemaError) or "schema" in str(error).lower():
        return FileProblem("A row has more values than there are columns.")
    return FileProblem(f"The file cannot be read: {str(error).splitlines()[0][:200]}.")


def _limit(mebibytes: int, seconds: int) -> None:
    if sys.platform != "linux":  # no other system keeps a process to such limits
        return
    import resource  # noqa: PLC0415 - Windows has none

    # What is reserved is several times what is used, so this is only for what grows faster than the thread below looks.
    resource.setrlimit(resource.RLIMIT_DATA, (4 * mebibytes * MEBIBYTE,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    threading.Thread(target=_watch, args=(mebibytes * MEBIBYTE,), daemon=True).start()


def _watch(most: int) -> None:
    """End the process, whatever it is at, when it uses more memory of its own."""
    page = os.sysconf("SC_PAGE_SIZE")
    while True:
        used, shared = Path("/proc/self/statm").read_text(encoding="ascii").split()[1:3]
        if (int(used) - int(shared)) * page > most:
            os._exit(TOO_LARGE)
        time.sleep(0.02)


def within(mebibytes: int, seconds: int, work: Callable[[], str]) -> int:
    """Do something in so much memory and time, and write what it gives, or why it gives nothing."""
    _limit(mebibytes, seconds)
    try:
        sys.stdout.buffer.write(work().encode())
    except FileProblem as problem:
        sys.stdout.buffer.write(str(problem).encode(errors="replace"))
        return REFUSED
    return 0


def main() -> int:
    """Write the profile, or why there is none."""
    path, file_format, mebibytes, seconds = sys.argv[1:]
    return within(int(mebibytes), int(seconds), lambda: read(Path(path), file_format).model_dump_json())


if __name__ == "__main__":
    sys.exit(main())
