"""`stackgen verify` in a real project, as its owner runs it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def states(project: Path, environment: Mapping[str, str], *skip: str) -> tuple[int, dict[str, str], str]:
    """Give the exit code, what became of each step, and all that was said."""
    words = [word for step in skip for word in ("--skip", step)]
    command = [sys.executable, "-m", "stackgen", "verify", str(project), "--json", *words]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=3000, check=False)
    told = json.loads(done.stdout)
    steps = told["result"]["steps"] if told["ok"] else told["error"]["details"]["steps"]
    return done.returncode, {each["step"]: each["state"] for each in steps}, done.stdout


def assert_proven(project: Path, environment: Mapping[str, str], *skip: str) -> None:
    """Fail unless every step has passed that was not left out."""
    code, found, said = states(project, environment, *skip)
    assert (code, {name for name, state in found.items() if state != "passed"}) == (0, {*skip}), said
