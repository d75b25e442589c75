"""What an update would do to a project, thought through to the last byte before anything is touched."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from packaging.version import Version

from stackgen import filters, merge, policies, releases, render, settling, source
from stackgen.errors import DestinationError, UsageError
from stackgen.merge import Store
from stackgen.migrations import Met
from stackgen.policies import Aligned
from stackgen.project import Project, read, require_known
from stackgen.releases import Note
from stackgen.repository import SUBMODULE, Entry, Repository, Tree, readable

FATES = (
    "added", "changed", "merged", "united", "moved", "removed", "conflict", "kept", "renamed", "stays deleted",
    "generated",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What a project is to become; None stands for what it is, and no version for the newest one.

    Other answers alone keep the release.
    """

    data: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    version: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """One file that an update touches, or leaves alone for a reason: what becomes of it, and a word on that."""

    path: str
    fate: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file that only a person can settle, as the merge was given it; None where one side has none."""

    path: str
    base: bytes | None
    ours: bytes | None
    theirs: bytes | None


@dataclass(frozen=True, slots=True)
class Revision:
    """An update that could be written as it stands.

    `template` is the old release as it was rendered, `changes` what each file becomes (None: it goes), `given_up` the
    lines of a file that make way for newer pins or answers, `drifted` what was not as the old release made it;
    `met` are migrations of both that cannot stay as they are, `notes` what the releases on the way say to this project.
    """

    project: Project
    repository: Repository
    store: Store
    template: Path
    to_version: str
    files: tuple[File, ...]
    ours: Mapping[str, Entry]
    changes: Mapping[str, Entry | None]
    conflicts: Mapping[str, Mapping[int, Entry]]
    given_up: Mapping[str, tuple[bytes, ...]]
    drifted: tuple[str, ...]
    met: tuple[Met, ...]
    notes: tuple[Note, ...] = ()

    @property
    def digest(self) -> str:
        """Give a name to exactly this update of exactly this commit."""
        changes = sorted((path, entry.mode, entry.id) if entry else (path,) for path, entry in self.changes.items())
        about = [self.repository.head, self.project.version, self.to_version, changes, sorted(self.conflicts)]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]

    def settle(self) -> tuple[Conflict, ...]:
        """Give what a person has to settle."""
        return tuple(
            Conflict(path, *(self._side(path, sides.get(number)) for number in (1, 2, 3)))
            for path, sides in sorted(self.conflicts.items())
        )

    def _side(self, path: str, entry: Entry | None) -> bytes | None:
        if entry is None:
            return None
        if entry.mode == SUBMODULE:
            return entry.id.encode()
        content = self.store.blob(entry)
        # A pointer tells whoever settles it nothing.
        return self.repository.written(path, entry, self.store.objects) if filters.is_pointer(content) else content

    def diff(self) -> bytes:
        """Give what changes as git shows it."""
        after = {**self.ours, **self.changes}
        return self.store.diff(self.ours, {path: entry for path, entry in after.items() if entry})


def make(
    project: Project, home: Repository, wish: Wish, environment: Mapping[str, str], folder: Path
) -> Revision | None:
    """Plan an update in an empty folder that has to outlive it; None when there is nothing to do."""
    origin, where, version = _target(project, wish, environment)
    if _is_there(project, wish, version):
        return None
    _refuse_older(project, origin, version)
    render.refuse_idle(project, where, version, wish.data)
    old = render.old(project, source.refresh(project.source, environment)[0], folder / "old")
    new = render.new(project, render.Target(where, origin, version, wish.data), folder / "new")
    store = merge.open_store(folder / "store", home)
    plan = revise(project, home, store, old, new)
    made = read(new)
    notes = releases.between(where, (project.version, version), made.stack, made.answers, plan.ours)
    return replace(plan, notes=notes)


def _is_there(project: Project, wish: Wish, version: str) -> bool:
    same = all(project.answers.get(key) == value for key, value in wish.data.items())
    return same and version == project.version and not wish.template


def _refuse_older(project: Project, origin: str, version: str) -> None:
    both = source.is_release(project.version) and source.is_release(version)
    if both and origin == project.source and Version(version) < Version(project.version):
        raise UsageError(
            f"{version} is older than the project's {project.version}",
            "an update is taken back with `stackgen update --abort`, or by reverting its commit",
        )


def _target(project: Project, wish: Wish, environment: Mapping[str, str]) -> tuple[str, str, str]:
    """Give the template as it is recorded, where it is, and the version to render."""
    origin = source.spelled(wish.template) if wish.template else project.source
    where, releases = source.refresh(origin, environment)
    if wish.version:
        return origin, where, f"v{wish.version}" if f"v{wish.version}" in releases else wish.version
    if origin == project.source:
        if wish.data:
            return origin, where, project.version
        if not source.is_release(project.version):
            return origin, where, source.HEAD
        require_known(project, releases)
    return origin, where, releases[-1] if releases else source.HEAD


def revise(project: Project, home: Repository, store: Store, old: Path, new: Path) -> Revision:
    """Plan the way from one rendered release to another."""
    ours = home.tree()
    base, theirs = filters.as_kept(home, store, store.take(old), ours, store.take(new))
    settled = settling.settle(store, base, ours, theirs)
    _refuse(settled.trees.blocked, "something of yours is in the way of", "move or rename it, and commit")
    names = ours.keys() | settled.merged.keys()
    after = {name: settled.merged.get(name) for name in sorted(names)}
    changes = {name: entry for name, entry in after.items() if ours.get(name) != entry}
    _refuse_hidden(home, ours, changes)
    return Revision(
        project,
        home,
        store,
        old,
        render.version_of(new),
        tuple(_files(settled.trees, settled.base, ours, changes, settled.conflicts)),
        ours,
        changes,
        settled.conflicts,
        settled.given_up,
        settling.drifted(store, base, ours),
        settled.met,
    )


def _refuse(names: set[str], problem: str, hint: str) -> None:
    if names:
        files = [readable(name) for name in sorted(names)]
        raise DestinationError(f"{problem} {', '.join(files)}", hint, {"files": files})


def _refuse_hidden(home: Repository, ours: Mapping[str, Entry], changes: Mapping[str, Entry | None]) -> None:
    """Refuse what would overwrite something that no commit holds."""
    undo = "undo that with `git update-index --no-skip-worktree --no-assume-unchanged FILE`, and commit"
    hint = f"{undo}; a sparse checkout takes them in with `git sparse-checkout disable`, or `add FOLDER`"
    _refuse(set(home.hidden()) & changes.keys(), "git was told not to look at changes in", hint)
    new = {name for name, entry in changes.items() if entry and name not in ours}
    taken = {
        name for name in new if _is_taken(home.path / name, name, changes) or _leads_away(home.path, name, changes)
    }
    hint = "move it away or commit it, then update again"
    _refuse(taken, "the update brings files that are there already, but not in git:", hint)
    left_out = set(filters.leaving_out(home, {name: ours[name] for name in changes if name in ours}))
    hint = "copy these lines elsewhere, put the files back with `rm FILE && git checkout FILE`, then update again"
    _refuse(left_out, "a filter of git's keeps no copy of lines that stand in", hint)


def _is_taken(path: Path, name: str, changes: Mapping[str, Entry | None]) -> bool:
    """Tell whether something stands there that stays: of a folder, the files that the update does not remove."""
    if path.is_dir() and not path.is_symlink():
        inside = (f"{name}/{inner.relative_to(path).as_posix()}" for inner in path.rglob("*") if not inner.is_dir())
        return any(inner not in changes for inner in inside)
    return os.path.lexists(path)


def _leads_away(project: Path, name: str, changes: Mapping[str, Entry | None]) -> bool:
    """Tell whether a file's folder is none, a link, or another repository."""
    for folder in policies.folders(name):
        path = project / folder
        if os.path.lexists(path) and folder not in changes:
            return path.is_symlink() or not path.is_dir() or os.path.lexists(path / ".git")
    return False


def _files(
    trees: Aligned,
    base: Tree,
    ours: Tree,
    changes: Mapping[str, Entry | None],
    conflicts: Mapping[str, Mapping[int, Entry]],
) -> Iterator[File]:
    origins = {new: old for old, new in trees.moved.items()}
    followed = {new: old for old, new in trees.followed.items()}
    elsewhere = {path: f"the template's is {its}" for path, its in sorted(trees.renamed.items())}
    was = {
        path: f"was {old}; {elsewhere[path]}" if path in elsewhere else f"was {old}" for path, old in followed.items()
    }
    for path, entry in changes.items():
        if path in conflicts:
            yield File(path, "conflict", was.get(path, f"from {origins[path]}" if path in origins else ""))
        elif path in trees.union:
            yield File(path, "united", trees.generated[path])
        elif path in origins:
            yield File(path, "moved", f"from {origins[path]}")
        elif entry is None:
            yield File(path, "moved", f"to {trees.moved[path]}") if path in trees.moved else File(path, "removed")
        elif path not in ours:
            yield File(path, "added", f"in the place of {followed[path]}" if path in followed else "")
        else:
            own = ours[path] != base.get(path)
            yield File(path, "merged" if own else "changed", was.get(path, ""))
    yield from (File(path, "conflict") for path in sorted(conflicts.keys() - changes.keys()))
    yield from (File(path, "kept") for path in sorted(trees.kept))
    yield from (File(path, "renamed", note) for path, note in elsewhere.items() if path not in changes)
    yield from (File(path, "stays deleted") for path in sorted(trees.deleted))
    yield from (File(path, "generated", text) for path, text in sorted(trees.generated.items()) if path not in changes)
