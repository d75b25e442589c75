"""Git in a generated project: its first commit, its state, and the way back from a failed update."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackgen.errors import DestinationError, SourceError
from stackgen.source import git_reason

UNMERGED = frozenset({"DD", "AU", "UD", "UA", "DU", "AA", "UU"})
_IDENTITY = ("-c", "user.name=stackgen", "-c", "user.email=stackgen@localhost")
# The first commit holds all that was generated, whatever the user's own settings ignore, hook or sign;
# there is nothing to maintain in a repository so new.
_FIRST_COMMIT = ("-c", f"core.hooksPath={os.devnull}", "-c", "commit.gpgSign=false", "-c", "maintenance.auto=false")


def git(folder: Path, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run git in `folder`; with `check`, its failure becomes ours."""
    environment = {k: v for k, v in os.environ.items() if k not in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    except FileNotFoundError:
        message = "git is not installed, and projects cannot be made without it"
        raise SourceError(message, "install git") from None
    if check and done.returncode:
        message = f"git {arguments[0]} failed in {folder}: {git_reason(done.stderr)}"
        raise DestinationError(message, "put that right in git, then try again")
    return done


def contains(folder: Path) -> bool:
    """Tell whether `folder` already stands in a repository."""
    return git(folder, "rev-parse", "--is-inside-work-tree", check=False).stdout.strip() == "true"


def start(folder: Path) -> None:
    """Make `folder` a repository whose first commit holds everything in it."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "-c", f"core.excludesFile={os.devnull}", "add", "--all")
    commit = ("commit", "--quiet", "--message=Start from stackgen's template")
    if git(folder, *_FIRST_COMMIT, *commit, check=False).returncode:
        git(folder, *_FIRST_COMMIT, *_IDENTITY, *commit)


def require_clean(path: Path) -> None:
    """Refuse a folder that git could not bring back as it is now."""
    # Whatever the user's settings hide would be lost if the update had to be taken back.
    done = git(path, "status", "--porcelain", "--untracked-files=normal", "--", ".", check=False)
    if done.returncode:
        raise DestinationError(
            f"{path} is not a git repository", "run `git init && git add . && git commit -m Start` in it first"
        )
    if done.stdout:
        raise DestinationError(f"{path} has uncommitted changes", "commit or stash them, then update again")


def status(path: Path) -> list[tuple[str, str]]:
    """List what differs from the last commit as pairs of git's two-letter code and the file."""
    prefix = git(path, "rev-parse", "--show-prefix").stdout.strip()
    done = git(path, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    return [(line[:2], line[3:].removeprefix(prefix)) for line in done.stdout.split("\0") if line]


@contextmanager
def restored_on_failure(path: Path) -> Iterator[None]:
    """Put a project, which was clean before, back as it was when the block fails."""
    try:
        yield
    except BaseException:
        git(path, "reset", "--quiet", "--", ".")
        git(path, "checkout", "--quiet", "--", ".")
        git(path, "clean", "-fdq", "--", ".")
        raise
