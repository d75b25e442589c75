"""Folders to work in, which are gone afterwards, however the work ends."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackgen import endings

PREFIX = "stackgen-"


@contextmanager
def folder(beside: Path | None = None, prefix: str = PREFIX) -> Iterator[Path]:
    """Give an empty folder, among the temporary files or in the one named; no signal keeps it from being removed."""
    made: Path | None = None
    try:
        with endings.undisturbed():
            made = Path(tempfile.mkdtemp(prefix=prefix, dir=beside))
        yield made
    finally:
        if made is not None:
            remove(made)


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Let others put their temporary files into a folder of ours: they may not remove them when a signal comes."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def remove(made: Path) -> None:
    """Remove a folder, whatever signals come meanwhile."""
    with endings.undisturbed():
        shutil.rmtree(made, ignore_errors=True)
