"""Breaks put into a generated project by hand, each with the one generated test that is there for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Break:
    """A text of one file that is replaced by another, and the test, found in `where`, that must turn red."""

    name: str
    file: str
    old: str
    new: str
    test: str
    where: str = ""
    on_postgresql: bool = False

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def within(self, project: Path) -> Iterator[None]:
        """Break the project for a while; a break that has no place in it any more fails."""
        file = project / self.file
        whole = file.read_text(encoding="utf-8")
        assert whole.count(self.old) == 1, f"{self.file} has no place for this break any more"
        file.write_text(whole.replace(self.old, self.new), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(whole, encoding="utf-8")
