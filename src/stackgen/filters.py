"""Filters that stand between the disk and what git keeps: what they leave out, and what they keep elsewhere."""

import os
import re
from collections.abc import Iterator

from stackgen.merge import Store
from stackgen.repository import Entry, Repository, Tree

_POINTER = b"version https://git-lfs.github.com/spec/"
# What a filter writes into a keyword's place is no line of anybody's: `$Date: …$`.
_KEYWORD = re.compile(rb"\$(\w+):[^$\n]*\$")


def is_pointer(content: bytes) -> bool:
    """Tell whether this only names a content that Git LFS keeps."""
    return content.startswith(_POINTER)


def leaving_out(home: Repository, files: Tree) -> Iterator[str]:
    """Give the files with lines on the disk that a filter keeps from git, as those that strip secrets or outputs do.

    Git calls such a file unchanged, and could not bring these lines back.
    """
    for path in _having(home, "filter", files):
        if (home.path / path).is_file():
            kept = home.git("cat-file", "blob", files[path].id)
            writes = home.written(path, files[path], home.objects)
            if _lines((home.path / path).read_bytes()) - _lines(kept) - _lines(writes):
                yield path


def as_kept(home: Repository, store: Store, base: Tree, ours: Tree, theirs: Tree) -> tuple[Tree, Tree]:
    """Give two rendered releases as the project's git keeps them: encrypted, say, or named by pointers.

    Else a file that nobody has touched would differ from what its release made, and a new one could not be written out.
    """
    # What has an encoding, too, is no text in it before git has written it out.
    rendered = {**base, **theirs}
    filtered = _having(home, "filter", rendered) - _having(home, "working-tree-encoding", rendered)
    made, makes = (_kept(home, store, {path: each[path] for path in filtered & each.keys()}) for each in (base, theirs))
    for path in made.keys() & ours.keys():
        # A filter may also turn what git keeps, and what the template wrote, into something else on the disk.
        if _likeness(store, ours[path], base[path]) > _likeness(store, ours[path], made[path]):
            made.pop(path)
            makes.pop(path, None)
    return {**base, **made}, {**theirs, **makes}


def _kept(home: Repository, store: Store, files: Tree) -> dict[str, Entry]:
    return {path: Entry(entry.mode, home.keep(path, store.blob(entry), store.objects)) for path, entry in files.items()}


def _likeness(store: Store, one: Entry, other: Entry) -> int:
    if one.kind != other.kind:
        return 0
    return len(set(store.blob(one).split(b"\n")) & set(store.blob(other).split(b"\n")))


def _having(home: Repository, attribute: str, files: Tree) -> set[str]:
    """Give the files for which the project's git sets an attribute."""
    names = b"".join(os.fsencode(path) + b"\0" for path, entry in files.items() if entry.kind == "file")
    said = home.git("check-attr", "-z", "--stdin", attribute, stdin=names).split(b"\0")
    values = zip(said[0:-1:3], said[2::3], strict=True)
    return {os.fsdecode(name) for name, value in values if value not in {b"unspecified", b"unset"}}


def _lines(content: bytes) -> set[bytes]:
    return {line.rstrip() for line in _KEYWORD.sub(rb"$\1$", content).split(b"\n")}
