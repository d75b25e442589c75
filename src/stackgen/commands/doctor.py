"""`stackgen doctor`: the programs that a project needs, and those that this machine has."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stackgen import intake, project, provenance, toolchain
from stackgen.errors import CheckError
from stackgen.layout import Style, table, wrapped
from stackgen.outcome import Outcome
from stackgen.project import ANSWERS_FILE
from stackgen.stacks import Record
from stackgen.toolchain import Tool


def examine(path: Path, stack: str | None, template: str | None = None) -> Outcome:
    """Show the tools of one stack, of the project in `path`, or where that holds none, of all stacks.

    Its outcome raises `CheckError` where one of them is missing or too old.
    """
    records = _records(path, stack, template)
    tools = {tool: [each.title for each in records if tool in toolchain.tools(each)] for tool in _all(records)}
    data: dict[str, object] = {"tools": [_data(tool, titles) for tool, titles in tools.items()]}

    def settle() -> None:
        lacking = [tool.problem for tool in tools if tool.problem]
        if lacking:
            raise CheckError("; ".join(lacking), "install what is missing, and run this again", data)

    return Outcome(data=lambda: data, text=lambda style: _text(tools, style), settle=settle)


def _records(path: Path, stack: str | None, template: str | None) -> list[Record]:
    if stack is None and (path / ANSWERS_FILE).exists():
        return [provenance.record(project.read(path))]
    catalogue = intake.catalogue_of(template)
    return list(catalogue.records.values()) if stack is None else [catalogue.record(catalogue.named(stack))]


def _all(records: Sequence[Record]) -> list[Tool]:
    return list(dict.fromkeys(tool for record in records for tool in toolchain.tools(record)))


def _data(tool: Tool, titles: Sequence[str]) -> dict[str, object]:
    return {
        "tool": tool.command,
        "needed": tool.needed,
        "found": tool.found or None,
        "ok": not tool.problem,
        "where_to_get_it": tool.ways,
        "needed_by": list(titles),
    }


def _text(tools: Mapping[Tool, Sequence[str]], style: Style) -> str:
    rows = [("tool", "needed", "found", "where to get it", "for")]
    rows += [(t.name, t.needed, t.found or "none", t.ways, ", ".join(titles)) for t, titles in tools.items()]
    good = all(not tool.problem for tool in tools)
    return "\n".join(
        [*table(rows, style), "", wrapped("All of them are here." if good else "Not all are here.", style)]
    )
