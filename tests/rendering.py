"""Today's templates rendered: each set of answers once in a run of the tests, as often as it is asked for.

A run's templates and its copier do not change, so the answers and the folder's name say which project it is. What a
test gets is a copy of its own. That it is what copier makes is a test (`templates/test_rendering.py`).
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from museum import ROOT, git, repository_of_today

from stackgen import render
from stackgen.project import ANSWERS_FILE

Render = Callable[..., Path]


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose last commit holds today's templates: this one, or where it has changes, one that has them."""
    if not git(ROOT, "status", "--porcelain"):
        return ROOT
    return repository_of_today(tmp_path_factory.mktemp("today") / "stackgen").path


@pytest.fixture(scope="session")
def rendered(ours: Path, tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Put a project of today's templates into a folder that is not there yet, and give that folder."""
    base = tmp_path_factory.getbasetemp()
    cached = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "rendered"
    cached.mkdir(exist_ok=True)

    def put(stack: str, made: Path, **answers: object) -> Path:
        data = {"stack": stack, "name": "my-shop", **answers}
        shutil.copytree(_shared(ours, cached, made.name, json.dumps(data, sort_keys=True)), made, symlinks=True)
        return made

    return put


@cache
def _shared(ours: Path, cached: Path, name: str, answers: str) -> Path:
    """Give the project that all processes of a run share; whoever is first has made it."""
    place = cached / sha256(f"{name}\0{answers}".encode()).hexdigest()[:16]
    if not place.exists():
        fresh = Path(tempfile.mkdtemp(dir=cached))
        _make(ours, fresh / name, json.loads(answers))
        with suppress(OSError):  # another process was faster, with the same
            fresh.rename(place)
    return place / name


def _make(ours: Path, made: Path, data: Mapping[str, object]) -> None:
    render.make(str(ours), "HEAD", made, dict(data))
    file = made / ANSWERS_FILE
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    named = (f"_src_path: {ROOT}\n" if line.startswith("_src_path:") else line for line in lines)
    file.write_text("".join(named), encoding="utf-8")
