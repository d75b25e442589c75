"""A three-way merge on git's own, in a bare store of ours, where nobody's settings have a say."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackgen import repository
from stackgen.errors import SourceError
from stackgen.repository import Entry, Tree

# The markers in a conflict bear these names.
OURS, THEIRS = "yours", "template"
# Below this likeness in percent, a file that went and one that came are two files.
LIKENESS = 60
_SETTINGS = {
    "core.bare": "true",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.hooksPath": os.devnull,
    "core.autocrlf": "false",
    "core.fsmonitor": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "merge.conflictStyle": "merge",
}
_NOBODY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "stackgen"), ("EMAIL", "stackgen@localhost"), ("DATE", "2000-01-01T00:00:00Z"))
}


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged files; for each one in conflict, what base (1), ours (2) and theirs (3) hold."""

    tree: dict[str, Entry]
    conflicts: dict[str, dict[int, Entry]]


@dataclass(frozen=True, slots=True)
class Store:
    """A bare repository of our own that borrows a project's objects."""

    path: Path
    format: str

    @property
    def objects(self) -> Path:
        """Where it keeps what the project lacks."""
        return self.path / "objects"

    def git(
        self, *arguments: str, stdin: bytes = b"", folder: Path | None = None, index: str = "", status: int = 0
    ) -> bytes:
        """Run git in the store, `folder` being its work tree; an exit code up to `status` is no failure.

        Raises `SourceError` for any other.
        """
        also = {**_isolated(), "GIT_DIR": str(self.path), "GIT_INDEX_FILE": str(self.path / (index or "index"))}
        also |= {"GIT_WORK_TREE": str(folder)} if folder else {}
        done = repository.attempt(folder or self.path, *arguments, stdin=stdin, also=also)
        if done.returncode not in range(status + 1):
            reason = os.fsdecode(done.stderr).strip() or "git gave no reason"
            message = f"git {arguments[0]} failed while merging: {reason}"
            raise SourceError(message, "nothing was changed; please report it")
        return done.stdout

    def take(self, folder: Path) -> dict[str, Entry]:
        """Take every file of a folder in, whatever it ignores."""
        (self.path / "taken").unlink(missing_ok=True)
        self.git("add", "--all", "--force", ".", folder=folder, index="taken")
        return repository.parse_tree(
            self.git("ls-tree", "-r", "-z", self.git("write-tree", index="taken").decode().strip())
        )

    def write(self, tree: Tree) -> str:
        """Write a tree and give its name."""
        (self.path / "written").unlink(missing_ok=True)
        lines = repository.index_info(tree.items(), "0")
        self.git("update-index", "-z", "--add", "--index-info", stdin=lines, index="written")
        return self.git("write-tree", "--missing-ok", index="written").decode().strip()

    def blob(self, entry: Entry) -> bytes:
        """Give a file's content."""
        return self.git("cat-file", "blob", entry.id)

    def put(self, content: bytes) -> str:
        """Keep a content and give its name."""
        return self.git("hash-object", "-w", "-t", "blob", "--stdin", stdin=content).decode().strip()

    def renames(self, old: Tree, new: Tree) -> dict[str, str]:
        """Give each file that goes and comes back elsewhere, little changed, with its new path."""
        options = (
            "-r",
            "-z",
            f"--find-renames={LIKENESS}%",
            "-l20000",
            "--no-rename-empty",
            "--diff-filter=R",
            "--name-status",
            "--no-ext-diff",
        )
        words = os.fsdecode(self.git("diff-tree", *options, self.write(old), self.write(new))).split("\0")[:-1]
        return dict(zip(words[1::3], words[2::3], strict=True))

    def diff(self, old: Tree, new: Tree) -> bytes:
        """Give the difference as git shows it."""
        return self.git("diff-tree", "-r", "-p", "--no-ext-diff", "--no-color", self.write(old), self.write(new))

    def merge(self, base: Tree, ours: Tree, theirs: Tree) -> Merged:
        """Merge two descendants of a tree, file by file.

        Git sees the files alone that both have and have both changed. Where nothing goes or comes, it can take no file
        for a renamed one, nor bring a file to where most of its folder went: git 2.39 does both, whatever
        `merge.renames` says.
        """
        names = base.keys() | ours.keys() | theirs.keys()
        both = {name for name in names if _is_open(*(tree.get(name) for tree in (base, ours, theirs)))}
        tree = {name: entry for name in names - both if (entry := _settled(base, ours, theirs, name))}
        shared = {name for name in both if name in ours and name in theirs}
        conflicts = {name: _sides(base, ours, theirs, name) for name in both - shared}
        tree |= {name: ours.get(name) or theirs[name] for name in conflicts}
        if shared:
            merged = self._merge(*({n: each[n] for n in shared if n in each} for each in (base, ours, theirs)))
            tree |= merged.tree
            conflicts |= merged.conflicts
        return Merged(tree, conflicts)

    def _merge(self, base: Tree, ours: Tree, theirs: Tree) -> Merged:
        first = self._commit(base)
        for name, tree in ((OURS, ours), (THEIRS, theirs)):
            self.git("update-ref", f"refs/heads/{name}", self._commit(tree, first))
        said = self.git("merge-tree", "--write-tree", "-z", "--no-messages", OURS, THEIRS, status=1)
        written, *conflicts = said.split(b"\0")
        merged = repository.parse_tree(self.git("ls-tree", "-r", "-z", written.decode().strip()))
        return Merged(merged, _stages(conflicts))

    def _commit(self, tree: Tree, *parents: str) -> str:
        words = [word for parent in parents for word in ("-p", parent)]
        return self.git("commit-tree", *words, "-m", "tree", self.write(tree)).decode().strip()


def open_store(path: Path, project: repository.Repository) -> Store:
    """Make an empty store that knows a project's objects."""
    also = {**_isolated(), "GIT_DEFAULT_HASH": project.format}
    repository.run(path.parent, "init", "--quiet", "--bare", "--template=", str(path), also=also)
    with (path / "config").open("a", encoding="utf-8") as file:
        for key, value in _SETTINGS.items():
            section, _, name = key.partition(".")
            file.write(f'[{section}]\n\t{name} = "{value}"\n')
    (path / "objects/info").mkdir(parents=True, exist_ok=True)
    (path / "objects/info/alternates").write_bytes(os.fsencode(repository.quoted(project.objects)) + b"\n")
    return Store(path, project.format)


def _isolated() -> Mapping[str, str]:
    nothing = os.devnull
    system = {"GIT_CONFIG_GLOBAL": nothing, "GIT_CONFIG_SYSTEM": nothing, "GIT_CONFIG_NOSYSTEM": "1"}
    return {**system, "GIT_ATTR_NOSYSTEM": "1", "GIT_NO_REPLACE_OBJECTS": "1", **_NOBODY}


def _is_open(base: Entry | None, ours: Entry | None, theirs: Entry | None) -> bool:
    """Tell whether both have changed a file, each in its own way."""
    return ours not in {base, theirs} and theirs != base


def _settled(base: Tree, ours: Tree, theirs: Tree, name: str) -> Entry | None:
    """Give what becomes of a file that at most one of the two has changed."""
    return theirs.get(name) if ours.get(name) == base.get(name) else ours.get(name)


def _sides(base: Tree, ours: Tree, theirs: Tree, name: str) -> dict[int, Entry]:
    return {number: tree[name] for number, tree in enumerate((base, ours, theirs), 1) if name in tree}


def _stages(lines: list[bytes]) -> dict[str, dict[int, Entry]]:
    conflicts: dict[str, dict[int, Entry]] = {}
    for line in filter(None, lines):
        about, _, name = line.partition(b"\t")
        mode, id_, stage = about.decode().split()
        conflicts.setdefault(os.fsdecode(name), {})[int(stage)] = Entry(mode, id_)
    return conflicts
