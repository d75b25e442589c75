"""A CSV file in pieces: blocks of whole rows, each checked before a parser sees it."""

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from backend.datasets.profile import FileProblem

BLOCK = 4 * 1024 * 1024
MAX_RECORD = 1024 * 1024
MAX_COLUMNS = 1000
DELIMITERS = ",;\t|"


class Header(NamedTuple):
    """The names of the columns, what stands between them, and how many lines they take."""

    names: list[str]
    delimiter: str
    lines: int


def header(path: Path) -> Header:
    """Read the header; names are made up for the columns that have none."""
    start = next(blocks(path), b"").decode("utf-8-sig")
    delimiter = max(DELIMITERS, key=start.partition("\n")[0].count)
    reader = csv.reader(start.splitlines(keepends=True), delimiter=delimiter)
    try:
        names = next(reader, [])
    except csv.Error as error:
        msg = f"The header cannot be read: {error}."
        raise FileProblem(msg) from None
    names = [name.strip() or f"column_{position}" for position, name in enumerate(names, start=1)]
    if not names:
        raise FileProblem("The first line is empty; it should name the columns.")
    if len(names) > MAX_COLUMNS:
        msg = f"The file has {len(names)} columns; at most {MAX_COLUMNS} can be profiled."
        raise FileProblem(msg)
    if twice := next((name for name in names if names.count(name) > 1), None):
        msg = f"Two columns have the name {twice[:100]!r}."
        raise FileProblem(msg)
    return Header(names, delimiter, reader.line_num)


def blocks(path: Path) -> Iterator[bytes]:
    """Give the file in blocks that end where a row ends, and refuse what a parser could only choke on."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest, read = b"", 0
    with path.open("rb") as file:
        while piece := file.read(BLOCK):
            _check_text(piece, decoder, read)
            read += len(piece)
            whole, rest = _split(rest + piece)
            if len(rest) > MAX_RECORD:
                msg = f"A row is longer than {MAX_RECORD} bytes, or a quotation mark is never closed."
                raise FileProblem(msg)
            if whole:
                yield whole
    if read == 0:
        raise FileProblem("The file is empty.")
    if rest.count(b'"') % 2:
        raise FileProblem("A quotation mark is opened and never closed.")
    if rest:
        yield rest


def _check_text(piece: bytes, decoder: codecs.IncrementalDecoder, read: int) -> None:
    if b"\0" in piece:
        raise FileProblem("The file holds binary data; a CSV file holds UTF-8 text.")
    try:
        decoder.decode(piece)
    except UnicodeDecodeError as error:
        msg = f"The file is not UTF-8 text, near byte {read + error.start}: save it as UTF-8."
        raise FileProblem(msg) from None


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Cut behind the last row that is whole; a line break within quotation marks does not end one."""
    end = data.rfind(b"\n") + 1
    if b'"' in data:
        quotes = data.count(b'"', 0, end)
        # The data begins outside quotation marks, so an odd number of them means that the cut is inside some.
        while end and quotes % 2:
            before = data.rfind(b"\n", 0, end - 1) + 1
            quotes -= data.count(b'"', before, end)
            end = before
    return data[:end], data[end:]
