"""What reads all of a file, in a process of its own, which cannot take the worker's memory with it."""

import subprocess
import sys
from pathlib import Path

from backend.datasets.profile import REFUSED, TOO_LARGE, FileProblem, Profile

MEBIBYTES = 300
SECONDS = 1800
# How Linux and Rust end a process that takes too much memory, and Linux one that takes too much time.
KILLED, ABORTED, OUT_OF_TIME = -9, -6, -24


def profile(path: Path, file_format: str) -> Profile:
    """Read a file in bounded memory and time; whatever it does to the one who reads it is the file's problem."""
    return Profile.model_validate_json(_run("reader", path, file_format))


def rewrite(path: Path, file_format: str, target: Path, most: int) -> None:
    """Write a file in the other format, in as much memory and time, and at most so many bytes."""
    _run("rewriter", path, file_format, target, most)


def _run(module: str, path: Path, file_format: str, *more: object) -> bytes:
    about = (path, file_format, *more, MEBIBYTES, SECONDS)
    command = [sys.executable, "-m", f"backend.datasets.{module}", *map(str, about)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603 - no shell
    except subprocess.TimeoutExpired:
        raise FileProblem(_too_long()) from None
    errors = done.stderr.decode(errors="replace")
    if done.returncode == 0:
        return done.stdout
    if done.returncode == REFUSED:
        raise FileProblem(done.stdout.decode())
    if done.returncode == OUT_OF_TIME:
        raise FileProblem(_too_long())
    if done.returncode in {TOO_LARGE, KILLED, ABORTED} or "MemoryError" in errors:
        fewer = "smaller row groups" if file_format == "parquet" else "fewer columns"
        msg = f"Reading the file takes more than {MEBIBYTES} MiB of memory: write shorter values or {fewer}."
        raise FileProblem(msg)
    msg = f"The {module} ended with {done.returncode}: {errors[-2000:]}"
    raise RuntimeError(msg)


def _too_long() -> str:
    return f"Reading the file takes longer than {SECONDS // 60} minutes."
