"""Breaks put into a generated project by hand, each with the one generated test that is there for it."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sizes import is_release, seed

A_FEW = 2


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
        """Break the project for a while."""
        file = project / self.file
        whole = file.read_text(encoding="utf-8")
        file.write_text(whole.replace(self.old, self.new), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(whole, encoding="utf-8")


def a_few(breaks: Sequence[Break]) -> list[Break]:
    """Give those that the run's seed chooses; before a release, all."""
    return list(breaks) if is_release() else random.Random(seed()).sample(breaks, min(A_FEW, len(breaks)))


def some_by_seed(breaks: Sequence[Break]) -> list[object]:
    """Give the breaks as a test's parameters: those that the run's seed does not choose wait for a release."""
    chosen = a_few(breaks)
    return [pytest.param(each, marks=[] if each in chosen else pytest.mark.release) for each in breaks]


def assert_all_have_a_place(breaks: Sequence[Break], project: Path) -> None:
    """Fail for a break whose text is not in its file, or more than once."""
    lost = [each.name for each in breaks if (project / each.file).read_text(encoding="utf-8").count(each.old) != 1]
    assert lost == []
