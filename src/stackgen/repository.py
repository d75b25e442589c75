"""Git in a generated project: its first commit, its state, its files as a tree or as git would check them out."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackgen import endings, git
from stackgen.errors import DestinationError, SourceError

LINK, SUBMODULE = "120000", "160000"
MERGES = (2, 38)
_NEXT_TO_NOTHING = 2**20
_IDENTITY = ("-c", "user.name=stackgen", "-c", "user.email=stackgen@localhost")
# The first commit holds all that was generated, whatever the user's own settings ignore, hook or sign;
# there is nothing to maintain in a repository so new.
_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
_FIRST_COMMIT = (*_NO_HOOKS, "-c", "commit.gpgSign=false", "-c", "maintenance.auto=false")
_QUIET = (*_NO_HOOKS, "-c", "core.fsmonitor=false", "-c", "core.sparseCheckout=false", "-c", "core.safecrlf=false")
_UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "sequencer": "a cherry-pick or a revert of several commits",
    "BISECT_LOG": "a bisect",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tree of git: its mode, and the name of its content."""

    mode: str
    id: str

    @property
    def kind(self) -> str:
        """Tell files, links and submodules apart."""
        return self.mode if self.mode in {LINK, SUBMODULE} else "file"


Tree = Mapping[str, Entry]
"""Every file by its path with slashes; bytes that are no UTF-8 stand as `os.fsdecode` gives them."""


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a project's git keeps what belongs to the project in `path`.

    `prefix` is the project's folder inside the repository, with a slash at its end, empty at the top.
    """

    path: Path
    prefix: str
    private: Path
    objects: Path
    format: str
    head: str

    def git(self, *arguments: str, stdin: bytes = b"", also: Mapping[str, str] | None = None) -> bytes:
        """Run git in the project."""
        return run(self.path, *_QUIET, *arguments, stdin=stdin, also=also)

    def tree(self) -> dict[str, Entry]:
        """Give the project's files as the last commit has them."""
        return parse_tree(self.git("ls-tree", "-r", "-z", "--full-tree", f"{self.head}:{self.prefix.rstrip('/')}"))

    def hidden(self) -> frozenset[str]:
        """Give the files whose changes git was told not to see."""
        listing = os.fsdecode(self.git("ls-files", "-v", "-z")).split("\0")
        return frozenset(line[2:] for line in listing if line[:1].islower() or line[:1] == "S")

    def ignored(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Give those of some untracked files that git ignores here, by whatever rule: adding all leaves them out."""
        names = b"".join(os.fsencode(path) + b"\0" for path in paths)
        found = attempt(self.path, *_QUIET, "check-ignore", "-z", "--stdin", stdin=names).stdout
        return tuple(os.fsdecode(name) for name in found.split(b"\0") if name)

    def check_out(self, entries: Mapping[str, Entry | None], objects: Path, folder: Path) -> None:
        """Write files into `folder`/prefix as git would write them into the project, filters and line ends included.

        `objects` holds what the project's own repository lacks; None stands for a file that is gone by then, as rules
        may be that it held.
        """
        index = folder.with_name(f"{folder.name}.index")
        also = {"GIT_INDEX_FILE": str(index), **_borrowing(objects)}
        self.git("read-tree", self.head, also=also)
        changes = [(f"{self.prefix}{path}", entry) for path, entry in entries.items()]
        self.git("update-index", "-z", "--add", "--index-info", stdin=index_info(changes, self.head), also=also)
        # Rules first: they decide how what comes after them is written.
        names = sorted((name for name, entry in changes if entry), key=lambda name: not name.endswith(".gitattributes"))
        folder.mkdir()
        git_dir = os.fsdecode(run(self.path, "rev-parse", "--absolute-git-dir").rstrip(b"\n"))
        command = (
            *_QUIET,
            "--git-dir",
            git_dir,
            "--work-tree",
            str(folder),
            "checkout-index",
            "--force",
            "-z",
            "--stdin",
        )
        run(folder, *command, stdin=b"".join(os.fsencode(name) + b"\0" for name in names), also=also)

    def mark(self, name: str) -> None:
        """Remember the last commit under a name, so that git does not throw it away."""
        self.git("update-ref", name, self.head)

    def adopt(self, entries: Iterable[Entry], objects: Path) -> None:
        """Take files over from elsewhere, so that the index may name them."""
        also = _borrowing(objects)
        for entry in entries:
            if entry.mode != SUBMODULE:
                self.git("hash-object", "-w", "--stdin", stdin=self.git("cat-file", "blob", entry.id, also=also))

    def keep(self, path: str, content: bytes, objects: Path) -> str:
        """Give the name of what git keeps of a file's content on the disk, filters and encodings undone.

        `objects` takes it.
        """
        also = {"GIT_OBJECT_DIRECTORY": str(objects)}
        return self.git("hash-object", "-w", "--stdin", "--path", path, stdin=content, also=also).decode().strip()

    def kept(self, path: str, content: bytes, objects: Path) -> bytes:
        """Give what git keeps of a file's content on the disk; `objects` takes it."""
        return self.git("cat-file", "blob", self.keep(path, content, objects), also=_borrowing(objects))

    def written(self, path: str, entry: Entry, objects: Path) -> bytes:
        """Give a file's content as git writes it out, filters and encodings included."""
        name = f"--path={self.prefix}{path}"
        return self.git("cat-file", "--filters", name, entry.id, also=_borrowing(objects))

    def unmerge(self, stages: Mapping[str, Mapping[int, Entry]]) -> None:
        """Tell the index which files are in conflict, and what each side holds."""
        lines = []
        for path, sides in stages.items():
            name = os.fsencode(f"{self.prefix}{path}")
            lines.append(b"0 " + b"0" * len(self.head) + b"\t" + name + b"\0")
            lines += [f"{side.mode} {side.id} {stage}\t".encode() + name + b"\0" for stage, side in sides.items()]
        if lines:
            self.git("update-index", "-z", "--index-info", stdin=b"".join(lines))

    def reset(self, paths: Iterable[str]) -> None:
        """Let the index hold these files as the last commit does."""
        # A full disk has no room for a new index: write one only where it differs.
        staged = self.git("diff-index", "--cached", "--name-only", "-z", self.head, "--", ".").split(b"\0")
        known = {os.fsencode(f"{self.prefix}{path}"): path for path in paths}
        names = b"".join(os.fsencode(known[name]) + b"\0" for name in staged if name in known)
        if names:
            also = {"GIT_LITERAL_PATHSPECS": "1"}
            self.git("reset", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=names, also=also)

    def changed(self) -> dict[str, str]:
        """Give the files that differ from the last commit, with git's two letters for how."""
        return status(self.path, self.prefix)


def _borrowing(objects: Path) -> Mapping[str, str]:
    """Let git find what this folder holds, too."""
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted(objects)}


def quoted(folder: Path) -> str:
    """Write a folder as git reads it in a list of them: a colon or an end of line in its name would be its end."""
    name = str(folder).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{name}"'


def run(folder: Path, *arguments: str, stdin: bytes = b"", also: Mapping[str, str] | None = None) -> bytes:
    """Run git in `folder` and give what it says; its failure becomes ours.

    Raises `DestinationError`.
    """
    done = attempt(folder, *arguments, stdin=stdin, also=also)
    if done.returncode:
        complaint = os.fsdecode(done.stderr)
        # Git does not always say why it cannot write.
        full = git.is_full(complaint) or (" write" in complaint and shutil.disk_usage(folder).free < _NEXT_TO_NOTHING)
        if full and _is_temporary(folder):
            raise endings.no_room_for_temporary_files()
        word = next((a for a in arguments if re.fullmatch(r"[a-z]+(-[a-z]+)*", a)), "")
        message = f"git {word} failed in {folder}: {git.reason(complaint)}"
        hint = "make room" if full else "put that right in git, then try again"
        raise DestinationError(message, hint)
    return done.stdout


def _is_temporary(folder: Path) -> bool:
    return folder.resolve().is_relative_to(Path(tempfile.gettempdir()).resolve())


def attempt(folder: Path, *arguments: str, stdin: bytes = b"", also: Mapping[str, str] | None = None) -> git.Done:
    """Run git in `folder`, whatever comes of it."""
    return git.attempt("-C", str(folder), *arguments, stdin=stdin, also=also)


def contains(folder: Path) -> bool:
    """Tell whether `folder` already stands in a repository."""
    return attempt(folder, "rev-parse", "--is-inside-work-tree").stdout.strip() == b"true"


def start(folder: Path) -> None:
    """Make `folder` a repository whose first commit holds everything in it."""
    run(folder, "init", "--quiet", "--initial-branch=main")
    run(folder, "-c", f"core.excludesFile={os.devnull}", "add", "--all")
    commit = ("commit", "--quiet", "--message=Start from stackgen's template")
    if attempt(folder, *_FIRST_COMMIT, *commit).returncode:
        run(folder, *_FIRST_COMMIT, *_IDENTITY, *commit)


def find(path: Path) -> Repository:
    """Give the repository that the project in `path` stands in; raises `DestinationError` where there is none."""
    # One question each: a folder's name may hold an end of line.
    asked = ("--show-prefix", "--absolute-git-dir", "--git-path objects", "--show-object-format")
    answers = [attempt(path, "rev-parse", *words.split()) for words in asked]
    for done in answers:
        if done.returncode:
            raise _unusable(path, os.fsdecode(done.stderr))
    prefix, private, objects, name = (os.fsdecode(done.stdout).removesuffix("\n") for done in answers)
    head = attempt(path, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").stdout.decode().strip()
    if not head:
        raise DestinationError(f"{path} has no commit yet", "run `git add . && git commit -m Start` in it first")
    return Repository(path, prefix, Path(private), (path / objects).resolve(), name, head)


def _unusable(path: Path, complaint: str) -> DestinationError:
    if "not a git repository" in complaint:
        return DestinationError(
            f"{path} is not a git repository", "run `git init && git add . && git commit -m Start` in it first"
        )
    return DestinationError(f"git refuses {path}: {git.reason(complaint)}", _advice(complaint))


def _advice(complaint: str) -> str:
    commands = [line.strip() for line in complaint.splitlines() if line.strip().startswith("git config")]
    return f"if you trust it: {commands[0]}" if commands else "put that right in git, then try again"


def require_ready(repository: Repository) -> None:
    """Refuse a project that git could not bring back as it is now, or that is in the middle of something."""
    for name, what in _UNFINISHED.items():
        if (repository.private / name).exists():
            message = f"{repository.path} is in the middle of {what}"
            raise DestinationError(message, "end or abort it, then update again")
    # Whatever the user's settings hide would be lost if the update had to be taken back.
    if repository.git("status", "--porcelain", "--untracked-files=normal", "--", "."):
        message = f"{repository.path} has uncommitted changes"
        raise DestinationError(message, "commit or stash them, then update again")


def require_merges() -> None:
    """Refuse a git that cannot merge trees, which came with 2.38."""
    text = run(Path(), "version").decode(errors="replace")
    found = re.search(r"(\d+)\.(\d+)", text)
    if found and tuple(map(int, found.groups())) < MERGES:
        needed = ".".join(map(str, MERGES))
        raise SourceError(f"updates need git {needed} or newer, and this is {text.strip()}", "install a newer git")


def status(path: Path, prefix: str) -> dict[str, str]:
    """Give the files in `path` that differ from the last commit, with git's two letters for how."""
    listing = run(path, *_QUIET, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    return {line[3:].removeprefix(prefix): line[:2] for line in os.fsdecode(listing).split("\0") if line}


def readable(name: str) -> str:
    """Give a file's name as text, also when it is none."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def parse_tree(listing: bytes) -> dict[str, Entry]:
    """Read what `git ls-tree -r -z` says."""
    entries: dict[str, Entry] = {}
    for line in listing.split(b"\0"):
        if line:
            about, _, name = line.partition(b"\t")
            mode, _, id_ = about.decode().split()
            entries[os.fsdecode(name)] = Entry(mode, id_)
    return entries


def index_info(entries: Iterable[tuple[str, Entry | None]], like: str) -> bytes:
    """Write what `git update-index -z --index-info` reads; what is gone comes first, it may be in the way."""
    none = Entry("0", "0" * len(like))
    ordered = sorted(entries, key=lambda pair: pair[1] is not None)
    lines = ((os.fsencode(path), entry or none) for path, entry in ordered)
    return b"".join(f"{entry.mode} {entry.id}\t".encode() + path + b"\0" for path, entry in lines)
