"""Changes to a folder of text, told as numbers, so that a generator can make them and make them smaller.

Both a project's owner and its template's maintainers make them; a number picks the file, another the line.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Change:
    """What is done, to which file, at which line, and how much."""

    act: str
    file: int
    line: int
    more: int


def change(folder: Path, who: str, number: int, what: Change) -> None:
    """Do it; where there is nothing that it could be done to, nothing is."""
    names = sorted(
        os.path.relpath(Path(place, name), folder)
        for place, _, found in os.walk(folder)
        for name in found
        if ".git" not in Path(place).relative_to(folder).parts and not Path(place, name).is_symlink()
    )
    names = [name for name in names if name != ".copier-answers.yml"]
    if names:
        ACTS[what.act](folder, names[what.file % len(names)], what, f"{who} {number}")


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def insert(folder: Path, name: str, what: Change, tag: str) -> None:
    lines = lines_of(folder / name)
    at = what.line % (len(lines) + 1)
    lines[at:at] = [f"{tag} wrote {place}\n".encode() for place in range(1 + what.more % 3)]
    (folder / name).write_bytes(b"".join(lines))


def remove(folder: Path, name: str, what: Change, _: str) -> None:
    lines = lines_of(folder / name)
    if lines:
        at = what.line % len(lines)
        del lines[at : at + 1 + what.more % 3]
    (folder / name).write_bytes(b"".join(lines))


def alter(folder: Path, name: str, what: Change, tag: str) -> None:
    lines = lines_of(folder / name)
    if lines:
        at = what.line % len(lines)
        lines[at] = lines[at].rstrip(b"\r\n") + f" as {tag} has it\n".encode()
    (folder / name).write_bytes(b"".join(lines))


def double(folder: Path, name: str, what: Change, _: str) -> None:
    lines = lines_of(folder / name)
    if lines:
        at = what.line % len(lines)
        block = lines[at : at + 1 + what.more % 4]
        lines[at:at] = block
    (folder / name).write_bytes(b"".join(lines))


def swap(folder: Path, name: str, what: Change, _: str) -> None:
    lines = lines_of(folder / name)
    if len(lines) > 1:
        one, two = what.line % len(lines), what.more % len(lines)
        lines[one], lines[two] = lines[two], lines[one]
    (folder / name).write_bytes(b"".join(lines))


def raise_version(folder: Path, name: str, what: Change, _: str) -> None:
    text = (folder / name).read_bytes()
    (folder / name).write_bytes(text.replace(b"1.0.0", f"1.{what.line % 5}.{what.more % 5}".encode()))


def indent(folder: Path, name: str, what: Change, _: str) -> None:
    lines = lines_of(folder / name)
    start = what.line % (len(lines) + 1)
    changed = [*lines[:start], *(b"  " + line for line in lines[start : start + 1 + what.more % 6])]
    (folder / name).write_bytes(b"".join([*changed, *lines[len(changed) :]]))


def end_otherwise(folder: Path, name: str, what: Change, _: str) -> None:
    text = (folder / name).read_bytes().replace(b"\r\n", b"\n")
    ends = [text.replace(b"\n", b"\r\n"), text.rstrip(b"\n"), text + b"\n\n", text.replace(b"\n", b"\r\n", 2)]
    (folder / name).write_bytes(ends[what.more % len(ends)])


def write_bytes(folder: Path, name: str, what: Change, tag: str) -> None:
    lines = lines_of(folder / name)
    at = what.line % (len(lines) + 1)
    kinds = [b"caf\xe9 ", b"\xef\xbb\xbf", b"\0", "\u2028größer ".encode(), b"form\ffeed ", b"<<<<<<< yours "]
    lines.insert(at, kinds[what.more % len(kinds)] + tag.encode() + b"\n")
    (folder / name).write_bytes(b"".join(lines))


def delete(folder: Path, name: str, _: Change, __: str) -> None:
    (folder / name).unlink()


def delete_folder(folder: Path, name: str, what: Change, tag: str) -> None:
    place = (folder / name).parent
    shutil.rmtree(place) if place != folder else delete(folder, name, what, tag)


def rename(folder: Path, name: str, what: Change, tag: str) -> None:
    old = folder / name
    words = tag.replace(" ", "-")
    new = [old.with_name(f"{words}-{old.name}"), old.parent / words / old.name, folder / words / name][what.more % 3]
    if not os.path.lexists(new) and not new.is_relative_to(old):
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)


def rename_folder(folder: Path, name: str, what: Change, tag: str) -> None:
    place = (folder / name).parent
    words = tag.replace(" ", "-")
    new = [place.with_name(words), folder / words / place.name][what.more % 2]
    if place != folder and not os.path.lexists(new):
        new.parent.mkdir(parents=True, exist_ok=True)
        place.rename(new)


def copy(folder: Path, name: str, what: Change, tag: str) -> None:
    old = folder / name
    new = old.with_name(f"{tag.replace(' ', '-')}-{old.name}")
    if not os.path.lexists(new):
        new.write_bytes(old.read_bytes().replace(b"one", b"other") if what.more % 2 else old.read_bytes())


def copy_folder(folder: Path, name: str, _: Change, tag: str) -> None:
    place = (folder / name).parent
    new = place.with_name(tag.replace(" ", "-"))
    if place != folder and not os.path.lexists(new):
        shutil.copytree(place, new, symlinks=True)


def add(folder: Path, name: str, what: Change, tag: str) -> None:
    words = "later" if what.more % 3 == 0 else tag.replace(" ", "-")
    new = (folder / name).parent / f"{words}.txt"
    if not os.path.lexists(new):
        new.write_text("" if what.line % 4 == 0 else f"{tag} begins\nand ends\n", encoding="utf-8")


def empty(folder: Path, name: str, _: Change, __: str) -> None:
    (folder / name).write_bytes(b"")


def write_anew(folder: Path, name: str, what: Change, tag: str) -> None:
    (folder / name).write_text("".join(f"{tag} says {place}\n" for place in range(what.more % 9)), encoding="utf-8")


def make_program(folder: Path, name: str, _: Change, __: str) -> None:
    (folder / name).chmod(0o755 if not (folder / name).stat().st_mode & 0o100 else 0o644)


def make_link(folder: Path, name: str, _: Change, __: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to("elsewhere")


def make_folder(folder: Path, name: str, _: Change, tag: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    (folder / name / "inside.txt").write_text(f"{tag} is inside\n", encoding="utf-8")


Act = Callable[[Path, str, Change, str], None]
ACTS: Mapping[str, Act] = {
    act.__name__: act
    for act in (
        insert, remove, alter, double, swap, raise_version, indent, end_otherwise, write_bytes, delete, delete_folder,
        rename, rename_folder, copy, copy_folder, add, empty, write_anew, make_program, make_link, make_folder,
    )
}  # fmt: skip
