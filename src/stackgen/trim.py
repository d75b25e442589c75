"""Takes out of a template what copier would only copy, so that it renders what has to be rendered and nothing else.

copier clones a template with all its stacks, asks Jinja for each part of each path and git about each file that it
writes. Most of a stack's files bear no Jinja, neither in them nor in their names: those are copied from git here, and
copier is given a folder that holds the others.

This is a short cut and never a judge: whatever it does not know for certain is `Unfit`, and copier renders all of it.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from stackgen import questionnaire, repository
from stackgen.errors import StackgenError
from stackgen.repository import LINK, Entry

# The names under which copier is told what it reads from git otherwise.
COMMIT, ORIGIN = "_stackgen_commit", "_stackgen_origin"
SUFFIX = ".jinja"
_KEYS = {"_min_copier_version", "_subdirectory", "_templates_suffix", "_envops", "_secret_questions"}
_SUBDIRECTORY = "templates/[= stack =]/project"
_STARTS = {"variable_start_string": "{{", "block_start_string": "{%", "comment_start_string": "{#"}
_OPTIONS = {*_STARTS, *(key.replace("start", "end") for key in _STARTS), "keep_trailing_newline", "undefined"}
# Nothing in such a name can be the beginning of an expression, as every beginning is checked to hold another character.
_PLAIN = re.compile(r"[A-Za-z0-9_./@+-]+")
_INNER = re.compile(rb"\b_copier_(?!conf\.answers_file\b)\w+")
_ANSWERS = b"_copier_answers"
_STACK = re.compile(r"[A-Za-z0-9_-]+")
_DEEPEST = 20


class UnfitError(Exception):
    """A template that has to be rendered by copier alone."""


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a template in a bare clone: what git calls it, and its files, with links followed."""

    store: Path
    commit: str
    files: Mapping[str, Entry]

    def contents(self, names: Iterable[str]) -> dict[str, bytes]:
        """Read files, all in one go."""
        wanted = list(names)
        asked = "".join(f"{self.files[name].id}\n" for name in wanted).encode()
        said = repository.run(self.store, "cat-file", "--batch", stdin=asked)
        read: dict[str, bytes] = {}
        at = 0
        for name in wanted:  # "<id> blob <size>", a line feed, the content, a line feed
            start = said.index(b"\n", at) + 1
            end = start + int(said[at:start].rsplit(b" ", 1)[1])
            read[name], at = said[start:end], end + 1
        return read


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A template for copier to render, what to tell it about its origin, and the files that only have to be copied."""

    folder: Path
    data: Mapping[str, str]
    copied: Mapping[str, tuple[bytes, Entry]] = field(repr=False)

    def complete(self, made: Path) -> None:
        """Add to what copier has rendered the files that it did not see."""
        for name, (content, entry) in self.copied.items():
            _write(made / name, content, entry)


def trim(where: str, version: str | None, stack: object, folder: Path) -> Trimmed:
    """Make a short cut to rendering a stack in an empty folder; raises `UnfitError` where there is none."""
    try:
        return _trim(where, version, stack, folder)
    except StackgenError as error:  # what is wrong with a template is copier's to say
        raise UnfitError(error.message) from error


def _trim(where: str, version: str | None, stack: object, folder: Path) -> Trimmed:
    if version is None or not isinstance(stack, str) or not _STACK.fullmatch(stack):
        raise UnfitError("no version, or no stack")
    template = _read(where, version, folder / "store")
    project = f"templates/{stack}/project/"
    copied = {name for name in template.files if name.startswith(project) and _is_plain(template, name, project)}
    kept = [name for name in template.files if name not in copied and _is_read(name, project)]
    contents = template.contents([*kept, *copied])
    trimmed = folder / "template"
    for name in kept:
        _write(trimmed / name, _told(name, contents[name]), template.files[name])
    _require_known(trimmed)
    whole = {name.removeprefix(project): (contents[name], template.files[name]) for name in copied}
    return Trimmed(trimmed, {COMMIT: template.commit, ORIGIN: where}, whole)


def _is_read(name: str, project: str) -> bool:
    """Tell whether copier may need a file to render a stack."""
    elsewhere = re.match(r"templates/[^/]+/project/", name)
    return name == "copier.yml" or (name.startswith("templates/") and (not elsewhere or name.startswith(project)))


def _is_plain(template: Template, name: str, project: str) -> bool:
    """Tell whether copier would write a file as it stands, and where."""
    inside = name.removeprefix(project)
    theirs = inside.endswith(SUFFIX) or f"{name}{SUFFIX}" in template.files or inside.startswith(".copier-answers")
    return bool(_PLAIN.fullmatch(inside)) and not theirs


def _told(name: str, content: bytes) -> bytes:
    """Let the file of the answers name the commit and the origin, which copier cannot know from a folder."""
    inner = set(_INNER.findall(content)) | set(_INNER.findall(os.fsencode(name)))
    if inner == {_ANSWERS} and name.endswith(SUFFIX):
        answers = f"dict({{'_commit': {COMMIT}}}, **dict(_copier_answers, _src_path={ORIGIN}))"
        return f"[=% set _copier_answers = {answers} %=]".encode() + content
    if inner:
        raise UnfitError(f"{name} asks about copier itself")
    return content


def _require_known(folder: Path) -> None:
    """Refuse a template with settings that have a say in what is rendered where."""
    config = questionnaire.load(folder)
    options = config.get("_envops") or {}
    known = (
        {key for key in config if key.startswith("_")} <= _KEYS
        and (config.get("_subdirectory"), config.get("_templates_suffix")) == (_SUBDIRECTORY, SUFFIX)
        and options.keys() <= _OPTIONS
        and (options.get("variable_start_string"), options.get("block_start_string")) == ("[=", "[=%")
        and not any(_PLAIN.fullmatch(options.get(key, usual)) for key, usual in _STARTS.items())
    )
    if not known:
        raise UnfitError("copier.yml has other settings")


def _read(where: str, version: str, store: Path) -> Template:
    """Clone a template that is on this machine as copier would, without checking it out."""
    path = Path(where).expanduser()
    changed = version == "HEAD" and path.is_dir() and repository.attempt(path, "status", "--porcelain")
    if not path.exists() or (changed and (changed.returncode or changed.stdout)):
        raise UnfitError("it is elsewhere, or has changes that are not committed")
    repository.run(Path(), "clone", "--quiet", "--bare", "--template=", "--", str(path.absolute()), str(store))
    said = repository.run(store, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{version}^{{commit}}")
    commit = said.decode().strip()
    name = repository.run(store, "describe", "--tags", "--always", commit).decode().strip()
    entries = repository.parse_tree(repository.run(store, "ls-tree", "-r", "-z", commit))
    odd = {entry.mode for entry in entries.values()} - {"100644", "100755", LINK}
    if any(name.endswith(SUFFIX) and not name.startswith("templates/") for name in entries):
        raise UnfitError("copier takes a file beside copier.yml for the template of any file of that name")
    if odd or any(PurePosixPath(path).name == ".gitattributes" for path in entries):
        raise UnfitError("git would write its files otherwise than they are")
    return Template(store, name, _followed(store, entries))


def _followed(store: Path, entries: dict[str, Entry]) -> dict[str, Entry]:
    """Give every file under each name that a link gives it."""
    folders: dict[str, list[str]] = {}
    for name in entries:
        for parent in PurePosixPath(name).parents:
            folders.setdefault(str(parent), []).append(name)
    links = {name: entry for name, entry in entries.items() if entry.mode == LINK}
    leads = {
        name: os.path.normpath(PurePosixPath(name).parent / os.fsdecode(target))
        for name, target in Template(store, "", links).contents(links).items()
    }

    def under(name: str, depth: int = 0) -> Iterator[tuple[str, Entry]]:
        if depth > _DEEPEST or (name not in entries and name not in folders):
            raise UnfitError(f"a link leads to {name}")
        if name in leads:
            yield from under(leads[name], depth + 1)
        elif name in entries:
            yield "", entries[name]
        else:
            for inner in folders[name]:
                yield from ((inner[len(name) :] + rest, entry) for rest, entry in under(inner, depth + 1))

    return {name + rest: entry for name in entries for rest, entry in under(name)}


def _write(path: Path, content: bytes, entry: Entry) -> None:
    """Write a file that must not be there yet, as git would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, int(entry.mode[-3:], 8) | 0o22)
    except (FileExistsError, NotADirectoryError) as error:
        raise UnfitError(f"two files have the name {path.name}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
