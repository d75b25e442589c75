"""Owner and template both edit real files at random: each hunk of the owner's is there afterwards, or in a conflict.

A case is one file of this repository's templates; many are merged at once, so that thousands take seconds. What each of
the two has done is known from the edit itself: every edit puts its own words in, or takes lines out for good.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from museum import ROOT, git
from sizes import is_release, seed

from stackgen import merge, repository, settling
from stackgen.merge import Store

AT_ONCE = 150
CASES = 3000 if is_release() else 300
ENDINGS = {
    ".ts",
    ".py",
    ".go",
    ".md",
    ".yml",
    ".yaml",
    ".json",
    ".toml",
    ".sql",
    ".sh",
    ".html",
    ".css",
    ".mod",
    ".txt",
    "",
}
# What a bot moves: the last number of a version of three.
VERSION = re.compile(r"(\b\d+\.\d+\.)(\d+)")
Lines = list[str]


@dataclass(frozen=True)
class Case:
    """A file as the old release has it, as its owner does and as the new release does."""

    base: Lines
    ours: Lines
    theirs: Lines


def insert(lines: Lines, chance: random.Random, who: str) -> None:
    at = chance.randint(0, len(lines))
    lines[at:at] = [f"{who} adds {chance.random()}\n" for _ in range(chance.randint(1, 4))]


def remove(lines: Lines, chance: random.Random, _: str) -> None:
    at = chance.randrange(len(lines))
    del lines[at : at + chance.randint(1, 6)]


def alter(lines: Lines, chance: random.Random, who: str) -> None:
    at = chance.randrange(len(lines))
    lines[at] = f"{lines[at].rstrip()} as {who} has it {chance.random()}\n"


def move(lines: Lines, chance: random.Random, _: str) -> None:
    at = chance.randrange(len(lines))
    block = lines[at : at + chance.randint(1, 12)]
    del lines[at : at + len(block)]
    to = chance.randint(0, len(lines))
    lines[to:to] = block


def copy(lines: Lines, chance: random.Random, who: str) -> None:
    at = chance.randrange(len(lines))
    to = chance.randint(0, len(lines))
    lines[to:to] = [*lines[at : at + chance.randint(1, 8)], f"{who} has copied {chance.random()}\n"]


def indent(lines: Lines, chance: random.Random, _: str) -> None:
    at = chance.randrange(len(lines))
    for place in range(at, min(len(lines), at + chance.randint(1, 10))):
        lines[place] = f"  {lines[place]}"


def quote(lines: Lines, chance: random.Random, _: str) -> None:
    start = chance.randrange(len(lines))
    lines[start:] = [line.translate(str.maketrans("'\"", "\"'")) for line in lines[start:]]


def raise_pins(lines: Lines, chance: random.Random, _: str) -> None:
    by = chance.randint(1, 9)
    lines[:] = [VERSION.sub(lambda found: f"{found[1]}{int(found[2]) + by}", line) for line in lines]


def trail(lines: Lines, chance: random.Random, _: str) -> None:
    at = chance.randrange(len(lines))
    lines[at] = f"{lines[at].rstrip()}  \n"


def return_carriages(lines: Lines, _: random.Random, __: str) -> None:
    lines[:] = [f"{line.rstrip()}\r\n" for line in lines]


def end_otherwise(lines: Lines, _: random.Random, __: str) -> None:
    lines[-1] = lines[-1].rstrip("\n")


ACTS: tuple[Callable[[Lines, random.Random, str], None], ...] = (
    insert, insert, remove, remove, alter, alter, move, copy, indent, quote, raise_pins, trail,
)  # fmt: skip
RARE = (return_carriages, end_otherwise)


def edited(base: Lines, chance: random.Random, who: str) -> Lines:
    lines = list(base)
    acts = chance.choices(ACTS, k=chance.randint(1, 4))
    acts += chance.sample(RARE, 1) if chance.random() < 0.1 else []
    acts += [raise_pins] if chance.random() < 0.5 else []
    for act in acts:
        if lines:
            act(lines, chance, who)
    return lines


def real_files() -> Iterator[tuple[str, Lines]]:
    """Give files of the templates that are text and neither long nor full of the same."""
    for name in git(ROOT, "ls-files", "templates").splitlines():
        path = ROOT / name
        if path.is_symlink() or not path.is_file() or "lock" in name:
            continue
        if Path(path.name.removesuffix(".jinja")).suffix in ENDINGS:
            lines = path.read_bytes().decode(errors="replace").splitlines(keepends=True)
            if 8 < len(lines) < 400 and all(line.endswith("\n") for line in lines):
                yield path.name.removesuffix(".jinja"), lines


def cases(chance: random.Random) -> dict[str, Case]:
    """Give some cases by name: each in a folder of its own, under the name of its file; in a third versions abound."""
    every = list(real_files())
    pinned = [each for each in every if sum(bool(VERSION.search(line)) for line in each[1]) > 2]
    picked = [*chance.choices(every, k=AT_ONCE - AT_ONCE // 3), *chance.choices(pinned, k=AT_ONCE // 3)]
    return {
        f"{number}/{name}": Case(base, edited(base, chance, "owner"), edited(base, chance, "template"))
        for number, (name, base) in enumerate(picked)
    }


def merged(store: Store, these: Mapping[str, Case], folder: Path) -> tuple[settling.Settled, dict[str, Lines]]:
    trees = []
    for side in ("base", "ours", "theirs"):
        for name, case in these.items():
            (folder / side / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / side / name).write_bytes("".join(getattr(case, side)).encode())
        trees.append(store.take(folder / side))
    done = settling.settle(store, *trees)
    return done, {name: store.blob(done.merged[name]).decode().splitlines(keepends=True) for name in these}


def bare(lines: Lines) -> Lines:
    return [line.rstrip("\r\n") for line in lines]


def complaints(case: Case, has: Lines, given_up: Counter[str], *, conflict: bool) -> Iterator[str]:
    """Give what is lost of the owner's, what is not delivered of the template's, and what came back."""
    base, ours, theirs, has = (bare(lines) for lines in (case.base, case.ours, case.theirs, has))
    held = Counter(has)
    for line, count in (Counter(ours) - Counter(base)).items():
        if line.strip() and held[line] + given_up[line] < count:
            yield f"lost {line!r}"
    if conflict:
        return
    once = {line for line, count in Counter(base).items() if count == 1 and line.strip()}
    # A line that the owner takes out and the template moves stands in the new place: to any merge of lines it is new.
    stays = [line for line in base if line in once and line in theirs] == [line for line in theirs if line in once]
    for line in once:
        if stays and Counter(ours)[line] == 0 and Counter(theirs)[line] == 1 and held[line]:
            yield f"taken out by the owner, and back: {line!r}"
        if Counter(ours)[line] == 1 and Counter(theirs)[line] == 1 and held[line] != 1 and not given_up[line]:
            yield f"in all three, and now {held[line]} times: {line!r}"
    words = [line for line in ours if line.startswith("owner adds")]
    if [line for line in has if line.startswith("owner adds")] != words:
        yield "the owner's hunks are in another order"
    for line in theirs:
        if line.startswith("template adds") and held[line] != theirs.count(line):
            yield f"not delivered: {line!r}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    git(tmp_path, "init", "--quiet", "home")
    git(tmp_path / "home", "commit", "--quiet", "--allow-empty", "--message", "Start")
    return merge.open_store(tmp_path / "store", repository.find(tmp_path / "home"))


@pytest.mark.parametrize("number", range(CASES // AT_ONCE))
def test_each_hunk_of_the_owners_is_there_or_in_a_conflict(store: Store, tmp_path: Path, number: int) -> None:
    these = cases(random.Random(f"{seed() if is_release() else 0} {number}"))
    done, texts = merged(store, these, tmp_path)
    found = [
        (name, complaint)
        for name, case in these.items()
        for complaint in complaints(
            case,
            texts[name],
            Counter(line.decode() for line in done.given_up.get(name, ())),
            conflict=name in done.conflicts,
        )
    ]
    assert found == [], found[:20]
    assert 0 < len(done.conflicts) < AT_ONCE
