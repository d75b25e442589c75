"""Filters that stand between the disk and what git keeps: what they leave out, and what they keep elsewhere."""

import os
import re
from collections.abc import Iterator, Mapping

from stackgen.repository import Entry, Repository

_POINTER = b"version https://git-lfs.github.com/spec/"
# What a filter writes into a keyword's place is no line of anybody's: `$Date: …$`.
_KEYWORD = re.compile(rb"\$(\w+):[^$\n]*\$")


def is_pointer(content: bytes) -> bool:
    """Tell whether this only names a content that Git LFS keeps."""
    return content.startswith(_POINTER)


def leaving_out(home: Repository, files: Mapping[str, Entry]) -> Iterator[str]:
    """Give the files with lines on the disk that a filter keeps from git, as those that strip secrets or outputs do.

    Git calls such a file unchanged, and could not bring these lines back.
    """
    names = b"".join(os.fsencode(path) + b"\0" for path, entry in files.items() if entry.kind == "file")
    said = home.git("check-attr", "-z", "--stdin", "filter", stdin=names).split(b"\0")
    for name, value in zip(said[0:-1:3], said[2::3], strict=True):
        path = os.fsdecode(name)
        if value not in {b"unspecified", b"unset"} and (home.path / path).is_file():
            kept = home.git("cat-file", "blob", files[path].id)
            writes = home.git("cat-file", "--filters", f"--path={home.prefix}{path}", files[path].id)
            if _lines((home.path / path).read_bytes()) - _lines(kept) - _lines(writes):
                yield path


def _lines(content: bytes) -> set[bytes]:
    return {line.rstrip() for line in _KEYWORD.sub(rb"$\1$", content).split(b"\n")}
