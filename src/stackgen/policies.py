"""What an update does with files that a merge of lines alone would get wrong. Pure: trees in, trees out.

Three trees come in: what the template was (base), what the user has (ours), what the template has become (theirs). They
go out such that every file has one name in all three, and that nothing of the user's can be deleted or come back.
"""

import fnmatch
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stackgen.project import ANSWERS_FILE
from stackgen.repository import Entry, Tree

# What a program writes, and the command that writes it again; the first pattern that fits.
GENERATED = (
    ("package-lock.json", "npm install"),
    ("*/package-lock.json", "npm install --prefix {folder}"),
    ("services/ml/requirements*.txt", "npm run uv -- python dependencies.py"),
    ("requirements*.txt", "uv run python dependencies.py"),
    ("go.sum", "go mod tidy"),
    ("*/go.sum", "go mod tidy -C {folder}"),
    ("apps/api/openapi.json", "npm run openapi"),
    ("api/openapi.json", "make openapi"),
    ("openapi.json", "uv run python manage.py export_openapi"),
    ("contracts/ml.openapi.json", "npm run contract"),
    ("apps/api/src/modules/ml/contract.gen.ts", "npm run contract"),
    ("packages/contracts/src/predictions.ts", "npm run contract"),
)
# The content of an empty file, as SHA-1 and SHA-256 name it: one is like any other, so none was renamed.
EMPTY = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
UNION = ("go.sum", "*/go.sum")
# What the template goes on maintaining in every project; what stands beside these is meant to be edited. A Makefile is,
# too: people add their targets. The pins in it are levelled like all others (`pins`), so no bot is met there.
MAINTAINED = (
    "Dockerfile", "*/Dockerfile", "compose.yaml", "deploy/kustomize/migrate.sh",
    "deploy/kustomize/base/*", "deploy/kustomize/components/*",
    ".github/workflows/ci.yml", ".github/workflows/release.yml", ".github/workflows/template-update.yml",
    ".gitlab-ci.yml", ".gitlab/template-update.yml", ".goreleaser.yaml", "renovate.json",
    ".editorconfig", ".gitattributes", ".devcontainer/*", ".vscode/*", "biome.json", ".golangci.yml",
    "tools/leftovers.*", "leftovers.py",
)  # fmt: skip


@dataclass(slots=True)
class Aligned:
    """The three trees, every file under one name, and what was decided on the way.

    `deleted` the user has deleted, so they stay away; `kept` the template has dropped or made something else of, but
    the user had changed them; `generated` are kept, too, until a command writes them again; `moved` are files of the
    user that go where the template has put them, `followed` those of the template that go where the user has put them,
    `renamed` by both, so that they stay where the user has put them, with the template's name; `blocked`
    cannot be written, as something of the user's is in their way.
    """

    base: dict[str, Entry]
    ours: dict[str, Entry]
    theirs: dict[str, Entry]
    deleted: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    generated: dict[str, str] = field(default_factory=dict)
    union: dict[str, Entry] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    followed: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)

    def both_changed(self) -> Iterator[str]:
        """Give the files that the user and the template have both changed, each in its own way."""
        for path, ours in self.ours.items():
            base, theirs = self.base.get(path), self.theirs.get(path)
            if base and theirs and ours != base and theirs not in {base, ours}:
                yield path


def align(base: Tree, ours: Tree, theirs: Tree, mine: Mapping[str, str], its: Mapping[str, str]) -> Aligned:
    """Settle everything but lines; `mine` are the user's renames since base, `its` the template's."""
    trees = Aligned(dict(base), dict(ours), dict(theirs))
    others = _other_projects(base, ours)
    mine = {
        old: new
        for old, new in mine.items()
        if new not in theirs and not command(new) and others.isdisjoint(folders(new))
    }
    its = {old: new for old, new in its.items() if new not in ours and _is_as_made(old, base, ours)}
    _stay_away(trees, mine, its)
    _follow(trees, mine, its)
    _move(trees, its)
    _keep(trees)
    _keep_generated(trees)
    trees.blocked = set(_in_the_way(trees))
    return trees


def _other_projects(base: Tree, ours: Tree) -> set[str]:
    """Give the folders that hold a project of their own: what looks like a file that went is theirs, not this one's."""
    return {posixpath.dirname(path) for path in ours.keys() - base.keys() if path.endswith(f"/{ANSWERS_FILE}")}


def _is_as_made(path: str, base: Tree, ours: Tree) -> bool:
    """Tell whether the user has not made something else of a file: a link that moves may lead nowhere."""
    return path not in ours or ours[path].kind == base[path].kind


def command(path: str) -> str:
    """Give the command that writes a generated file again, nothing for any other file."""
    found = next((text for pattern, text in GENERATED if fnmatch.fnmatchcase(path, pattern)), "")
    return found.format(folder=posixpath.dirname(path))


def is_maintained(path: str) -> bool:
    """Tell whether a file is one that the template goes on maintaining."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in MAINTAINED)


def folders(path: str) -> Iterator[str]:
    """Give the folders that a file is in, the innermost first."""
    while path := posixpath.dirname(path):
        yield path


def _stay_away(trees: Aligned, mine: Mapping[str, str], its: Mapping[str, str]) -> None:
    """Keep away what the user has deleted, and what the template adds to a folder that he has deleted whole."""
    gone = {path for path in trees.base if path not in trees.ours and path not in mine}
    gone |= {its[path] for path in gone if path in its}
    homes = _new_homes(trees, mine)
    for path in sorted(trees.theirs):
        added = path not in trees.base and path not in trees.ours
        emptied = next((folder for folder in folders(path) if folder in homes), None) if added else None
        if path in gone or (emptied and homes[emptied] is None and path not in its.values()):
            if trees.theirs[path] != trees.base.get(path):
                trees.deleted.add(path)
            del trees.theirs[path]
        elif emptied and (home := homes[emptied]) is not None:
            _rehome(trees, path, home + path[len(emptied) :])
    for path in gone & set(trees.base):
        del trees.base[path]


def _rehome(trees: Aligned, path: str, new: str) -> None:
    if new not in trees.ours and new not in trees.theirs:
        trees.theirs[new] = trees.theirs.pop(path)
        trees.followed[path] = new


def _new_homes(trees: Aligned, mine: Mapping[str, str]) -> dict[str, str | None]:
    """Give each folder of the template's that the user has emptied, and the folder that most of it went to, if any."""
    left = {folder for path in trees.ours for folder in folders(path)}
    emptied = {folder for path in trees.base for folder in folders(path)} - left
    votes: dict[str, Counter[str]] = {folder: Counter() for folder in emptied}
    for old, new in mine.items():
        for folder in folders(old):
            rest = old[len(folder) :]
            if folder in emptied and new.endswith(rest):
                votes[folder][new.removesuffix(rest)] += 1
    held = Counter(folder for path, entry in trees.base.items() if entry.id not in EMPTY for folder in folders(path))
    most = {folder: counted.most_common(1)[0] for folder, counted in votes.items() if counted}
    # Of an example that somebody took one file from, the rest was deleted.
    moved = {folder: home for folder, (home, count) in most.items() if 2 * count > held[folder]}
    return {folder: moved.get(folder) for folder in emptied}


def _follow(trees: Aligned, mine: Mapping[str, str], its: Mapping[str, str]) -> None:
    """Bring the template's changes to what the user has renamed, under the name that he gave it."""
    for old, new in mine.items():
        trees.base[new] = trees.base.pop(old)
        current = old if old in trees.theirs else its.get(old)
        if current in trees.theirs:
            trees.theirs[new] = trees.theirs.pop(current)
            if trees.theirs[new] != trees.base[new]:
                trees.followed[old] = new
            if current != old:
                trees.renamed[new] = current
        else:
            del trees.base[new]
            trees.kept.add(new)


def _move(trees: Aligned, its: Mapping[str, str]) -> None:
    """Rename what the template has renamed, the user's changes with it."""
    for old, new in its.items():
        if old in trees.ours and old in trees.base and new in trees.theirs and new not in trees.ours:
            trees.base[new], trees.ours[new] = trees.base.pop(old), trees.ours.pop(old)
            trees.moved[old] = new


def _keep(trees: Aligned) -> None:
    """Keep what the user has changed when the template drops it, or when one of the two made it a link."""
    for path, ours in trees.ours.items():
        base, theirs = trees.base.get(path), trees.theirs.get(path)
        kinds = {entry.kind for entry in (base, ours, theirs) if entry}
        if ours == base or theirs in {base, ours}:
            continue
        if theirs is None or len(kinds) > 1:
            _give_way(trees, path)
            trees.kept.add(path)


def _keep_generated(trees: Aligned) -> None:
    for path, ours in trees.ours.items():
        base, theirs = trees.base.get(path), trees.theirs.get(path)
        if not theirs or ours == base or theirs in {base, ours} or not command(path):
            continue
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in UNION):
            trees.union[path] = theirs
        _give_way(trees, path)
        trees.generated[path] = command(path)


def _give_way(trees: Aligned, path: str) -> None:
    """Let the merge see no change by the template."""
    if path in trees.base:
        trees.theirs[path] = trees.base[path]
    else:
        trees.theirs.pop(path, None)


def _in_the_way(trees: Aligned) -> Iterator[str]:
    """Give the new files whose folder is a file of the user's, or whose name is a folder's."""
    staying = {path for path, entry in trees.ours.items() if path in trees.theirs or entry != trees.base.get(path)}
    left = {folder for path in staying for folder in folders(path)}
    for path in trees.theirs.keys() - trees.ours.keys():
        if path in left or not staying.isdisjoint(folders(path)):
            yield path
