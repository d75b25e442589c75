"""Where uploaded files lie: in a folder here, or in a bucket (`bucket.py`). Both do the same, beside what Django asks.

Large files arrive in parts, so that an upload that broke off goes on where it was. A place for them is begun, each part
comes by itself and in any order, and what is whole becomes a file.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage

from backend.core.problems import AwayError

if TYPE_CHECKING:
    from backend.datasets.bucket import Bucket

PIECE = 64 * 1024
WHOLE = "file"


class FilesAwayError(AwayError):
    """The place where files lie cannot be reached, or refuses what it is asked for."""

    event = "files unavailable"
    detail = "The place of the files cannot be reached; try again soon."


class BrokeOffError(Exception):
    """A part ended before its announced length."""


class Source(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Read on."""

    def close(self) -> None:
        """Give it back."""


class Section:
    """The next so many bytes of a source."""

    def __init__(self, source: Source, length: int) -> None:
        self.source = source
        self.left = length

    def read(self, size: int, /) -> bytes:
        """Read on, up to the end of the section."""
        found = self.source.read(min(size, self.left))
        self.left -= len(found)
        return found

    def close(self) -> None:
        """Close the source."""
        self.source.close()


class Begun(NamedTuple):
    """A place for the parts of a file that has not become one."""

    name: str
    place: str
    at: datetime


class Folder(FileSystemStorage):
    """A folder that servers and workers share. Parts are written to their places in a file, which is moved at last."""

    @contextmanager
    def on_disk(self, name: str) -> Iterator[Path]:
        """Give a file as one of this machine."""
        yield Path(self.path(name))

    def whole(self, name: str, _size: int) -> Source:
        """Open a file."""
        return self.open(name, "rb")

    def section(self, name: str, first: int, length: int) -> Source:
        """Open some bytes of a file."""
        file = self.open(name, "rb")
        file.seek(first)
        return Section(file, length)

    def begin(self, _name: str, size: int) -> str:
        """Make a place for the parts of a file."""
        place = uuid.uuid4().hex
        folder = _arriving(place)
        folder.mkdir()
        with (folder / WHOLE).open("wb") as file:
            file.truncate(size)
        return place

    def address(self, _name: str, _place: str, _number: int, _length: int) -> str | None:
        """Give the address that takes a part; None where that is this server."""
        return None

    def write(self, place: str, number: int, source: Source, first: int, length: int) -> None:
        """Take a part."""
        folder = _arriving(place)
        there = folder / f"{number}-{length}"
        there.unlink(missing_ok=True)
        left = length
        with (folder / WHOLE).open("r+b") as file:
            file.seek(first)
            while piece := source.read(min(left, PIECE)):
                file.write(piece)
                left -= len(piece)
        if left:
            raise BrokeOffError
        there.touch()

    def received(self, _name: str, place: str) -> dict[int, int] | None:
        """Give the numbers of the parts that have come, and the length of each; None where their place is gone."""
        if not _arriving(place).is_dir():
            return None
        found = [path.name.split("-") for path in _arriving(place).glob("*-*")]
        return {int(number): int(length) for number, length in found}

    def finish(self, name: str, place: str) -> None:
        """Make a file of the parts, unless somebody else has just done it."""
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        arrived = _arriving(place) / WHOLE
        try:
            if self.file_permissions_mode is not None:
                arrived.chmod(self.file_permissions_mode)
            os.replace(arrived, target)  # noqa: PTH105 - so that a test can see that nothing is copied
        except FileNotFoundError:
            if not target.exists():
                raise
        self.abandon(name, place)

    def abandon(self, _name: str, place: str) -> None:
        """Forget the parts."""
        shutil.rmtree(_arriving(place), ignore_errors=True)

    def begun(self, _folder: str) -> Iterator[Begun]:
        """Give every place for parts that there is."""
        for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.parts"):
            yield Begun("", path.stem, datetime.fromtimestamp(path.stat().st_mtime, UTC))


def files() -> "Folder | Bucket":
    """Give what the environment has chosen."""
    return cast("Any", default_storage)  # type: ignore[no-any-return]


def _arriving(place: str) -> Path:
    return Path(settings.FILE_UPLOAD_TEMP_DIR) / f"{place}.parts"
