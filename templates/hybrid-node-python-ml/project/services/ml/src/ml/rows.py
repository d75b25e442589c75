"""Rows of features from a file, so many at a time: the file may be larger than memory."""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from pydantic import ValidationError

from ml.schemas import MAX_INSTANCES, PredictRequest
from ml.serving import encode
from ml.tensors import Array


class RowError(Exception):
    """A file that cannot be read, or a line that is no row of features."""


def read(file: Path, size: int = MAX_INSTANCES) -> Iterator[Array]:
    """The rows of a CSV or JSON-lines file, at most so many at once, held to the contract."""
    if file.suffix not in _READERS:
        raise RowError(f"{file}: rows are read from {', '.join(sorted(_READERS))}")
    with file.open(encoding="utf-8", newline="") as lines:
        numbered = _READERS[file.suffix](lines)
        while chunk := list(islice(numbered, min(size, MAX_INSTANCES))):
            yield _checked(file, chunk)


def _checked(file: Path, chunk: list[tuple[int, object]]) -> Array:
    try:
        return encode(PredictRequest.model_validate({"instances": [row for _, row in chunk]}))
    except ValidationError as error:
        found = error.errors()[0]
        _, row, *place = found["loc"]
        column = f", column {int(place[0]) + 1}" if place else ""
        raise RowError(f"{file}, line {chunk[int(row)][0]}{column}: {found['msg']}") from error


def _csv(lines: TextIO) -> Iterator[tuple[int, object]]:
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


def concatenated(file: Path, most: int) -> Array:
    """About so many rows of a file as one matrix."""
    return np.concatenate(list(islice(read(file), max(1, most // MAX_INSTANCES))))


_READERS = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines}
