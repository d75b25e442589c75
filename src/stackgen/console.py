"""Results as text for people or as one versioned JSON envelope. Returns strings, never prints."""

import json
import shlex
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from stackgen import advice
from stackgen.article import COMPARISON
from stackgen.choices import spoken
from stackgen.errors import StackgenError
from stackgen.layout import Style as Style  # noqa: PLC0414 - whoever asks for a page says in which style
from stackgen.layout import bullets, command, page, table
from stackgen.recommend import Recommendation
from stackgen.stacks import Catalogue, Record, how_to_offer, own

SCHEMA = 1
"""Version of the JSON envelope; it changes when a key is removed or changes its meaning."""


def success(version: str, command: str, result: Mapping[str, object]) -> str:
    """Give the envelope of a command that did what it was asked."""
    return _envelope(version, command, {"ok": True, "result": result})


def failure(version: str, command: str, error: StackgenError) -> str:
    """Give the envelope of an expected failure."""
    described: dict[str, object] = {
        "code": error.code,
        "exit_code": error.exit_code,
        "message": error.message,
        "hint": error.hint,
    }
    if error.details is not None:
        described["details"] = dict(error.details)
    return _envelope(version, command, {"ok": False, "error": described})


def _envelope(version: str, command: str, outcome: Mapping[str, object]) -> str:
    head = {"stackgen": {"schema": SCHEMA, "version": version}, "command": command}
    return json.dumps({**head, **outcome}, indent=2, ensure_ascii=False)


def comparison_data(catalogue: Catalogue) -> dict[str, object]:
    """Give the article's table and what our templates hold, as JSON data."""
    rows = [{"subject": s, "node": n, "python": p, "go": g} for s, n, p, g in COMPARISON]
    return {"rows": rows, "templates": {name: list(record.contents) for name, record in catalogue.records.items()}}


def comparison_text(catalogue: Catalogue, style: Style) -> str:
    """Give the article's table and what our templates hold."""
    header = ("", "Node.js (TypeScript)", "Python", "Go")
    lines = [*table((header, *COMPARISON), style), "", style.bold("What our templates hold")]
    for name, record in catalogue.records.items():
        lines.append(advice.named(name, record.title, style))
        lines += bullets(record.contents, style)
    return "\n".join(lines)


def stacks_data(known: Mapping[str, Record], offered: Container[str]) -> dict[str, object]:
    """Give the stacks and whether the template at hand offers them, as JSON data."""
    return {
        "stacks": [
            {"stack": name, "title": record.title, "available": name in offered} for name, record in known.items()
        ]
    }


def stacks_text(known: Mapping[str, Record], offered: Container[str], style: Style) -> str:
    """Give the stacks and whether the template at hand offers them."""
    ours = own().records
    rows = [(n, record.title, "" if n in offered else "not in this template") for n, record in known.items()]
    idle = [f"To offer {n}, {how_to_offer(n)}." for n in known if n not in offered and n not in ours]
    return "\n".join([*table((("stack", "", ""), *rows), style), *([""] if idle else []), *bullets(idle, style)])


def generated_text(
    recommended: str,
    destination: Path,
    commands: Iterable[str],
    warnings: Iterable[str],
    again: Sequence[str],
    style: Style,
    kept: Sequence[str] = (),
) -> str:
    """Give the page that `new` ends with: what was picked, where it is, what to run next and the command `again`."""
    lines = [recommended, ""]
    lines += [f"{style.bold('Created')} {destination}", *(f"  ! {warning}" for warning in warnings)]
    lines += [f"  Kept as it was: {', '.join(kept)}"] if kept else []
    where = _short(destination)
    lines += ["", style.bold("Next"), *([] if where == "." else [command(f"cd {shlex.quote(where)}", style)])]
    lines += [*(command(each, style) for each in commands), ""]
    lines += [style.bold("The same again, without a question"), *again]
    return page(lines, style)


def preview_text(
    recommendation: Recommendation,
    answers: Mapping[str, object],
    destination: Path,
    files: Sequence[str],
    style: Style,
    digest: str,
) -> str:
    """Give what `new` would write, file by file."""
    lines = [advice.text(recommendation, style), "", style.bold("Answers")]
    lines += [f"  {key}: {spoken(value)}" for key, value in answers.items()]
    lines += ["", style.bold(f"Would write {len(files)} files to {destination}"), *(f"  {name}" for name in files)]
    lines += ["", style.bold("To write exactly this"), f"  the same command with --apply {digest} instead of --plan"]
    return page(lines, style)


def review_text(
    recommendation: Recommendation,
    answers: Mapping[str, object],
    destination: Path,
    files: Sequence[str],
    commands: Iterable[str],
    style: Style,
) -> str:
    """Give the page before anything is written: the answers, the tree with its counts, and what starts the project."""
    lines = [advice.one_line(recommendation, style), "", style.bold("Answers")]
    lines += bullets((f"{key}: {spoken(value)}" for key, value in answers.items()), style)
    lines += ["", style.bold(f"{destination}: {len(files)} files"), *_tree(files)]
    lines += ["", style.bold("To start it then"), *(command(each, style) for each in commands)]
    return page(lines, style)


def _tree(files: Iterable[str]) -> Iterator[str]:
    """Give the top folders with the number of files below each, then the number of files beside them."""
    counts = Counter(name.partition("/")[0] if "/" in name else "" for name in files)
    beside = counts.pop("", 0)
    width = max(map(len, counts), default=0) + 1
    yield from (f"  {f'{folder}/'.ljust(width)}  {count}" for folder, count in sorted(counts.items()))
    yield f"  and {beside} beside them"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except (ValueError, OSError):
        return str(path)


def equivalent_command(
    name: str, said: Mapping[str, str], stack: str | None, answers: Mapping[str, object], options: Iterable[str]
) -> str:
    """Give the command that makes the same project without asking; `answers` holds what differs from the defaults."""
    words = ["stackgen", "new", name, "--yes"]
    words += [word for key, value in said.items() for word in (f"--{key}", value)]
    words += ["--stack", stack] if stack else []
    for key, value in answers.items():
        words += ["--data", f"{key}={spoken(value)}"]
    return shlex.join([*words, *options])


def plain_json(data: object) -> str:
    """Give the data as JSON, without an envelope."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def error_text(error: StackgenError, style: Style) -> str:
    """Give the one line that says what is wrong, and one that says what to do."""
    hint = [f"  {error.hint}"] if error.hint else []
    return page([f"{style.bold('stackgen:')} {_one_line(error.message)}", *hint], style)


def _one_line(text: str) -> str:
    return " ".join(text.split())
