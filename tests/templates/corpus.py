"""What people do to their projects, as data: `corpus/<stack>.yml`, and `corpus/common.yml` for every stack.

Each edit has a name, a kind, and what is done; names of files are patterns, in which a star stands for anything:

    write:   {name: text}                                a file of one's own, or one written anew
    append:  {pattern: text}, prepend: {pattern: text}   lines at the end, or at the beginning
    replace: [{in: pattern, what: expression, by: text, times: 1}]   as `re.sub` does it; all of them without `times`
    copy:    [{from: name, to: name, words: {old: new}}] a file or a folder, with other words in it and in its names
    rename:  {name: name}, delete: [pattern]             a file or a folder
    crlf:    [pattern], latin: {pattern: text}           carriage returns; text at the end that is not UTF-8
    raise:   1                                           every version moved by so much

What is not there is left out, as a corpus is for every release: `apply` tells what nothing was found for. The corpus
fits the newest release, and is never changed together with the templates, so that rates can be compared.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ordinary import moved_on, pinned

FOLDER = Path(__file__).with_name("corpus")
# Of these kinds, one project has seen one; what takes away and renames comes last.
EXCLUSIVE = {"example", "renaming", "reformatting", "deletion", "pipeline", "documentation"}
LAST = ("reformatting", "deletion", "renaming")


@dataclass(frozen=True)
class Edit:
    """One thing that somebody does."""

    name: str
    kind: str
    acts: Mapping[str, Any]
    common: bool = False

    def apply(self, project: Path) -> list[str]:
        """Do it in a project; give what nothing was found for."""
        return [f"{self.name}: {missing}" for key in ACTS if key in self.acts for missing in self._act(project, key)]

    def _act(self, project: Path, key: str) -> Iterator[str]:
        told = self.acts[key]
        for rule in told.items() if isinstance(told, dict) else told if isinstance(told, list) else [told]:
            yield from ACTS[key](project, rule)


@cache
def edits(stack: str) -> tuple[Edit, ...]:
    """Give the edits for a stack; a hybrid project holds what a node-ts one does."""
    names = ["common", *(["node-ts"] if stack == "hybrid-node-python-ml" else []), stack]
    return tuple(edit for name in names for edit in told_in(name))


def told_in(name: str) -> Iterator[Edit]:
    for told in yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8")):
        acts = {key: value for key, value in told.items() if key in ACTS}
        yield Edit(told["edit"], told["kind"], acts, name == "common")


def two_years(stack: str) -> tuple[Edit, ...]:
    """Give what one project can have seen: of the edits that undo each other, the first of each kind."""
    chosen: list[Edit] = []
    for edit in edits(stack):
        if edit.kind not in EXCLUSIVE or edit.kind not in {other.kind for other in chosen}:
            chosen.append(edit)
    return tuple(sorted(chosen, key=lambda edit: LAST.index(edit.kind) if edit.kind in LAST else -1))


def names(project: Path) -> list[str]:
    """Give every file of a project but git's."""
    found = []
    for place, folders, files in os.walk(project):
        if ".git" in folders:
            folders.remove(".git")
        found += [Path(place, name).relative_to(project).as_posix() for name in files]
    return sorted(name for name in found if name != ".copier-answers.yml")


def matching(project: Path, patterns: Iterable[str]) -> list[str]:
    return [name for name in names(project) if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def each(project: Path, pattern: str, act: Callable[[bytes], bytes]) -> Iterator[str]:
    found = matching(project, [pattern])
    for name in found:
        (project / name).write_bytes(act((project / name).read_bytes()))
    if not found:
        yield f"no {pattern}"


def put(project: Path, rule: tuple[str, str]) -> Iterator[str]:
    write(project / rule[0], rule[1].encode())
    return iter(())


def replace(project: Path, rule: Mapping[str, Any]) -> Iterator[str]:
    done = 0
    for name in matching(project, [rule["in"]]):
        had = (project / name).read_bytes()
        try:
            text = had.decode()
        except UnicodeDecodeError:
            continue
        text, count = re.subn(rule["what"], rule["by"], text, count=rule.get("times", 0))
        if text.encode() != had:
            (project / name).write_bytes(text.encode())
            done += count
    if not done:
        yield f"no {rule['what']!r} in {rule['in']}"


def other_words(text: str, words: Mapping[str, str]) -> str:
    return re.sub("|".join(words), lambda found: words[found[0]], text) if words else text


def copy(project: Path, rule: Mapping[str, Any]) -> Iterator[str]:
    found = matching(project, [rule["from"], f"{rule['from']}/*"])
    words = {old: rule["words"][old] for old in sorted(rule["words"], key=len, reverse=True)}
    for name in found:
        new = rule["to"] + other_words(name.removeprefix(rule["from"]), words)
        text = (project / name).read_text(encoding="utf-8")
        write(project / new, other_words(text, words).encode())
    if not found:
        yield f"no {rule['from']}"


def rename(project: Path, rule: tuple[str, str]) -> Iterator[str]:
    old, new = rule
    if not (project / old).exists() or (project / new).exists():
        yield f"no {old}"
        return
    (project / new).parent.mkdir(parents=True, exist_ok=True)
    (project / old).rename(project / new)


def delete(project: Path, pattern: str) -> Iterator[str]:
    found = matching(project, [pattern])
    for name in found:
        (project / name).unlink()
    if not found:
        yield f"no {pattern}"
    for place, _, _ in os.walk(project, topdown=False):
        if ".git" not in Path(place).parts and not any(Path(place).iterdir()):
            Path(place).rmdir()


def raise_pins(project: Path, by: int) -> Iterator[str]:
    for path in pinned(project):
        path.write_text(moved_on(path.read_text(encoding="utf-8"), by), encoding="utf-8")
    return iter(())


ACTS: Mapping[str, Callable[[Path, Any], Iterator[str]]] = {
    "copy": copy,
    "rename": rename,
    "delete": delete,
    "write": put,
    "replace": replace,
    "append": lambda project, rule: each(project, rule[0], lambda had: had + rule[1].encode()),
    "prepend": lambda project, rule: each(project, rule[0], lambda had: rule[1].encode() + had),
    "crlf": lambda project, pattern: each(project, pattern, lambda had: had.replace(b"\n", b"\r\n")),
    "latin": lambda project, rule: each(project, rule[0], lambda had: had + rule[1].encode("latin-1")),
    "raise": raise_pins,
}
"""What each key does, in this order; they give what nothing was found for."""
