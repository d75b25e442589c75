"""Finds what a merge or an update from the template left behind, and answers that the next one could not read."""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent
ANSWERS = ROOT / ".copier-answers.yml"
# Nobody writes by hand in these folders, nor in files of this size.
SKIPPED = {".git", ".cache", ".venv", "__pycache__", "var", "staticfiles"}
LARGEST = 5_000_000
MARKER = re.compile(rb"^(<{7}|\|{7}|>{7})( |\r?$)", re.MULTILINE)
# What copier writes: a key and its value, the rest of one, an entry of a list, a comment, or nothing.
ANSWER = re.compile(r"(\w+:( .*)?|[ #-].*|)")


def leftovers() -> Iterator[str]:
    """Give the files with conflict markers, and those with parts that could not be merged."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(set(folders) - SKIPPED)
        for path in (Path(folder, name) for name in sorted(files)):
            if path.suffix in {".rej", ".orig"}:
                yield f"{path.relative_to(ROOT)}: a part that could not be merged"
            elif path.is_file() and path.stat().st_size <= LARGEST and MARKER.search(path.read_bytes()):
                yield f"{path.relative_to(ROOT)}: conflict markers"


def broken_answers() -> Iterator[str]:
    """Give what is wrong with the answers; a project that has left its template has none."""
    if not ANSWERS.exists():
        return
    lines = ANSWERS.read_text(encoding="utf-8", errors="replace").splitlines()
    keys = Counter(line.partition(":")[0] for line in lines if re.match(r"\w+:", line))
    yield from (f"{ANSWERS.name}: no answer: {line}" for line in lines if not ANSWER.fullmatch(line))
    yield from (f"{ANSWERS.name}: {key} stands there twice" for key, count in keys.items() if count > 1)
    yield from (f"{ANSWERS.name}: {key} is missing" for key in ("_commit", "_src_path", "stack") if key not in keys)


def main() -> int:
    """Name everything that was found."""
    problems = [*leftovers(), *broken_answers()]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    if problems:
        sys.stdout.write("docs/updating.md tells how to settle this\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
