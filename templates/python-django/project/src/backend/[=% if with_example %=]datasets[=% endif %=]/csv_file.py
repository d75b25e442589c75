"""A CSV file in pieces: blocks of whole rows in UTF-8 with line feeds, each checked before a parser sees it."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.datasets.profile import MAX_COLUMNS, FileProblem

BLOCK = 4 * 1024 * 1024
MAX_RECORD = 1024 * 1024
DELIMITERS = ",;\t|"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NOT_IN_WINDOWS_1252 = b"\x81\x8d\x8f\x90\x9d"
BINARY = "The file holds binary data; a CSV file holds text."


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written: its letters, what stands between its values, its columns, and where its rows begin."""

    encoding: str
    delimiter: str
    names: list[str]
    first_row: int


def layout(path: Path) -> Layout:
    """Read the header; columns without a name, and those with another's, get one of their own."""
    encoding = _encoding(path)
    start = next(_blocks(path, encoding), b"").decode()
    begin = len(start) - len(start.lstrip("\r\n"))
    told = re.match(r"sep=(.)\r?\n", start[begin:])  # a line that Excel writes and hides
    if told:
        begin += told.end()
    delimiter = told[1] if told else _delimiter(start[begin:])
    # `splitlines` would also break lines at letters such as U+2028, which are part of a name.
    lines = io.StringIO(start[begin:], newline="")
    reader = csv.reader(iter(lines.readline, ""), delimiter=delimiter)
    try:
        header = next(reader, [])
    except csv.Error as error:
        msg = f"The header cannot be read: {error}."
        raise FileProblem(msg) from None
    if not header:
        raise FileProblem("The file has no header: its first line should name the columns.")
    if len(header) > MAX_COLUMNS:
        msg = f"The file has {len(header)} columns; at most {MAX_COLUMNS} can be profiled."
        raise FileProblem(msg)
    first_row = len(start[: begin + lines.tell()].encode())
    return Layout(encoding, delimiter, unique(header), first_row)


def rows(path: Path, layout: Layout) -> Iterator[bytes]:
    """Give the rows below the header, without the empty lines between them."""
    skip = layout.first_row
    for block in _blocks(path, layout.encoding):
        below = _without_empty_lines(block[skip:])
        skip = 0
        if below:
            yield below


def unique(names: list[str]) -> list[str]:
    """Give every column a name of its own: the second `a` is called `a.1`, and one without a name `column_3`."""
    given = [name.strip().replace("\0", "\N{SYMBOL FOR NULL}") for name in names]
    taken, met = set(given), set[str]()
    numbers: dict[str, int] = {}
    result = []
    for position, name in enumerate(given, start=1):
        own = name or f"column_{position}"
        base = own
        while own in met or (own in taken and own != name):
            numbers[base] = numbers.get(base, 0) + 1
            own = f"{base}.{numbers[base]}"
        taken.add(own)
        met.add(own)
        result.append(own)
    return result


def _encoding(path: Path) -> str:
    """Find out how the letters are written: by the mark at the start, as UTF-8 if it is, else as Windows does."""
    with path.open("rb") as file:
        start = file.read(65_536)
    if not start:
        raise FileProblem("The file is empty.")
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    # Of Latin letters in UTF-16, every second byte is zero.
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) > len(start) * 0.3 and min(even, odd) < len(start) * 0.02:
        return "utf-16-le" if odd > even else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf_8, windows = True, True
    with path.open("rb") as file:
        while piece := file.read(BLOCK):
            if b"\0" in piece:
                raise FileProblem(BINARY)
            utf_8 = utf_8 and _decodes(decoder, piece)
            windows = windows and len(piece.translate(None, NOT_IN_WINDOWS_1252)) == len(piece)
    if utf_8 and _decodes(decoder, b"", final=True):
        return "utf-8"
    return "windows-1252" if windows else "latin-1"


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _blocks(path: Path, encoding: str) -> Iterator[bytes]:
    """Give the file in blocks that end where a row ends, and refuse what a parser could only choke on."""
    rest = b""
    for piece in _pieces(path, encoding):
        whole, rest = _split(rest + piece)
        if len(rest) > MAX_RECORD:
            msg = f"A row is longer than {MAX_RECORD} bytes, or a quotation mark is never closed."
            raise FileProblem(msg)
        if whole:
            yield whole
    if rest.count(b'"') % 2:
        raise FileProblem("A quotation mark is opened and never closed.")
    if rest:
        yield rest


def _pieces(path: Path, encoding: str) -> Iterator[bytes]:
    """Give the file as UTF-8, with a line feed where an old Mac has ended a line by a carriage return alone."""
    decoder = codecs.getincrementaldecoder(encoding)()
    old_mac: bool | None = None
    with path.open("rb") as file:
        while piece := file.read(BLOCK):
            try:
                text = piece if encoding == "utf-8" else decoder.decode(piece).encode()
            except UnicodeError:
                msg = f"The file begins as {encoding.removesuffix('-sig').upper()} and does not go on so."
                raise FileProblem(msg) from None
            if b"\0" in text:
                raise FileProblem(BINARY)
            if old_mac is None:
                old_mac = b"\r" in text[:-1] and b"\n" not in text
            yield text.replace(b"\r", b"\n") if old_mac else text


def _delimiter(start: str) -> str:
    """Give what stands most often between the names of the header, outside quotation marks."""
    line = re.sub(r'"[^"]*"', "", start).partition("\n")[0]
    return max(DELIMITERS, key=line.count)


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


def _without_empty_lines(block: bytes) -> bytes:
    """Take out lines without a letter; those within quotation marks belong to a value."""
    block = block.lstrip(b"\r\n")
    if b"\n\n" not in block and b"\n\r\n" not in block:
        return block
    parts = block.split(b'"')
    parts[::2] = [re.sub(rb"\n[\r\n]+", b"\n", part) for part in parts[::2]]
    return b'"'.join(parts)
