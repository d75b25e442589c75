"""The committed go.mod and go.sum of the go template: a pair for every set of answers, one version of each module."""

import re

from tools.go_locks import LOCKS, locks

DIRECT = re.compile(r"^\t(\S+) (\S+)$", re.MULTILINE)


def test_every_set_of_answers_has_its_pair_and_no_other_is_left() -> None:
    names = {f"{name}.{suffix}" for name in locks() for suffix in ("mod", "sum")}
    assert {path.name for path in LOCKS.iterdir()} == names


def test_what_is_imported_has_the_same_version_whatever_the_answers() -> None:
    versions: dict[str, set[str]] = {}
    for path in LOCKS.glob("*.mod"):
        for module, version in DIRECT.findall(path.read_text(encoding="utf-8")):
            versions.setdefault(module, set()).add(version)
    assert versions
    assert {module: found for module, found in versions.items() if len(found) > 1} == {}
