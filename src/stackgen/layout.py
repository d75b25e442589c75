"""How text fits a terminal: emphasis, wrapped lines, and tables that stay readable when there is little room."""

import os
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

USUAL_WIDTH = 88
MOST_READABLE = 89
NARROWEST_TABLE = 70
_CODES = re.compile(r"\x1b\[[0-9;]*m")
_START = re.compile(r" *(?:[-+~!>·] )?")
_FLAG = re.compile(r"--[\w-]+")
_WORDS = re.compile(r"""(?:--[\w-]+ (?!-))?(?:[^\s"']|"[^"]*"|'[^']*')+""")  # a flag stays beside its value


class Verbatim(str):
    """Lines to be copied as they stand, however narrow the terminal is: a line break more would change them."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Style:
    """Puts emphasis on text where the terminal shows it, and keeps to its width.

    What goes elsewhere than to a terminal has lines as long as they are: a program may look for them.
    """

    color: bool = False
    width: int = USUAL_WIDTH
    terminal: bool = False

    def bold(self, text: str) -> str:
        """Give the text in bold."""
        return self._wrap("1", text)

    def accent(self, text: str) -> str:
        """Give the text in the accent colour."""
        return self._wrap("36", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text


def style_of(stream: object) -> Style:
    """Give the style of a stream: colours and its own width on a terminal, neither anywhere else."""
    if not getattr(stream, "isatty", lambda: False)():
        return Style()
    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(color=color, width=shutil.get_terminal_size().columns, terminal=True)


def page(lines: Iterable[str], style: Style) -> str:
    """Give lines as one text; what is too long for the terminal goes on below where it begins."""
    return "\n".join(part if isinstance(part, Verbatim) else _fit(part, style) for part in lines)


def _fit(text: str, style: Style) -> str:
    return "\n".join(_fitted(line, style) for line in text.split("\n")) if style.terminal else text


def _fitted(line: str, style: Style) -> str:
    if len(_CODES.sub("", line)) <= style.width:
        return line
    found = _START.match(line)
    start = found[0] if found else ""
    return wrapped(line[len(start) :], style, start)


def command(text: str, style: Style) -> str:
    """Give a command to be copied; where the terminal is too narrow, as lines that a shell takes for one."""
    if not style.terminal or len(text) + 2 <= style.width:
        return Verbatim(f"  {text}")
    lines = ["  "]
    for word in _words(text, style.width - 6):
        if lines[-1].strip() and len(lines[-1]) + len(word) + 2 > style.width:
            lines.append("    ")
        lines[-1] += f"{word} "
    return Verbatim("\\\n".join(lines).rstrip())


def _words(text: str, most: int) -> Iterator[str]:
    for word in _WORDS.findall(text):
        flag, _, value = word.partition(" ")
        apart = len(value) <= most < len(word) and _FLAG.fullmatch(flag)
        yield from (flag, value) if apart else (word,)


def bullets(lines: Iterable[str], style: Style, mark: str = "-") -> Iterator[str]:
    """Give each line behind a mark, wrapped."""
    for line in lines:
        yield wrapped(line, style, f"  {mark} ")


def wrapped(line: str, style: Style, start: str = "", most: int = MOST_READABLE) -> str:
    """Give a line as lines of the terminal's width; no word is broken, and no line is longer than is good to read."""
    return textwrap.fill(
        line,
        max(min(style.width, most) - 1, 20),
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def behind(start: str, text: str, style: Style) -> str:
    """Give a text to be shown behind `start`: as wide as the terminal, its further lines below where it begins."""
    lines = [wrapped(line, style, start, style.width).removeprefix(start) for line in text.splitlines()]
    return f"\n{' ' * len(start)}".join(lines)


def table(rows: Sequence[Sequence[str]], style: Style) -> Iterator[str]:
    """Give rows below a header as columns, or one below the other where the terminal is too narrow for that."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if sum(widths) + 2 * len(widths) <= style.width:
        for index, row in enumerate(rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            yield style.bold(line) if index == 0 else line
    elif style.width >= NARROWEST_TABLE:
        yield from _wrapped_table(rows, style)
    else:
        yield from _stacked(rows, style)


def _wrapped_table(rows: Sequence[Sequence[str]], style: Style) -> Iterator[str]:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*rows[0], box=None, padding=(0, 2, 1, 0), pad_edge=False)
    for row in rows[1:]:
        shown.add_row(*(Text(cell) for cell in row))
    with StringIO() as file:
        Console(file=file, width=style.width - 1, color_system=None).print(shown)
        lines = [line.rstrip() for line in file.getvalue().rstrip().splitlines()]
    yield style.bold(lines[0])
    yield from lines[1:]


def _stacked(rows: Sequence[Sequence[str]], style: Style) -> Iterator[str]:
    header = rows[0]
    for row in rows[1:]:
        yield style.bold(row[0])
        for title, cell in zip(header[1:], row[1:], strict=True):
            if cell:
                yield wrapped(f"{title}: {cell}" if title else cell, style, "  ")
