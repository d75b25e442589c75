"""Updates what people do to their projects from each release to today, and writes down how often that conflicts.

`PYTHONPATH=.:tests:tests/templates uv run tests/templates/conflict_rates.py [STACK ...]`: one project a stack and
release, in which much of the corpus was done by a seed (`--seed 0`), is carried to the templates of the last commit.
With all stacks the table goes into docs/explanation/updates.md; the exit code is 1 where something was lost.
With `--kinds` it is each edit of the corpus by itself, which meets an ordinary release made of today's templates.
"""

import argparse
import itertools
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import corpus
import grounds
import releases
from museum import ROOT

PAGE = ROOT / "docs/explanation/updates.md"
RATES = "<!-- rates: tests/templates/conflict_rates.py -->\n", "<!-- end of rates -->\n"
KINDS = "<!-- kinds: tests/templates/conflict_rates.py --kinds -->\n", "<!-- end of kinds -->\n"


@dataclass(frozen=True)
class Row:
    """What came of one project."""

    stack: str
    version: str
    edits: int
    merged: int
    conflicts: tuple[str, ...]
    complaints: tuple[str, ...]

    @property
    def rate(self) -> str:
        return f"{len(self.conflicts)} of {self.merged + len(self.conflicts)}"

    def told(self) -> str:
        lines = (f"    {each}\n" for each in (*self.conflicts, *self.complaints))
        lost = f"lost {len(self.complaints)}"
        return f"{self.stack} {self.version}: {self.edits} edits, conflicts {self.rate}, {lost}\n{''.join(lines)}"


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
    done = len(edits) - len({each.split(": ")[0] for each in outcome.missing})
    merged = len(report.of("merged", "united"))
    return Row(stack, version, done, merged, report.conflicts, tuple(outcome.complaints))


def rows(template: Path, stacks: Sequence[str], seed: int) -> Iterator[Row]:
    for version in releases.released():
        for stack in releases.stacks_of(version):
            if stack in stacks or not stacks:
                yield measured(template, stack, version, seed)


def table(measured: Iterable[Row]) -> str:
    """Give a line for each release; those that are like the one before them share it."""
    cells: dict[str, dict[str, str]] = {}
    for row in measured:
        cells.setdefault(row.version, {})[row.stack] = row.rate
    stacks = sorted({stack for rates in cells.values() for stack in rates})
    lines = [f"| from | {' | '.join(stacks)} |\n|{'---|' * (len(stacks) + 1)}\n"]
    for rates, alike in itertools.groupby(cells, key=cells.__getitem__):
        versions = list(alike)
        name = versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
        lines.append(f"| {name} | {' | '.join(rates.get(stack, '') for stack in stacks)} |\n")
    return "".join(lines)


def alone(template: Path, stack: str) -> Iterator[tuple[corpus.Edit, Row]]:
    """Let each edit by itself meet an ordinary release."""
    with tempfile.TemporaryDirectory() as place:
        ground = grounds.lay(template, stack, grounds.TODAY, grounds.ORDINARY, Path(place))
        for edit in corpus.edits(stack):
            with tempfile.TemporaryDirectory() as work:
                outcome = grounds.carry(ground, [edit], Path(work))
            report = outcome.report
            merged = len(report.of("merged", "united"))
            yield edit, Row(stack, edit.name, 1, merged, report.conflicts, tuple(outcome.complaints))


def table_of_kinds(done: Sequence[tuple[corpus.Edit, Row]]) -> str:
    """Give a line for each kind of edit: of how many, how many left a conflict."""
    stacks = sorted({row.stack for _, row in done})
    lines = [f"| kind of edit | {' | '.join(stacks)} |\n|{'---|' * (len(stacks) + 1)}\n"]
    for kind in sorted({edit.kind for edit, _ in done}):
        cells = []
        for stack in stacks:
            left = [bool(row.conflicts) for edit, row in done if (edit.kind, row.stack) == (kind, stack)]
            cells.append(f"{sum(left)} of {len(left)}")
        lines.append(f"| {kind} | {' | '.join(cells)} |\n")
    return "".join(lines)


def write(text: str, marks: tuple[str, str]) -> None:
    begin, end = marks
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}", encoding="utf-8")


def show(row: Row) -> None:
    sys.stdout.write(row.told())
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stacks", nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", action="store_true")
    told = parser.parse_args()
    done = []
    with tempfile.TemporaryDirectory() as place:
        template = grounds.template(Path(place))
        if told.kinds:
            kinds = []
            for stack in told.stacks or releases.stacks_of(grounds.NEWEST):
                for edit, row in alone(template, stack):
                    kinds.append((edit, row))
                    show(row)
            done = [row for _, row in kinds]
            text, marks = table_of_kinds(kinds), KINDS
        else:
            for row in rows(template, told.stacks, told.seed):
                done.append(row)
                show(row)
            text, marks = table(done), RATES
    if not told.stacks:
        write(text, marks)
    return int(any(row.complaints for row in done))


if __name__ == "__main__":
    sys.exit(main())
