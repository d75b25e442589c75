"""Measures the command line as ratios of two commands in one run: `uv run benchmarks/cli.py`.

CPU is user plus system time of the whole process, the least of several interleaved runs, which is what
a busy machine disturbs least; wall time is the median. Exits 1 when a budget is exceeded.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
STACKGEN = str(BIN / "stackgen")
ROUNDS = 9
PEAK_BUDGET_MB = 80


@dataclass(frozen=True)
class Sample:
    """What one run of a command took: seconds of wall time and of CPU, and its largest size in MB."""

    wall: float
    cpu: float
    peak: float


def measure(command: Sequence[str]) -> Sample:
    """Run the command once to its end; raises when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited {process.returncode}")
    return Sample(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def interleaved(commands: dict[str, Sequence[str]], work: Path, rounds: int = ROUNDS) -> dict[str, list[Sample]]:
    """Run every command in turn, round after round, each into a fresh place."""
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for round_ in range(rounds + 1):
        for name, command in commands.items():
            place = work / f"{round_}-{name.replace(' ', '-')}"
            place.mkdir()
            sample = measure([word.replace("PLACE", str(place)) for word in command])
            if round_:  # the first round only warms caches
                samples[name].append(sample)
            shutil.rmtree(place)
    return samples


def cpu(samples: list[Sample]) -> float:
    """Give the least CPU time."""
    return min(sample.cpu for sample in samples)


def wall(samples: list[Sample]) -> float:
    """Give the median wall time."""
    return statistics.median(sample.wall for sample in samples)


def startup(work: Path) -> list[tuple[str, float, float]]:
    """Compare the quick commands with importing typer alone."""
    commands: dict[str, Sequence[str]] = {
        "import typer": [sys.executable, "-c", "import typer"],
        "--version": [STACKGEN, "--version"],
        "recommend": [STACKGEN, "recommend", "--yes", "--json"],
    }
    samples = interleaved(commands, work)
    base = cpu(samples["import typer"])
    return [
        ("--version / import typer (CPU)", cpu(samples["--version"]) / base, 1.5),
        ("recommend --yes --json / import typer (CPU)", cpu(samples["recommend"]) / base, 3.0),
    ]


def generation(work: Path) -> list[tuple[str, float, float]]:
    """Compare `new --yes` with copier copying the same template with the same answers."""
    dry = [STACKGEN, "new", "my-shop", "--yes", "--dry-run", "--json", "--output-dir", str(work)]
    planned = json.loads(subprocess.run(dry, check=True, capture_output=True, text=True).stdout)["result"]
    data = [word for key, value in planned["answers"].items() for word in ("--data", f"{key}={value}")]
    ref = ["--vcs-ref", planned["version"]] if planned["version"] else []
    commands: dict[str, Sequence[str]] = {
        "copier": [
            str(BIN / "copier"),
            "copy",
            "--quiet",
            "--defaults",
            *ref,
            *data,
            planned["source"],
            "PLACE/my-shop",
        ],
        "new": [STACKGEN, "new", "my-shop", "--yes", "--no-git", "--output-dir", "PLACE"],
        "new with git": [STACKGEN, "new", "my-shop", "--yes", "--output-dir", "PLACE"],
    }
    samples = interleaved(commands, work)
    base = samples["copier"]
    peak = max(sample.peak for name in ("new", "new with git") for sample in samples[name])
    return [
        ("new --yes --no-git / copier copy (wall)", wall(samples["new"]) / wall(base), 0.85),
        ("new --yes --no-git / copier copy (CPU)", cpu(samples["new"]) / cpu(base), 0.8),
        ("new --yes, first commit included / copier copy (wall)", wall(samples["new with git"]) / wall(base), 1.0),
        (f"peak memory of new / {PEAK_BUDGET_MB} MB", peak / PEAK_BUDGET_MB, 1.0),
    ]


def updates(work: Path) -> list[tuple[str, float, float]]:
    """Compare `update` with copier updating the same unedited project from the newest release to the last commit."""
    log = [
        "git",
        "-C",
        str(ROOT),
        "log",
        "-1",
        "--first-parent",
        "--format=%H",
        "-G^version = ",
        "--",
        "pyproject.toml",
    ]
    release = subprocess.run(log, check=True, capture_output=True, text=True).stdout.strip()
    copier, old = str(BIN / "copier"), work / "old"
    made = [
        copier,
        "copy",
        "--quiet",
        "--defaults",
        "--vcs-ref",
        release,
        "--data",
        "name=my-shop",
        str(ROOT),
        str(old),
    ]
    subprocess.run(made, check=True, capture_output=True)
    commit = "git init -q && git add -A && git -c user.name=b -c user.email=b@b commit -qm Start"
    subprocess.run(["sh", "-c", commit], cwd=old, check=True)
    there = f"cp -a {old} PLACE/my-shop && cd PLACE/my-shop && exec"
    commands: dict[str, Sequence[str]] = {
        "copier": ["sh", "-c", f"{there} {copier} update --quiet --defaults --vcs-ref HEAD"],
        "update": ["sh", "-c", f"{there} {STACKGEN} update --json"],
        # It exits 7, as there is something to do.
        "check": ["sh", "-c", f"{there.removesuffix('exec')} {STACKGEN} update --check --json; [ $? -eq 7 ]"],
    }
    samples = interleaved(commands, work, rounds=3)
    base = cpu(samples["copier"])
    return [
        ("update / copier update (CPU)", cpu(samples["update"]) / base, 0.4),
        ("update --check / copier update (CPU)", cpu(samples["check"]) / base, 0.4),
    ]


def main() -> None:
    """Print every ratio beside its budget."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*startup(Path(folder)), *generation(Path(folder)), *updates(Path(folder))]
    for name, ratio, budget in rows:
        print(f"{name:58} {ratio:5.2f}  (at most {budget:.2f}){'' if ratio <= budget else '  EXCEEDED'}")
    if any(ratio > budget for _, ratio, budget in rows):
        raise SystemExit(1)


main()
