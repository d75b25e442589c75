"""`stackgen verify` in a real project, as its owner runs it."""

import json
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

# As `python -m stackgen` does, with other limits.
PROGRAM = """\
import json, sys
from stackgen import cli, serving
vars(serving).update(json.loads(sys.argv[1]))
sys.exit(cli.run(sys.argv[2:]))
"""


def told(
    project: Path, environment: Mapping[str, str], *skip: str, limits: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Give what is said as JSON; `limits` are those of `stackgen.serving`, in seconds."""
    words = [word for step in skip for word in ("--skip", step)]
    start = ["-c", PROGRAM, json.dumps(limits)] if limits else ["-m", "stackgen"]
    command = [sys.executable, *start, "verify", str(project), "--json", *words]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=3000, check=False)
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["ok"] == (done.returncode == 0), said
    assert done.returncode in {0, 6}, said
    return said


def states(project: Path, environment: Mapping[str, str], *skip: str) -> tuple[int, dict[str, str], str]:
    """Give the exit code, what became of each step, and all that was said."""
    said = told(project, environment, *skip)
    steps = said["result"]["steps"] if said["ok"] else said["error"]["details"]["steps"]
    return 0 if said["ok"] else 6, {each["step"]: each["state"] for each in steps}, json.dumps(said)


def assert_proven(project: Path, environment: Mapping[str, str], *skip: str, also: Collection[str] = ()) -> None:
    """Fail unless every step has passed that was not left out; `also` are those that go with one of these."""
    code, found, said = states(project, environment, *skip)
    assert (code, {name for name, state in found.items() if state != "passed"}) == (0, {*skip, *also}), said
