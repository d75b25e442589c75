"""A toy template with two releases, and projects made from the first: what updates are tried on."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from museum import Repository, git, toy_repository

from stackgen import render
from stackgen.plan import Plan

TEXT = "".join(f"line {number}\n" for number in range(1, 13))
P = "templates/demo/project"
FIRST = {
    f"{P}/text.txt": TEXT,
    f"{P}/tools.json": TEXT,
    f"{P}/picture.bin": "\0 one\n",
    f"{P}/package-lock.json": '{\n  "lock": 1\n}\n',
    f"{P}/go.sum": "a v1\nc v1\n",
    f"{P}/gone/dropped.txt": TEXT,
    f"{P}/example/orders.txt": f"orders\n{TEXT}",
    f"{P}/example/items.txt": f"items\n{TEXT}",
    f"{P}/example/deep/rows.txt": f"rows\n{TEXT}",
    f"{P}/turns": "a file that becomes a folder\n",
}
NEW = TEXT.replace("line 11\n", "line eleven\n")
SECOND = {
    f"{P}/text.txt": NEW,
    f"{P}/tools.json": NEW,
    f"{P}/picture.bin": "\0 two\n",
    f"{P}/package-lock.json": '{\n  "lock": 2\n}\n',
    f"{P}/go.sum": "a v2\nc v1\n",
    f"{P}/gone/dropped.txt": None,
    f"{P}/example/orders.txt": f"orders\n{NEW}",
    f"{P}/example/items.txt": f"items\n{NEW}",
    f"{P}/example/more.txt": "added to the example\n",
    f"{P}/private.txt": "added by 0.2.0\n",
    f"{P}/late/added.txt": "added by 0.2.0\n",
}


@dataclass(frozen=True)
class Shop:
    """A project of release 0.1.0, with 0.2.0 to be had."""

    path: Path
    bundle: Path

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, content: bytes | str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def edit(self, name: str, old: str, new: str) -> None:
        content = self.read(name)
        assert old.encode() in content
        self.write(name, content.replace(old.encode(), new.encode()))
        self.save()

    def save(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=Edit")

    def git(self, *arguments: str) -> str:
        return git(self.path, *arguments)

    def files(self) -> dict[str, bytes]:
        """Give every file but git's own, tracked or not."""
        paths = [path for path in self.path.rglob("*") if ".git" not in path.relative_to(self.path).parts]
        return {
            p.relative_to(self.path).as_posix(): p.read_bytes() for p in paths if p.is_file() and not p.is_symlink()
        }


def releases(folder: Path, second: Mapping[str, str | None] | None = None) -> Path:
    """Pack a template with releases 0.1.0 and 0.2.0."""
    toy: Repository = toy_repository(folder / "template")
    toy.commit(FIRST, "0.1.0")
    toy.commit(SECOND if second is None else second, "0.2.0")
    return toy.pack(folder / "packed") / "templates.bundle"


def open_shop(bundle: Path, path: Path) -> Shop:
    """Make a project of release 0.1.0 in a repository of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    render.generate(Plan(str(bundle), "v0.1.0", path, {"name": "shop", "stack": "demo"}))
    return Shop(path, bundle)


GENERATE = """
import sys
from pathlib import Path
from stackgen import render
from stackgen.plan import Plan
render.generate(Plan(sys.argv[1], "v0.1.0", Path(sys.argv[2]), {"name": "shop", "stack": "demo"}))
"""


def open_apart(bundle: Path, path: Path) -> Shop:
    """Make a project in a process of its own: copier keeps the environment that it was imported in."""
    subprocess.run([sys.executable, "-c", GENERATE, str(bundle), str(path)], check=True, timeout=600)
    return Shop(path, bundle)


def update_apart(shop: Shop) -> tuple[int, dict[str, Any]]:
    """Update a project so; give the exit code, and what was said, as data."""
    words = [sys.executable, "-m", "stackgen", "update", str(shop.path), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    said = json.loads(done.stdout)
    return done.returncode, said.get("result") or said["error"]
