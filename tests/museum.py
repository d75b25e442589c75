"""Real repositories, releases and installations, small enough to make afresh for every test."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hatch_build
import stackgen

ROOT = Path(__file__).parents[1]
PYPROJECT = '[project]\nname = "toy"\nversion = "{}"\n'
COPIER = """\
_subdirectory: "templates/[= stack =]/project"
_templates_suffix: .jinja
_envops:
  {variable_start_string: "[=", variable_end_string: "=]", block_start_string: "[=%", block_end_string: "%=]",
   comment_start_string: "[=#", comment_end_string: "#=]", keep_trailing_newline: true}
stack: {type: str, choices: [demo, other], default: demo}
name: {type: str, default: shop}
---
!include templates/demo/questions.yml
"""
ANSWERS_NAME = "[= _copier_conf.answers_file =].jinja"
ANSWERS = (ROOT / "templates/common/.copier-answers.yml.jinja").read_text(encoding="utf-8")
README = "# [= name =]\n\n{}\ntwo\nthree\nfour\nfive\n\nthe colour is [= colour =]\n"
TEMPLATE = {
    "copier.yml": COPIER,
    "templates/demo/questions.yml": "colour: {type: str, default: red}\n",
    "templates/common/shared.txt": "shared by all stacks\n",
    "templates/common/answers.jinja": ANSWERS,
    "templates/demo/project/readme.txt.jinja": README.format("one"),
    "templates/demo/project/dropped.txt": "dropped by 0.2.0\n",
}
LINKS = {
    f"templates/demo/project/{ANSWERS_NAME}": "../../common/answers.jinja",
    "templates/demo/project/shared.txt": "../../common/shared.txt",
    "templates/other/project": "../demo/project",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody who has no settings of their own."""
    people = {f"GIT_{role}_{key}": f"tester@{key}" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    environment = {**os.environ, **people, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@dataclass(frozen=True)
class Repository:
    """A template's repository, in which releases are made as on main."""

    path: Path

    def commit(self, files: Mapping[str, str | None] | None = None, version: str | None = None) -> str:
        """Write files (None deletes one), set the version where one is given, and commit."""
        for name, content in (files or {}).items():
            target = self.path / name
            with suppress(FileNotFoundError, NotADirectoryError):
                target.unlink() if not target.is_dir() else target.rmdir()
            if content is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content, encoding="utf-8")
        if version:
            (self.path / "pyproject.toml").write_text(PYPROJECT.format(version), encoding="utf-8")
        git(self.path, "add", "--all", "--force")
        git(self.path, "commit", "--quiet", "--allow-empty", "--message", version or "Change")
        return git(self.path, "rev-parse", "HEAD")

    def release(self, version: str) -> str:
        """Set the version in the real pyproject.toml and commit."""
        lines = (self.path / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        lines = [f'version = "{version}"' if line.startswith("version = ") else line for line in lines]
        return self.commit({"pyproject.toml": "\n".join(lines) + "\n"})

    def link(self, links: Mapping[str, str]) -> None:
        """Make symbolic links."""
        for name, target in links.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).symlink_to(target)

    def pack(self, target: Path) -> Path:
        """Build what the wheel carries, into `target`."""
        target.mkdir(parents=True)
        hatch_build.pack(self.path, target)
        return target


def start_repository(path: Path) -> Repository:
    """Make an empty repository."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch=main")
    return Repository(path)


def repository_of_today(path: Path) -> Repository:
    """Clone this repository with all its history, and commit what is not committed yet."""
    git(path.parent, "clone", "--quiet", "--no-local", str(ROOT), str(path))
    present = set(git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")[:-1])
    for name in git(path, "ls-files", "-z").split("\0")[:-1]:
        (path / name).unlink()
    for name in filter(lambda name: os.path.lexists(ROOT / name), present):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, path / name, follow_symlinks=False)
    repository = Repository(path)
    repository.commit()
    return repository


def toy_repository(path: Path) -> Repository:
    """Make a small template whose latest commit is not yet a release."""
    repository = start_repository(path)
    repository.link(LINKS)
    repository.commit(TEMPLATE, "0.1.0.dev0")
    return repository


SECOND = {
    "templates/demo/project/readme.txt.jinja": README.format("ONE"),
    "templates/demo/project/dropped.txt": None,
    "templates/demo/project/added.txt": "added by 0.2.0\n",
}


@dataclass(frozen=True)
class Installation:
    """stackgen as a wheel installs it: the package, and beside it the bundle that was packed."""

    path: Path
    home: Path

    def run(self, code: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run Python with this stackgen and this home."""
        return subprocess.run([sys.executable, "-c", code], **self.process(variables), timeout=600, check=False)

    def start(self, code: str, **variables: str) -> "subprocess.Popen[str]":
        """Start Python with this stackgen and this home."""
        return subprocess.Popen([sys.executable, "-c", code], **self.process(variables))

    def process(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """Give the options for a process that sees only this installation."""
        environment = {**os.environ, "PYTHONPATH": str(self.path), "HOME": str(self.home), **variables}
        environment.pop("STACKGEN_TEMPLATE", None)
        pipe = subprocess.PIPE
        return {"stdout": pipe, "stderr": pipe, "text": True, "env": environment, "cwd": str(self.home)}


def install(packed: Path, path: Path, home: Path) -> Installation:
    """Lay out the package and what the build packed as the wheel does."""
    shutil.copytree(Path(stackgen.__file__).parent, path / "stackgen", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(packed, path / "stackgen", dirs_exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    return Installation(path, home)
