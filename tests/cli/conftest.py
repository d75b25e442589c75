"""The command line run in this process, against this checkout's own templates."""

from collections.abc import Callable
from pathlib import Path

import pytest
from running import Run

from stackgen import cli


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
