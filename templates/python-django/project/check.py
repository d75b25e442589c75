"""Every check that needs no database: `uv run python check.py`. All of them run, and any failure fails."""

import subprocess
import sys

CHECKS = (
    ("leftovers", [sys.executable, "leftovers.py"]),
    ("format", [sys.executable, "-m", "ruff", "format", "--check", "."]),
    ("lint", [sys.executable, "-m", "ruff", "check", "."]),
    ("types", [sys.executable, "-m", "mypy"]),
    ("migrations", [sys.executable, "-m", "pytest", "-q", "tests/test_migrations.py"]),
)


def main() -> int:
    """Run them, and tell which have failed."""
    failed = [name for name, command in CHECKS if subprocess.run(command, check=False).returncode]  # noqa: S603
    sys.stdout.write(f"failed: {', '.join(failed)}\n" if failed else "all checks passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
