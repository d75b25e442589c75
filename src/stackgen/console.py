"""Results as text for people or as one versioned JSON envelope. Returns strings, never prints."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from stackgen.article import COMPARISON, CONTENTS, TITLES
from stackgen.choices import Stack
from stackgen.errors import StackgenError
from stackgen.layout import Style as Style  # noqa: PLC0414 - whoever asks for a page says in which style
from stackgen.layout import bullets, table, wrapped
from stackgen.recommend import Recommendation

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


def recommendation_data(r: Recommendation) -> dict[str, object]:
    """Give the recommendation as JSON data."""
    return {
        "stack": r.stack.value,
        "title": TITLES[r.stack],
        "overridden": r.overridden,
        "recommended": r.recommended.value,
        "rule": r.rule,
        "section": r.section,
        "choices": asdict(r.choices),
        "said": list(r.said),
        "assumed": list(r.assumed),
        "by_hand": r.by_hand,
        "taken_when": list(r.taken_when),
        "reasons": list(r.reasons),
        "cautions": list(r.cautions),
        "runner_up": {"stack": r.runner_up.value, "title": TITLES[r.runner_up], "reason": r.runner_up_reason},
        "flips": [{"key": f.key, "from": f.old, "to": f.new, "stack": f.stack.value} for f in r.flips],
    }


def recommendation_text(r: Recommendation, style: Style) -> str:
    """Give the recommendation as a person reads it."""
    return "\n".join(_recommendation_lines(r, style))


def _recommendation_lines(r: Recommendation, style: Style) -> Iterator[str]:
    yield one_line(r, style)
    if r.by_hand:
        yield from _by_hand_lines(r, style)
        return
    yield from bullets(_basis(r), style, "·")
    if r.overridden:
        yield from bullets([f"Chosen by you. The article would pick {r.recommended.value}, because:"], style, "!")
    yield ""
    yield style.bold(wrapped(f"Why ({r.rule}; article: {r.section})", style))
    yield from bullets(r.reasons, style)
    if r.cautions:
        yield style.bold("Mind")
        yield from bullets(r.cautions, style)
    yield style.bold("Runner-up")
    yield from bullets([f"{r.runner_up.value}: {r.runner_up_reason}"], style)
    yield style.bold("What would change the pick")
    yield from bullets(flip_lines(r), style)


def _by_hand_lines(r: Recommendation, style: Style) -> Iterator[str]:
    """Give what can be said of a stack that was named without a word about what is built."""
    yield from bullets(["Chosen by hand: nothing was said of what is built, so nothing is recommended."], style, "!")
    yield ""
    yield style.bold("What speaks for it")
    yield from bullets(r.reasons, style)
    yield style.bold(wrapped(f"When the article takes it ({r.section})", style))
    yield from bullets(r.taken_when, style)
    yield style.bold("Mind")
    yield from bullets(r.cautions, style)


def _basis(r: Recommendation) -> Iterator[str]:
    """Give what the recommendation rests on: what was said, and what was only assumed."""
    for title, keys in (("Said", r.said), ("Assumed", r.assumed)):
        if keys:
            yield f"{title}: {', '.join(f'{key} = {getattr(r.choices, key).value}' for key in keys)}"


def follow_up(r: Recommendation, style: Style) -> str:
    """Give the command that would generate what is recommended."""
    words = [word for key in r.said for word in (f"--{key}", getattr(r.choices, key).value)]
    words += ["--stack", r.stack.value] if r.overridden or r.by_hand else []
    return f"{style.bold('To generate it')}\n  {shlex.join(['stackgen', 'new', 'my-app', *words])}"


def flip_lines(r: Recommendation) -> list[str]:
    """Give one line for each choice and stack that a single change would lead to."""
    grouped: dict[tuple[str, Stack], list[str]] = {}
    for flip in r.flips:
        grouped.setdefault((flip.key, flip.stack), []).append(flip.new)
    lines = [f"{key} = {' or '.join(values)} → {stack.value}" for (key, stack), values in grouped.items()]
    return lines or ["no single choice would"]


def comparison_data() -> dict[str, object]:
    """Give the article's table and what our templates hold, as JSON data."""
    rows = [{"subject": s, "node": n, "python": p, "go": g} for s, n, p, g in COMPARISON]
    return {"rows": rows, "templates": {stack.value: list(CONTENTS[stack]) for stack in Stack}}


def comparison_text(style: Style) -> str:
    """Give the article's table and what our templates hold."""
    header = ("", "Node.js (TypeScript)", "Python", "Go")
    lines = [*table((header, *COMPARISON), style), "", style.bold("What our templates hold")]
    for stack in Stack:
        lines.append(_named(stack, TITLES[stack], style))
        lines += bullets(CONTENTS[stack], style)
    return "\n".join(lines)


def stacks_data(offered: Iterable[str]) -> dict[str, object]:
    """Give the four stacks and whether the template at hand offers them, as JSON data."""
    available = set(offered)
    return {"stacks": [{"stack": s.value, "title": TITLES[s], "available": s.value in available} for s in Stack]}


def stacks_text(offered: Iterable[str], style: Style) -> str:
    """Give the four stacks and whether the template at hand offers them."""
    available = set(offered)
    rows = [(s.value, TITLES[s], "" if s.value in available else "not in this release") for s in Stack]
    return "\n".join(table((("stack", "", ""), *rows), style))


def generated_text(
    recommended: str,
    destination: Path,
    commands: Iterable[str],
    warnings: Iterable[str],
    equivalent: str,
    style: Style,
    kept: Sequence[str] = (),
) -> str:
    """Give the page that `new` ends with: what was picked, where it is, what to run next and the same command again."""
    lines = [recommended, ""]
    lines += [f"{style.bold('Created')} {destination}", *(f"  ! {warning}" for warning in warnings)]
    lines += [f"  Kept as it was: {', '.join(kept)}"] if kept else []
    where = _short(destination)
    lines += ["", style.bold("Next"), *([] if where == "." else [f"  cd {shlex.quote(where)}"])]
    lines += [*(f"  {command}" for command in commands), ""]
    lines += [style.bold("The same again, without a question"), f"  {equivalent}"]
    return "\n".join(lines)


def preview_text(
    recommendation: Recommendation,
    answers: Mapping[str, object],
    destination: Path,
    files: Sequence[str],
    style: Style,
    digest: str,
) -> str:
    """Give what `new` would write, file by file."""
    lines = [recommendation_text(recommendation, style), "", style.bold("Answers")]
    lines += [f"  {key}: {value}" for key, value in answers.items()]
    lines += ["", style.bold(f"Would write {len(files)} files to {destination}"), *(f"  {name}" for name in files)]
    lines += ["", style.bold("To write exactly this"), f"  the same command with --apply {digest} instead of --plan"]
    return "\n".join(lines)


def one_line(r: Recommendation, style: Style) -> str:
    """Give the pick in one line."""
    return style.bold(_named(r.stack, TITLES[r.stack], style))


def _named(stack: Stack, title: str, style: Style) -> str:
    """Give a stack's name in its colour, and what it is behind it."""
    return wrapped(f"{stack.value}  {title}", style).replace(stack.value, style.accent(stack.value), 1)


def review_text(
    recommendation: Recommendation,
    answers: Mapping[str, object],
    destination: Path,
    files: Sequence[str],
    commands: Iterable[str],
    style: Style,
) -> str:
    """Give the page before anything is written: the answers, the tree with its counts, and what starts the project."""
    lines = [one_line(recommendation, style), "", style.bold("Answers")]
    lines += bullets((f"{key}: {value}" for key, value in answers.items()), style)
    lines += ["", style.bold(f"{destination}: {len(files)} files"), *_tree(files)]
    lines += ["", style.bold("To start it then"), *(f"  {command}" for command in commands)]
    return "\n".join(lines)


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
    name: str, said: Mapping[str, str], stack: Stack | None, answers: Mapping[str, object], options: Iterable[str]
) -> str:
    """Give the command that makes the same project without asking; `answers` holds what differs from the defaults."""
    words = ["stackgen", "new", name, "--yes"]
    words += [word for key, value in said.items() for word in (f"--{key}", value)]
    words += ["--stack", stack.value] if stack else []
    for key, value in answers.items():
        words += ["--data", f"{key}={_flag_value(value)}"]
    return shlex.join([*words, *options])


def _flag_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def plain_json(data: object) -> str:
    """Give the data as JSON, without an envelope."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def error_text(error: StackgenError, style: Style) -> str:
    """Give the one line that says what is wrong, and one that says what to do."""
    hint = f"\n  {error.hint}" if error.hint else ""
    return f"{style.bold('stackgen:')} {_one_line(error.message)}{hint}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
