"""What an update owes a project, told from files and from the report as JSON alone; it shares nothing with stackgen.

Four states of a project are looked at: what its release made, what its owner made of that, what the new release makes,
and what the update left. `complaints` says in one line each what the update cannot answer for.
"""

import io
import json
import os
import re
import stat
import subprocess
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ANSWERS = ".copier-answers.yml"
MARKER = b"<<<<<<< yours"
UNTOUCHED = {"kept", "renamed", "stays deleted", "generated"}


@dataclass(frozen=True)
class Held:
    """What stands at a path: its bytes, or a link's target, and whether it can be run."""

    content: bytes
    kind: str


Files = Mapping[str, Held]


def files(folder: Path) -> dict[str, Held]:
    """Give every file and link in a folder but git's own."""
    found = {}
    for place, folders, names in os.walk(folder):
        if Path(place) == folder and ".git" in folders:
            folders.remove(".git")
        for name in [*names, *(each for each in folders if Path(place, each).is_symlink())]:
            path = Path(place, name)
            mode = path.lstat().st_mode
            link = stat.S_ISLNK(mode)
            kind = "link" if link else "program" if mode & stat.S_IXUSR else "file"
            found[os.path.relpath(path, folder)] = Held(
                os.fsencode(path.readlink()) if link else path.read_bytes(), kind
            )
    return found


def kept(folder: Path) -> dict[str, Held]:
    """Give every file as git would keep it, line ends, encodings and keywords undone.

    What the filter `coded` keeps is no text: of it, what stands on the disk is what the template wrote.
    """
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, "GIT_INDEX_FILE": f"{place}/index", "GIT_NO_REPLACE_OBJECTS": "1"}

        def git(*words: str, stdin: bytes = b"") -> bytes:
            settings = ("core.safecrlf=false", "core.fsmonitor=false", "filter.coded.clean=cat")
            command = ["git", "-C", str(folder), *(each for one in settings for each in ("-c", one)), *words]
            done = subprocess.run(command, input=stdin, capture_output=True, check=True, env=environment)
            return done.stdout

        git("add", "--all", "--force", ".")
        found = {}
        for line in git("ls-files", "--stage", "-z").split(b"\0")[:-1]:
            about, _, name = line.partition(b"\t")
            mode, object_, _ = about.decode().split()
            if mode != "160000":
                kind = {"120000": "link", "100755": "program"}.get(mode, "file")
                found[os.fsdecode(name)] = object_, kind
        said = io.BytesIO(git("cat-file", "--batch", stdin="".join(f"{each}\n" for each, _ in found.values()).encode()))
        return {name: Held(next_of(said), kind) for name, (_, kind) in found.items()}


def next_of(batch: io.BytesIO) -> bytes:
    """Give the next content of what `git cat-file --batch` says."""
    content = batch.read(int(batch.readline().split()[-1]))
    batch.readline()
    return content


@dataclass(frozen=True)
class Case:
    """An update, before and after."""

    old: Files
    had: Files
    new: Files
    has: Files
    said: Mapping[str, Any]

    @property
    def fates(self) -> dict[str, tuple[str, str]]:
        """Give what the report says of each file."""
        return {each["path"]: (each["class"], each["note"]) for each in self.said["files"]}

    def given_up(self, path: str) -> Counter[bytes]:
        """Give the lines of a file that the report names as given up, without their indentation."""
        return Counter(each["line"].encode().strip() for each in self.said["given_up"] if each["path"] == path)


def complaints(case: Case) -> list[str]:
    """Give all that the update cannot answer for."""
    checks: tuple[Callable[[Case], Iterator[str]], ...] = (
        lines_lost,
        own_files_touched,
        silent_changes,
        deleted_and_back,
        not_delivered,
        wrong_markers,
        broken_syntax,
    )
    return [complaint for check in checks for complaint in check(case)]


def lines_lost(case: Case) -> Iterator[str]:
    """Each line that the owner had and the template had not is in its file, or named as given up."""
    for path, held in case.had.items():
        fate, note = case.fates.get(path, ("", ""))
        if fate in {"", "removed"} or (fate in UNTOUCHED and fate != "united"):
            continue
        goes = note.removeprefix("to ") if fate == "moved" and note.startswith("to ") else path
        came = origin(case, path)
        own = lines(held) - lines(case.old.get(came))
        missing = own - lines(case.has.get(goes))
        for line in (missing - case.given_up(path) - case.given_up(goes)).elements():
            yield f"{path}: lost {line!r}"
        before, after = lines(held), lines(case.has.get(goes))
        once = {line for line in own if before[line] == after[line] == 1}
        order = [
            [line for line in map(bytes.strip, split(each)) if line in once] for each in (held, case.has.get(goes))
        ]
        moved = moved_by_the_template(case.old.get(came), case.new.get(goes)) if order[0] != order[1] else set()
        was, stands = ([line for line in each if but_for_numbers(line) not in moved] for each in order)
        if was != stands:
            yield f"{path}: lines of the owner's stand in another order"


def own_files_touched(case: Case) -> Iterator[str]:
    """What neither release has is not touched, unless the report names it."""
    for path, held in case.had.items():
        if path not in case.fates and path not in case.old and case.has.get(path) != held:
            yield f"{path}: the owner's own file was changed"


def silent_changes(case: Case) -> Iterator[str]:
    """Whatever is not as it was stands in the report, as what it is; what the report leaves alone is as it was."""
    for path in case.had.keys() | case.has.keys():
        fate = case.fates.get(path, ("", ""))[0]
        if (fate == "" or fate in UNTOUCHED) and case.had.get(path) != case.has.get(path):
            yield f"{path}: changed, and the report says {fate or 'nothing'}"
        if fate == "removed" and (path in case.has or case.had.get(path) != case.old.get(path)):
            yield f"{path}: said to be removed, but it is there, or was the owner's"
        if fate == "changed" and own(case, path) and not case.given_up(path):
            yield f"{path}: said to be changed, but it was the owner's by then"


def deleted_and_back(case: Case) -> Iterator[str]:
    """What the owner has deleted or renamed does not come back under its old name."""
    for path in case.old.keys() - case.had.keys():
        if path in case.has:
            yield f"{path}: deleted by the owner, and back"


def not_delivered(case: Case) -> Iterator[str]:
    """What the owner has not touched is what the new release makes; so is what is new, or the report says why not."""
    moved = {note.removeprefix("to ") for fate, note in case.fates.values() if note.startswith("to ")}
    named = ("in the place of", "was ", "the template's is ")
    placed = {note.split(" ")[-1] for _, note in case.fates.values() if note.startswith(named)}
    for path, held in case.new.items():
        fate, note = case.fates.get(path, ("", ""))
        if path == ANSWERS or fate in {"conflict", "merged", "kept", "stays deleted", "generated", "united"}:
            continue
        untouched = path in case.old and case.had.get(path) == case.old[path]
        added = path not in case.old and path not in case.had and path not in moved and path not in placed
        if (untouched or added) and note == "" and case.has.get(path) != held:
            yield f"{path}: not what the new release makes of it"
    for path in case.has.keys() - case.had.keys() - case.new.keys():
        if path not in moved and not case.fates.get(path, ("", ""))[1].startswith("in the place of"):
            yield f"{path}: came from nowhere"


def wrong_markers(case: Case) -> Iterator[str]:
    """Markers stand in the files that the report calls in conflict, and in no other."""
    for path, held in case.has.items():
        names = former_names(case, path)
        before = sum(side[name].content.count(MARKER) for side in (case.had, case.new) for name in names & side.keys())
        marked = held.content.count(MARKER) > before
        if marked and case.fates.get(path, ("", ""))[0] != "conflict":
            yield f"{path}: markers, and the report says no conflict"


def broken_syntax(case: Case) -> Iterator[str]:
    """What two readable files were merged to without a conflict can be read, too."""
    for path, (fate, _) in case.fates.items():
        if fate != "merged" or path not in case.has or path not in case.had:
            continue
        before = case.new.get(origin(case, path))
        if before and is_read(path, case.had[path]) and is_read(path, before) and not is_read(path, case.has[path]):
            yield f"{path}: merged to what cannot be read"


def own(case: Case, path: str) -> bool:
    """Tell whether the owner has changed a file: line ends alone are no change where git writes them as it is told."""
    made = case.old.get(origin(case, path))
    return path in case.had and (made is None or with_plain_ends(case.had[path]) != with_plain_ends(made))


def with_plain_ends(held: Held) -> Held:
    return Held(held.content.replace(b"\r\n", b"\n"), held.kind)


def origin(case: Case, path: str) -> str:
    """Give the name that the template's file had which the owner has renamed, the file's own for any other."""
    note = case.fates.get(path, ("", ""))[1]
    return note.removeprefix("was ").split("; ")[0] if note.startswith("was ") else path


def former_names(case: Case, path: str) -> set[str]:
    """Give every name that a file has had on either side, as the report tells them."""
    told = case.fates.get(path, ("", ""))[1].split("; ")
    words = ("was ", "from ", "the template's is ", "in the place of ")
    return {path, *(each.removeprefix(word) for each in told for word in words if each.startswith(word))}


def lines(held: Held | None) -> Counter[bytes]:
    """Count the lines that say something, without their ends and their indentation."""
    return Counter(line.strip() for line in split(held) if line.strip())


def moved_by_the_template(old: Held | None, new: Held | None) -> set[bytes]:
    """Give the lines that a release puts before or after others than it did, the numbers in them aside.

    One with a pin that the owner has raised goes where the release has put it.
    """
    was, becomes = ([but_for_numbers(line.strip()) for line in split(each)] for each in (old, new))
    once = [line for line in was if line and was.count(line) == becomes.count(line) == 1]
    places = [becomes.index(line) for line in once]
    return {
        line
        for number, (line, place) in enumerate(zip(once, places, strict=True))
        if max(places[:number], default=-1) > place or min(places[number:]) < place
    }


def but_for_numbers(line: bytes) -> bytes:
    return re.sub(rb"\d+", b"0", line)


def split(held: Held | None) -> list[bytes]:
    if held is None:
        return []
    return [held.content] if b"\0" in held.content[:8000] else held.content.replace(b"\r\n", b"\n").split(b"\n")


def is_read(path: str, held: Held) -> bool:
    """Tell whether a program that knows the format would read it; what has no format is always read."""
    try:
        text = held.content.decode()
        if path.endswith(".json") and not path.endswith(("tsconfig.json", "devcontainer.json")):
            json.loads(text, object_pairs_hook=no_key_twice)
        elif path.endswith((".yml", ".yaml")):
            list(yaml.compose_all(text))
        elif path.endswith(".toml"):
            tomllib.loads(text)
    except (ValueError, yaml.YAMLError):
        return False
    return True


def no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError
    return dict(pairs)
