"""Updates what people do to their projects from each release to today, and writes down how often that conflicts.

`PYTHONPATH=.:tests:tests/templates uv run tests/templates/conflict_rates.py [STACK ...]`: one project a stack and
release, in which much of the corpus was done by a seed (`--seed 0`), is carried to the templates of the last commit.
The table goes into docs/explanation/updates.md; the exit code is 1 where something was lost.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import corpus
import grounds
import releases
from museum import ROOT

PAGE = ROOT / "docs/explanation/updates.md"
BEGIN, END = "<!-- rates: tests/templates/conflict_rates.py -->\n", "<!-- end of rates -->\n"
HEAD = (
    "| stack | from | edits that apply | files touched | of these merged | in conflict | lost |\n"
    "|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True)
class Row:
    """What came of one project."""

    stack: str
    version: str
    edits: int
    changed: int
    merged: int
    conflicts: tuple[str, ...]
    complaints: tuple[str, ...]

    def line(self) -> str:
        cells = (self.stack, self.version, self.edits, self.changed, self.merged, len(self.conflicts))
        return f"| {' | '.join(map(str, cells))} | {len(self.complaints)} |\n"


def chosen(stack: str, seed: int) -> list[corpus.Edit]:
    """Give what one project can have seen, the third of it that the seed leaves out excepted."""
    all_of_them = corpus.two_years(stack)
    some = random.Random(f"{seed} {stack}").sample(range(len(all_of_them)), 2 * len(all_of_them) // 3)
    return [all_of_them[place] for place in sorted(some)]


def measured(template: Path, stack: str, version: str, seed: int) -> Row:
    """Make a project, let its owner do much to it, and update it."""
    with tempfile.TemporaryDirectory() as place:
        ground = grounds.lay(template, stack, version, grounds.TODAY, Path(place))
        edits = chosen(stack, seed)
        outcome = grounds.carry(ground, edits, Path(place))
    report = outcome.report
    merged = len(report.of("merged", "united", "moved"))
    done = len(edits) - len({each.split(": ")[0] for each in outcome.missing})
    return Row(stack, version, done, len(report.changed), merged, report.conflicts, tuple(outcome.complaints))


def rows(template: Path, stacks: Sequence[str], seed: int) -> Iterator[Row]:
    for version in releases.released():
        for stack in releases.stacks_of(version):
            if stack in stacks or not stacks:
                yield measured(template, stack, version, seed)


def write(lines: Sequence[str]) -> None:
    """Put rows into the table; those of stacks that were not measured stay."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table, _, after = rest.partition(END)
    mine = {line.split("|")[1] for line in lines}
    others = [line for line in table.splitlines(keepends=True)[2:] if line.split("|")[1] not in mine]
    PAGE.write_text(
        f"{before}{BEGIN}{HEAD}{''.join(sorted([*others, *lines], key=order))}{END}{after}", encoding="utf-8"
    )


def order(line: str) -> tuple[str, list[int]]:
    _, stack, version, *_ = line.split("|")
    return stack, [int(part) for part in version.split(".")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stacks", nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    lines, lost = [], 0
    with tempfile.TemporaryDirectory() as place:
        for row in rows(grounds.template(Path(place)), told.stacks, told.seed):
            lines.append(row.line())
            lost += len(row.complaints)
            sys.stdout.write(row.line() + "".join(f"    {each}\n" for each in (*row.conflicts, *row.complaints)))
            sys.stdout.flush()
    write(lines)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
