"""Types, lint and format are part of the test command, so that no other one has to be remembered."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"])


@pytest.mark.parametrize("check", CHECKS, ids=" ".join)
def test_the_code_passes(check: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
