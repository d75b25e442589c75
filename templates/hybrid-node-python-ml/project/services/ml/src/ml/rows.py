"""Instances from a file, so many at a time: the file may be larger than memory."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from ml.schemas import MAX_INSTANCES, PredictRequest
from ml.signature import SIGNATURE, Column, Instance

STANDARD_INPUT = Path("-")


class RowError(Exception):
    """A file that cannot be read, or a line that is no instance."""


def read(file: Path, size: int = MAX_INSTANCES) -> Iterator[list[Instance]]:
    """The instances of a CSV or JSON-lines file, at most so many at once, held to the contract.

    From `-`, standard input, come JSON lines.
    """
    if file == STANDARD_INPUT:
        yield from _chunks("standard input", _json_lines(sys.stdin), size)
        return
    if file.suffix not in _READERS:
        raise RowError(f"{file}: rows are read from {', '.join(sorted(_READERS))}")
    with file.open(encoding="utf-8", newline="") as lines:
        yield from _chunks(str(file), _READERS[file.suffix](lines), size)


def _chunks(
    source: str, numbered: Iterator[tuple[int, object]], size: int
) -> Iterator[list[Instance]]:
    while chunk := list(islice(numbered, min(size, MAX_INSTANCES))):
        yield _checked(source, chunk)


def first(file: Path, most: int) -> list[Instance]:
    """So many instances of a file."""
    return list(islice(chain.from_iterable(read(file)), most))


def _checked(source: str, chunk: list[tuple[int, object]]) -> list[Instance]:
    try:
        return PredictRequest.model_validate({"instances": [row for _, row in chunk]}).instances
    except ValidationError as error:
        found = error.errors()[0]
        _, row, *place = found["loc"]
        column = f", column {_column(place[0])}" if place else ""
        raise RowError(f"{source}, line {chunk[int(row)][0]}{column}: {found['msg']}") from error


def _column(place: int | str) -> int | str:
    return place + 1 if isinstance(place, int) else place


def _csv(lines: TextIO) -> Iterator[tuple[int, object]]:
    if SIGNATURE.schema.get("type") == "string":
        raise RowError("texts and bytes are read from JSON lines: a string on each")
    return _named(lines) if SIGNATURE.is_named else _unnamed(lines)


def _named(lines: TextIO) -> Iterator[tuple[int, object]]:
    """Rows by the names in the first line; columns that the task does not know are left out."""
    try:
        columns = SIGNATURE.columns
    except TypeError as error:
        raise RowError(
            "these instances are read from JSON lines: they are no rows of cells"
        ) from error
    reader = csv.DictReader(lines)
    for row in reader:
        known = [(name, one, row.get(name)) for name, one in columns.items()]
        yield (
            reader.line_num,
            {name: _typed(one, cell) for name, one, cell in known if cell or one.optional},
        )


def _typed(column: Column, cell: str | None) -> object:
    """A cell in its column's type, or as it is: then it is told what is wrong with it."""
    with suppress(ValueError):
        match cell, column.kind:
            case (("" | None), _):
                return None
            case str(), "integer":
                return int(cell)
            case str(), "number":
                return float(cell)
            case (("true" | "false"), "boolean"):
                return cell == "true"
    return cell


def _unnamed(lines: TextIO) -> Iterator[tuple[int, object]]:
    reader = csv.reader(lines)
    for row in reader:
        numbers = [_number(cell) for cell in row]
        names = reader.line_num == 1 and all(isinstance(cell, str) for cell in numbers)
        if row and not names:
            yield reader.line_num, numbers


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _json_lines(lines: Iterable[str]) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise RowError(f"line {number} is not JSON: {error}") from error


_READERS = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines}
