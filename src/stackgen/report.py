"""What an update does, has done or would do, as text or as JSON data. Returns strings, never prints."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from stackgen.choices import spoken
from stackgen.console import Style
from stackgen.layout import page
from stackgen.releases import Note
from stackgen.repository import readable
from stackgen.revision import FATES, Conflict, File
from stackgen.standing import Standing
from stackgen.update import Ended, Report

_MARKS = {"added": "+", "removed": "-", "conflict": "!", "moved": ">"}
_KINDS = {"by hand": "To do: ", "changes": "", "renamed": "Renamed: "}
_REASONS = {
    "kept": "The template has dropped or replaced these, but you had changed them, so they stay:",
    "renamed": "You and the template have both renamed these; they stay where you have put them:",
    "stays deleted": "You have deleted these, so they stay away, although the template has changed or added them:",
    "generated": "Generated files that you had changed, too; write each again with its command:",
    "united": "These hold the lines of both; tidy each up with its command:",
}


def data(report: Report) -> dict[str, object]:
    """Give what an update does as JSON data."""
    return {
        "path": readable(str(report.path)),
        "from": report.from_version,
        "to": report.to_version,
        "changed": _names(report.changed),
        "kept": _names(report.kept),
        "conflicts": _names(report.conflicts),
        "deleted": _names(report.of("stays deleted")),
        "generated": [
            {"path": readable(file.path), "command": file.note}
            for file in report.files
            if file.fate in {"generated", "united"}
        ],
        "files": [{"path": readable(f.path), "class": f.fate, "note": readable(f.note)} for f in report.files],
        "given_up": [{"path": readable(path), "line": line} for path, line in report.given_up],
        "to_settle": [_conflict(conflict, report.notes) for conflict in report.to_settle],
        "notes": [{"version": n.version, "kind": n.kind, "text": n.text, "files": list(n.files)} for n in report.notes],
        "migrations": [
            {"folder": m.folder, "yours": _names(m.yours), "template": _names(m.its), "to_do": m.to_do}
            for m in report.met
        ],
        "digest": report.digest,
        "ignored": _names(report.ignored),
        "drifted": _names(report.drifted),
    }


def _conflict(conflict: Conflict, notes: Iterable[Note]) -> dict[str, object]:
    """Give the three sides of a conflict as text, or all in base64 where one is none, and what releases say of it."""
    sides = {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs}
    try:
        texts = {name: None if side is None else side.decode() for name, side in sides.items()}
        encoding = "utf-8"
    except UnicodeDecodeError:
        texts = {name: None if side is None else b64encode(side).decode() for name, side in sides.items()}
        encoding = "base64"
    said = [note.text for note in notes if note.is_about(conflict.path)]
    return {"path": readable(conflict.path), "encoding": encoding, **texts, "notes": said}


def _names(names: Iterable[str]) -> list[str]:
    return [readable(name) for name in names]


def done_text(report: Report, style: Style) -> str:
    """Give what an update has done as a person reads it."""
    if _is_current(report):
        return f"Already current: {report.to_version}"
    lines = [style.bold(f"Updated {_way(report)}"), *_lines(report, style)]
    if not report.conflicts:
        lines += ["Review it with git diff, run the project's checks, then commit everything: git add --all"]
    return page(lines, style)


def plan_text(report: Report, style: Style) -> str:
    """Give what an update would do as a person reads it."""
    if _is_current(report):
        return f"Already current: {report.to_version}"
    counts = ", ".join(f"{len(names)} {fate}" for fate in FATES if (names := report.of(fate)))
    lines = [style.bold(f"Would update {_way(report)}: {counts or 'nothing changes'}"), *_lines(report, style)]
    return page([*lines, f"To do exactly this: stackgen update --apply {report.digest}"], style)


def ended_data(ended: Ended) -> dict[str, object]:
    """Give how an interrupted update ended as JSON data."""
    return {
        "path": readable(str(ended.path)),
        "from": ended.from_version,
        "to": ended.to_version,
        "put_aside": _names(ended.put_aside),
        "conflicts": _names(ended.conflicts),
    }


def ended_text(ended: Ended, style: Style, *, back: bool) -> str:
    """Give how an interrupted update ended as a person reads it."""
    way = f"{ended.from_version} → {ended.to_version}"
    lines = [style.bold(f"Took the update {way} back" if back else f"Ended the update {way}")]
    if ended.put_aside:
        lines += ["These had been changed since it began, and were put aside:"]
        lines += [f"  - {readable(name)}" for name in ended.put_aside]
    return page(lines, style)


def standing_data(standing: Standing) -> dict[str, object]:
    """Give where a project stands as JSON data."""
    project = standing.project
    return {
        "path": readable(str(project.path)),
        "stack": project.stack,
        "source": project.source,
        "version": project.version,
        "newest": standing.newest,
        "unfinished": standing.unfinished,
        "answers": {key: value for key, value in project.answers.items() if key != "decision"},
        "changed": _names(standing.changed),
        "moved": [{"from": readable(old), "to": readable(new)} for old, new in standing.moved],
        "deleted": _names(standing.deleted),
        "own": _names(standing.own),
        "drifted": _names(standing.drifted),
    }


def standing_text(standing: Standing, style: Style) -> str:
    """Give where a project stands as a person reads it."""
    project, newest = standing.project, standing.newest
    current = newest in {None, project.version}
    lines = [f"{style.bold(project.stack)} {project.version}, {'the newest' if current else f'the newest is {newest}'}"]
    if standing.unfinished:
        lines += [f"! An update to {standing.unfinished} was interrupted: stackgen update --continue, or --abort"]
    lines += [style.bold("Answers")]
    lines += [f"  {key}: {spoken(value)}" for key, value in project.answers.items() if key not in {"decision", "stack"}]
    moved = [f"{old} -> {new}" for old, new in standing.moved]
    for title, names in (("You have changed", standing.changed), ("moved", moved), ("deleted", standing.deleted)):
        if names:
            lines += [style.bold(f"{title} {len(names)} of the template's files"), *(f"  {readable(n)}" for n in names)]
    if standing.drifted:
        lines += [style.bold(f"{len(standing.drifted)} of these have drifted: the template goes on maintaining them")]
        lines += [f"  {readable(name)}" for name in standing.drifted]
    return page([*lines, f"{len(standing.own)} files are your own."], style)


def _is_current(report: Report) -> bool:
    return not report.changed and report.from_version == report.to_version


def _way(report: Report) -> str:
    if report.from_version == report.to_version:
        return f"within {report.to_version}"
    return f"{report.from_version} → {report.to_version}"


def _lines(report: Report, style: Style) -> Iterator[str]:
    groups: Mapping[str, list[File]] = {reason: [f for f in report.files if f.fate == reason] for reason in _REASONS}
    for file in report.files:
        if file.fate not in {"kept", "renamed", "stays deleted", "generated"} and not file.note.startswith("to "):
            note = f" ({file.note})" if file.note and file.fate != "united" else ""
            yield f"  {_MARKS.get(file.fate, '~')} {readable(file.path)}  {style.accent(file.fate)}{readable(note)}"
    for fate, reason in _REASONS.items():
        if groups[fate]:
            yield reason
            yield from (f"  - {readable(f.path)}{f': {f.note}' if f.note else ''}" for f in groups[fate])
    if report.given_up:
        yield "Lines of yours that make way for a newer version of the template's, or for the new answers:"
        yield from (f"  - {readable(path)}: {line}" for path, line in report.given_up)
    if report.ignored:
        yield "New, but ignored here, so that git add --all leaves them out; git add --force takes them:"
        yield from (f"  - {readable(path)}" for path in report.ignored)
    if report.notes or report.met:
        yield style.bold("Before you deploy")
    for met in report.met:
        yield f"  - {' and '.join(map(readable, (*met.yours, *met.its)))} meet: {met.to_do}"
    for version, notes in groupby(report.notes, key=lambda note: note.version):
        yield f"  {version}"
        yield from (f"    - {_KINDS[note.kind]}{note.text}" for note in notes)
