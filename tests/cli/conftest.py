"""The command line run in this process, against this checkout's own templates."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stackgen import cli


@dataclass(frozen=True)
class Run:
    """What one command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The envelope on standard output."""
        return json.loads(self.out)


@pytest.fixture
def stackgen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Run]:
    """Run a command in an empty folder, with nobody at the terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STACKGEN_TEMPLATE", raising=False)

    def run(*arguments: str) -> Run:
        code = cli.run(arguments)
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run
