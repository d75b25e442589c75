"""Merges what an old release was, what a user has and what a new release is: names first, then pins, then lines."""

from collections.abc import Mapping
from dataclasses import dataclass

from stackgen import filters, migrations, pins, policies
from stackgen.merge import Merged, Store
from stackgen.migrations import Met
from stackgen.policies import Aligned
from stackgen.project import ANSWERS_FILE
from stackgen.repository import Entry, Tree


@dataclass(frozen=True, slots=True)
class Settled:
    """What a merge came to, with all that was decided beside it.

    `base` is the old release under the names that its files have in the merge, `given_up` are the lines of a file that
    make way for newer pins or answers, `met` migrations of both that cannot stay as they are.
    """

    trees: Aligned
    base: Tree
    merged: Tree
    conflicts: Mapping[str, Mapping[int, Entry]]
    given_up: Mapping[str, tuple[bytes, ...]]
    met: tuple[Met, ...]


def settle(store: Store, base: Tree, ours: Tree, theirs: Tree) -> Settled:
    """Merge three trees; those in which something is in the way of a file can be settled, but not written."""
    trees = policies.align(base, ours, theirs, store.renames(base, ours), store.renames(base, theirs))
    met = migrations.find(trees.base, trees.ours, trees.theirs)
    aligned = {1: dict(trees.base), 2: dict(trees.ours), 3: dict(trees.theirs)}
    elsewhere = _kept_elsewhere(store, trees)
    given_up = _level(store, trees)
    merged = store.merge(trees.base, trees.ours, trees.theirs)
    for path, entry in list(trees.union.items()):
        if b"\0" in store.blob(trees.ours[path]) + store.blob(entry):  # no text has no lines to put together
            del trees.union[path]
        else:
            merged.tree[path] = _united(store, trees.ours[path], entry)
    given_up |= _settle_answers(store, trees, merged)
    # Whoever settles a conflict is given what was there, not what it was levelled to.
    conflicts = {
        path: {n: aligned[n].get(path, entry) for n, entry in sides.items()} for path, sides in merged.conflicts.items()
    }
    conflicts |= {path: {n: each[path] for n, each in aligned.items() if path in each} for path in elsewhere}
    return Settled(trees, aligned[1], merged.tree, conflicts, given_up, met)


def _kept_elsewhere(store: Store, trees: Aligned) -> set[str]:
    """Give what both have changed and Git LFS keeps, whose lines no merge can see, and let it be the user's."""
    sides = ((path, trees.base.get(path), trees.ours[path], trees.theirs.get(path)) for path in trees.ours)
    both = [path for path, base, ours, theirs in sides if theirs not in {None, base, ours} and ours != base]
    found = {path for path in both if filters.is_pointer(store.blob(trees.ours[path]))}
    trees.theirs |= {path: trees.ours[path] for path in found}
    return found


def drifted(store: Store, base: Tree, ours: Tree) -> tuple[str, ...]:
    """Give the files that the template maintains and somebody else has changed, beyond newer pins and line ends."""
    changed = (path for path in sorted(base.keys() & ours.keys()) if base[path] != ours[path])
    return tuple(path for path in changed if policies.is_maintained(path) and _differs(store, path, base, ours))


def _differs(store: Store, path: str, base: Tree, ours: Tree) -> bool:
    if ours[path].kind != base[path].kind:
        return True
    has = store.blob(ours[path])
    made = _with_line_ends_of(has, store.blob(base[path]))
    return pins.level(path, made, has, made).base != has


def _level(store: Store, trees: Aligned) -> dict[str, tuple[bytes, ...]]:
    """Give all three what is no difference to speak of: the user's line ends, and the newer pins.

    Give the lines with older pins of his, which make way.
    """
    given_up: dict[str, tuple[bytes, ...]] = {}
    for path in list(trees.both_changed()):
        base, ours, theirs = trees.base[path], trees.ours[path], trees.theirs[path]
        has = store.blob(ours)
        made, makes = (_with_line_ends_of(has, store.blob(entry)) for entry in (base, theirs))
        level = pins.level(path, made, has, makes)
        trees.base[path] = Entry(base.mode, store.put(level.base))
        trees.ours[path] = Entry(ours.mode, store.put(level.ours))
        trees.theirs[path] = Entry(theirs.mode, store.put(level.theirs))
        given_up |= {path: level.given_up} if level.given_up else {}
    return given_up


def _with_line_ends_of(has: bytes, content: bytes) -> bytes:
    ends = has.count(b"\r\n") == has.count(b"\n") > 0
    return content.replace(b"\n", b"\r\n") if ends and b"\r" not in content and b"\0" not in has else content


def _united(store: Store, ours: Entry, theirs: Entry) -> Entry:
    """Give the lines of both, in order where they were; each ends, lest two become one."""
    had = store.blob(ours)
    end = b"\r\n" if b"\r\n" in had else b"\n"
    lines = [line if line.endswith(b"\n") else line + end for line in had.splitlines(keepends=True)]
    known = {line.rstrip() for line in lines}
    more = [line + end for line in store.blob(theirs).splitlines() if line.rstrip() not in known]
    if not more:
        return ours
    return Entry(ours.mode, store.put(b"".join(sorted(lines + more) if lines == sorted(lines) else lines + more)))


def _settle_answers(store: Store, trees: Aligned, merged: Merged) -> dict[str, tuple[bytes, ...]]:
    """Let the new answers win: a file of answers with markers in it could not be read. Give the lines that went."""
    if ANSWERS_FILE not in merged.conflicts:
        return {}
    del merged.conflicts[ANSWERS_FILE]
    merged.tree[ANSWERS_FILE] = trees.theirs[ANSWERS_FILE]
    there = set(store.blob(trees.theirs[ANSWERS_FILE]).splitlines())
    had = store.blob(trees.ours[ANSWERS_FILE]).splitlines()
    return {ANSWERS_FILE: tuple(line for line in had if line not in there)}
