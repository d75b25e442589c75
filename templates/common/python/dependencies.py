"""The pins: writes requirements*.txt anew from pyproject.toml, and installs what they say.

    uv run python dependencies.py                     after an edit of pyproject.toml or a merge
    uv run python dependencies.py NAME NAME==VERSION  add packages, or move them to a version
    uv run python dependencies.py --extra dev NAME    the same in one of the optional lists
    uv run python dependencies.py --upgrade           move what pyproject.toml does not pin

Each file of pins says in its second line how it is made; Renovate reads the same line.
"""

import argparse
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent
MANIFEST = ROOT / "pyproject.toml"
INSTALL = (
    "uv pip sync --quiet --python .venv --require-hashes requirements-dev.txt",
    "uv pip install --quiet --python .venv --no-deps --editable .",
)


def files() -> list[Path]:
    """Give the files of pins, requirements.txt first: the others are held to what it says."""
    return sorted(ROOT.glob("requirements*.txt"), key=lambda path: path.stem)


def declare(text: str, requirement: str, table: str) -> str:
    """Move a requirement to another version, or put a new one at the end of a list."""
    name, _, version = requirement.partition("==")
    known = rf'(?m)^(  "{re.escape(name)}(?:\[[^\]]*\])?)(?:==[^;"]*)?(?=[;"])'
    if re.search(known, text):
        return re.sub(known, rf"\g<1>=={version}" if version else r"\g<1>", text)
    listed = rf"(?m)^({table} = \[\n(?:[ #].*\n)*)"
    if not re.search(listed, text):
        problem = f"pyproject.toml has no list `{table} = [` with a line for each package"
        raise SystemExit(problem)
    return re.sub(listed, rf'\g<1>  "{requirement}",\n', text)


def pin(text: str, name: str, pins: str) -> str:
    """Write the version that was found beside a name that came without one."""
    found = re.search(rf"(?m)^{re.escape(normalized(name))}==([^ ;\\]+)", pins)
    return declare(text, f"{name}=={found[1]}", "dependencies") if found else text


def normalized(name: str) -> str:
    """Give a name as files of pins have it."""
    return re.sub(r"[-_.]+", "-", name).lower().partition("[")[0]


def lock(*, upgrade: bool) -> None:
    """Run the command of each file."""
    for path in files():
        command = shlex.split(path.read_text(encoding="utf-8").splitlines()[1].lstrip("# "))
        run([*command, "--quiet", *(["--upgrade"] if upgrade else [])])


def install(python: str) -> None:
    """Bring the environment to what the pins say, and make one where there is none."""
    if not (ROOT / ".venv").exists():
        run(["uv", "venv", "--quiet", "--python", python, ".venv"])
    for command in INSTALL:
        run(shlex.split(command))


def run(command: list[str]) -> None:
    """Run a command here, and end with its exit code where it fails."""
    ended = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603
    if ended.returncode:
        raise SystemExit(ended.returncode)


def main() -> None:
    """Do what the arguments ask for."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("packages", nargs="*", metavar="NAME")
    parser.add_argument("--extra", default="dependencies", help="a list of optional dependencies")
    parser.add_argument("--upgrade", action="store_true")
    parser.add_argument("--no-install", action="store_true", help="only write the pins")
    asked = parser.parse_args()
    before = text = MANIFEST.read_text(encoding="utf-8")
    for package in asked.packages:
        text = declare(text, package, asked.extra)
    MANIFEST.write_text(text, encoding="utf-8")
    try:
        lock(upgrade=asked.upgrade)
    except BaseException:
        MANIFEST.write_text(before, encoding="utf-8")
        raise
    pins = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    for package in asked.packages:
        if "==" not in package:
            text = pin(text, package, pins)
    MANIFEST.write_text(text, encoding="utf-8")
    if not asked.no_install:
        install(tomllib.loads(text)["project"]["requires-python"])


if __name__ == "__main__":
    main()
