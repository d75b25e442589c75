"""The releases that updates are tested from: a few, whatever their number has grown to, and all before a release."""

import random
from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from museum import ROOT, git
from sizes import is_release, seed

import hatch_build

T = TypeVar("T")


@cache
def released() -> Mapping[str, str]:
    """Give the commit of every release, the oldest first."""
    return hatch_build.find_releases(hatch_build.Git(ROOT))


def chosen() -> list[str]:
    """Give the oldest release, one that the seed picks and the two newest, in their order; all before a release."""
    return list(released()) if is_release() else some(list(released()), seed())


def sample(items: list[T], number: int) -> list[T]:
    """Give so many of the items, picked by the seed; all before a release."""
    return items if is_release() else random.Random(seed()).sample(items, min(number, len(items)))


def some(versions: list[str], number: int) -> list[str]:
    """Give the first, one in between that the number picks, and the last two."""
    between = versions[1:-2]
    picked = {versions[0], *versions[-2:], *random.Random(number).sample(between, min(1, len(between)))}
    return [version for version in versions if version in picked]


def oldest_middle_newest(versions: list[str]) -> list[str]:
    """Give three of the releases, fewer where there are not as many."""
    return list(dict.fromkeys([versions[0], versions[len(versions) // 2], versions[-1]]))


def stacks_of(version: str) -> list[str]:
    """Give the stacks that a release had."""
    names = git(ROOT, "ls-tree", "-r", "--name-only", released()[version], "--", "templates").splitlines()
    return [name.split("/")[1] for name in names if name.endswith("/questions.yml")]
