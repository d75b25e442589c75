"""Packs every release of the templates into the wheel, so that updates need no network.

A release is the first commit on the first-parent line at which the version in pyproject.toml
became X.Y.Z; a tag vX.Y.Z wins where it exists. All content comes from git objects, never from
the work tree, so neither the platform nor uncommitted changes can alter a bundle.
"""

import os
import posixpath
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.version import Version

TEMPLATE = ("copier.yml", "templates")
FINAL = re.compile(r"\d+\.\d+\.\d+")
INCLUDE = re.compile(r"^[^#\n]*!include\s+[\"']?([^\s\"'#]+)", re.MULTILINE)
LINK, SUBMODULE = "120000", "160000"
MAX_LINKS = 20
AUTHOR = {"NAME": "stackgen", "EMAIL": "stackgen@localhost"}
PREBUILT = "prebuilt"
BUNDLE = "templates.bundle"
QUESTIONS = "_template"
RECORDS = "templates/*/stack.json"


class BuildError(Exception):
    """The templates cannot be packed; the message says what to do."""


class Git:
    """Git in one repository, undisturbed by the caller's environment or settings."""

    def __init__(self, root: Path, *, isolated: bool = False) -> None:
        self.root = root
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        if isolated:
            self.environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def bytes(self, *arguments: str, stdin: bytes = b"", **variables: str) -> bytes:
        """Give what one git command printed."""
        command = ["git", "-C", str(self.root), *arguments]
        environment = self.environment | variables
        try:
            done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)
        except FileNotFoundError:
            message = "git is needed to pack the templates: install it and build again"
            raise BuildError(message) from None
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()
            message = f"git {' '.join(arguments[:2])} failed: {reason}"
            raise BuildError(message)
        return done.stdout

    def text(self, *arguments: str, stdin: str = "", **variables: str) -> str:
        """Give what one git command printed, decoded and trimmed."""
        return self.bytes(*arguments, stdin=stdin.encode(), **variables).decode().strip()


@dataclass(frozen=True)
class Entry:
    """What git records for one path: mode and object."""

    mode: str
    oid: str


Tree = dict[str, Entry]


def find_releases(git: Git) -> dict[str, str]:
    """Map each released version to its commit, oldest first."""
    if git.text("rev-parse", "--is-shallow-repository") == "true":
        message = "this clone is shallow, so past releases are missing: run `git fetch --unshallow --tags`"
        raise BuildError(message)
    releases: dict[str, str] = {}
    for commit, version in _versions(git):
        if FINAL.fullmatch(version):
            releases.setdefault(version, commit)
    tags = dict(line.split(" ", 1) for line in _tags(git))
    return {version: tags.get(f"v{version}", commit) for version, commit in releases.items()}


def _versions(git: Git) -> Iterator[tuple[str, str]]:
    commits = git.text("log", "--first-parent", "--reverse", "--format=%H", "--", "pyproject.toml")
    for commit in commits.split():
        if git.text("ls-tree", commit, "--", "pyproject.toml"):
            yield commit, _version(git.text("cat-file", "blob", f"{commit}:pyproject.toml"))


def _version(pyproject: str) -> str:
    try:
        return str(tomllib.loads(pyproject)["project"]["version"])
    except (tomllib.TOMLDecodeError, KeyError):
        return ""


def _tags(git: Git) -> list[str]:
    form = "%(refname:lstrip=2) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
    return git.text("for-each-ref", f"--format={form}", "refs/tags/v*").splitlines()


def read_tree(git: Git, commit: str) -> Tree:
    """List the template's files at `commit`, each link replaced by what it points to."""
    tree: Tree = {}
    for line in git.bytes("ls-tree", "-r", "-z", commit, "--", *TEMPLATE).decode().split("\0")[:-1]:
        meta, path = line.split("\t", 1)
        mode, _, oid = meta.split(" ")
        tree[path] = Entry(mode, oid)
    if TEMPLATE[0] not in tree:
        message = f"{commit[:12]} has no {TEMPLATE[0]}, so it cannot be a release"
        raise BuildError(message)
    return {path: entry for start in sorted(tree) for path, entry in _follow(git, tree, start, start)}


def _follow(git: Git, tree: Tree, path: str, source: str, depth: int = 0) -> Iterator[tuple[str, Entry]]:
    """Yield `path` with the content of `source`, or, where that is a folder, all that is below it."""
    real = _resolve(git, tree, source)
    entry = tree.get(real)
    if entry and entry.mode == SUBMODULE:
        message = f"{path} is a submodule, which a template cannot hold"
        raise BuildError(message)
    if entry:
        yield path, entry
        return
    below = [name for name in tree if name.startswith(f"{real}/")]
    if not below or depth > MAX_LINKS:
        message = f"{path} is a link to {real!r}, which does not exist in the template or is a loop"
        raise BuildError(message)
    for name in sorted(below):
        yield from _follow(git, tree, path + name.removeprefix(real), name, depth + 1)


def _resolve(git: Git, tree: Tree, path: str) -> str:
    """Give the path that `path` stands for once no part of it is a link."""
    for _ in range(MAX_LINKS):
        link = next((p for p in _prefixes(path) if p in tree and tree[p].mode == LINK), None)
        if link is None:
            return path
        target = git.bytes("cat-file", "blob", tree[link].oid).decode()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(link), target)) + path.removeprefix(link)
    message = f"{path} is a link that never ends"
    raise BuildError(message)


def _prefixes(path: str) -> list[str]:
    parts = PurePosixPath(path).parts
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def write_bundle(git: Git, trees: Mapping[str, tuple[str, Tree]], target: Path) -> None:
    """Write a git bundle with one commit and one tag for each release."""
    with tempfile.TemporaryDirectory() as folder:
        packed = Git(Path(folder), isolated=True)
        packed.text("init", "--quiet", "--bare", "--initial-branch=main")
        alternates = Path(folder, "objects/info/alternates")
        objects = git.text("rev-parse", "--git-path", "objects")
        alternates.write_text(f"{(git.root / objects).resolve().as_posix()}\n", encoding="utf-8")
        parent = ""
        for version, (date, tree) in trees.items():
            parent = _commit(packed, version, date, tree, parent)
            packed.text("update-ref", f"refs/tags/v{version}", parent)
        packed.text("update-ref", "refs/heads/main", parent)
        # How the repository happens to be packed must not show: every delta is computed anew.
        packed.text("-c", "pack.threads=1", "repack", "-a", "-d", "-F", "--quiet")
        alternates.unlink()
        tags = [f"refs/tags/v{version}" for version in trees]
        packed.text("-c", "pack.threads=1", "bundle", "create", str(target), "HEAD", "refs/heads/main", *tags)


def _commit(packed: Git, version: str, date: str, tree: Tree, parent: str) -> str:
    index = {"GIT_INDEX_FILE": str(packed.root / f"index-{version}")}
    listing = "".join(f"{entry.mode} {entry.oid}\t{path}\0" for path, entry in tree.items())
    packed.text("update-index", "-z", "--index-info", stdin=listing, **index)
    written = packed.text("write-tree", **index)
    people = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in AUTHOR.items()}
    people |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    parents = ("-p", parent) if parent else ()
    return packed.text("commit-tree", written, *parents, stdin=f"Release {version}\n", **people)


def write_questions(git: Git, tree: Tree, target: Path) -> None:
    """Write copier.yml and every file that it includes, so that questions need no unpacking."""
    waiting, done = ["copier.yml"], set[str]()
    while waiting:
        path = waiting.pop()
        done.add(path)
        content = git.bytes("cat-file", "blob", tree[path].oid)
        Path(target, path).parent.mkdir(parents=True, exist_ok=True)
        Path(target, path).write_bytes(content)
        for pattern in INCLUDE.findall(content.decode()):
            found = [name for name in tree if PurePosixPath(name).match(pattern)]
            if not found:
                message = f"{path} includes {pattern}, which does not exist"
                raise BuildError(message)
            waiting += [name for name in found if name not in done]


def write_records(git: Git, target: Path) -> None:
    """Write what stackgen knows of its own stacks, as the commit that is built has it, like the rules."""
    for path in git.text("ls-tree", "-r", "--name-only", "HEAD", "--", "templates").splitlines():
        if PurePosixPath(path).match(RECORDS):
            Path(target, path).parent.mkdir(parents=True, exist_ok=True)
            Path(target, path).write_bytes(git.bytes("cat-file", "blob", f"HEAD:{path}"))


def pack(root: Path, target: Path) -> None:
    """Write the bundle, the newest release's questions and the records of the stacks into `target`."""
    git = Git(root)
    releases = find_releases(git)
    if not releases:
        message = "no release of stackgen exists yet: set a final version in pyproject.toml and commit it"
        raise BuildError(message)
    trees = {
        version: (git.text("log", "-1", "--format=%cd", "--date=raw", commit), read_tree(git, commit))
        for version, commit in releases.items()
    }
    write_bundle(git, trees, target / BUNDLE)
    write_questions(git, trees[max(trees, key=Version)][1], target / QUESTIONS)
    write_records(git, target / QUESTIONS)


class TemplatesHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the bundle and the questions to the wheel and to the sdist."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Pack the templates; an editable install reads the checkout instead."""
        if version == "editable":
            return
        root = Path(self.root)
        self._folder = tempfile.TemporaryDirectory()
        content = Path(self._folder.name)
        if (root / ".git").exists():
            try:
                pack(root, content)
            except BuildError as error:
                self.app.abort(f"stackgen: {error}")
        elif (root / PREBUILT).is_dir():
            content = root / PREBUILT
        else:
            self.app.abort("stackgen: build from a git clone or from the source distribution, not from a plain copy")
        prefix = PREBUILT if self.target_name == "sdist" else "stackgen"
        for name in (BUNDLE, QUESTIONS):
            build_data["force_include"][str(content / name)] = f"{prefix}/{name}"
