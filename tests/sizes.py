"""The sizes of the test command, decided here: what everybody runs, all of it, and what precedes a release.

`STACKGEN_TESTS` is not set: what somebody with Python and git needs to trust the tool and each stack.
`STACKGEN_TESTS=all`: also the tests marked `full`. A skip is then a failure, since nothing may be left out unseen.
`STACKGEN_TESTS=release`: also the tests marked `release`, too heavy for every change.
Both leave out the tests marked `repeated`: there another test does the same, and more.
`STACKGEN_WITHOUT_ENGINE` tells why this machine cannot start a Docker engine: `all` then leaves out the tests marked
`engine` and says so. `.ci/run` sets it after it has tried. Nothing comes before a release without one.

`STACKGEN_SEED` repeats what an earlier run chose at random; each run prints its own. What is chosen are parts of what a
run before a release does whole. Inputs made at random are the same in each run but those (`conftest.py`).
"""

import os
import random
from collections import Counter

import pytest

VARIABLE = "STACKGEN_TESTS"
SEED = "STACKGEN_SEED"
SIZES = {"": (), "all": ("full",), "release": ("full", "release")}
ENDS_WELL = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
MARKERS = {"full": f"runs with {VARIABLE}=all", "release": f"runs with {VARIABLE}=release"}
REPEATED = "repeated"
LONGEST = 3600
ENGINE, NO_ENGINE = "engine", "STACKGEN_WITHOUT_ENGINE"


# Long files first, so that none of them is left for one process when the other has nothing more to do.
LONG_FILES = (
    "test_first_push.py",
    "test_hybrid.py",
    "test_go.py",
    "test_updates.py",
    "test_python_django.py",
    "test_node_ts.py",
    "test_conventions.py",
)


def is_release() -> bool:
    """Tell whether this run precedes a release."""
    return os.environ.get(VARIABLE) == "release"


def is_everybodys() -> bool:
    """Tell whether this run is of the smallest size."""
    return not os.environ.get(VARIABLE)


def seed() -> int:
    """Give the number that this run's choices follow from; the processes of one run share it."""
    return int(os.environ.setdefault(SEED, str(random.randrange(1_000_000))))


def in_turn(place: int, of: int) -> pytest.MarkDecorator:
    """Give the size of one of several long tests: a run of everything does the one that its seed chooses."""
    return pytest.mark.full if seed() % of == place else pytest.mark.release


def without_engine() -> str:
    """Tell why this machine is known to start no Docker engine, nothing where nobody has said so."""
    return os.environ.get(NO_ENGINE, "")


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.addinivalue_line("markers", f"{REPEATED}: runs without {VARIABLE}, with which another test does the same")
    config.addinivalue_line("markers", f"{ENGINE}: needs a Docker engine, which root starts")
    config.addinivalue_line("markers", "timeout(seconds): how long a test may take, after pytest-timeout")
    size = os.environ.get(VARIABLE, "")
    if size not in SIZES:
        raise pytest.UsageError(f"{VARIABLE} is {size!r}; it may be {' or '.join(filter(None, SIZES))}, or not set")
    seed()  # before there are other processes
    config.pluginmanager.register(Size(size), "size")


class Size:
    """Leaves out what is marked for a larger size, and says how much that was."""

    def __init__(self, size: str) -> None:
        self.size = size
        self.left_out: Counter[str] = Counter()
        self.skipped: list[str] = []
        self.seconds: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()
        self.of_engine = 0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        larger = [name for name in MARKERS if name not in SIZES[self.size]]
        chosen = []
        for item in items:
            # The largest of its marks decides.
            names = [name for name in larger if item.get_closest_marker(name)]
            if self.size and item.get_closest_marker(REPEATED):
                names.append(REPEATED)
            if not names and self.size == "all" and without_engine() and item.get_closest_marker(ENGINE):
                names.append(ENGINE)
            if names:
                self.left_out[names[-1]] += 1
            else:
                chosen.append(item)
        if self.size == "release":  # whose tests are longer
            for item in chosen:
                item.add_marker(pytest.mark.timeout(LONGEST))
        chosen.sort(
            key=lambda item: LONG_FILES.index(item.path.name) if item.path.name in LONG_FILES else len(LONG_FILES)
        )
        items[:] = chosen

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        part = report.nodeid.split("::")[0]
        self.seconds[part] += report.duration
        self.tests[part] += report.when == "call"
        self.of_engine += report.when == "call" and ENGINE in report.keywords
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over what one of xdist's processes left out; each of them collects everything."""
        told = getattr(node, "workeroutput", {})
        self.left_out = Counter(told.get("left_out", self.left_out))
        self.skipped += [name for name in told.get("skipped", ()) if name not in self.skipped]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        told = getattr(session.config, "workeroutput", None)
        if told is not None:
            told.update(left_out=dict(self.left_out), skipped=self.skipped)
        elif self.size and self.skipped and session.exitstatus in ENDS_WELL:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write = terminalreporter.write_line
        if self.size == "all":
            write(f"{SEED}={seed()} repeats what this run chose: releases to update from, breaks")
        if self.size:
            terminalreporter.section("minutes of each file")
            for part, seconds in self.seconds.most_common():
                write(f"{seconds / 60:6.1f} min {self.tests[part]:5} tests  {part}")
        for name in self.skipped if self.size else ():
            write(f"FAILED: with {VARIABLE}={self.size} no test may be skipped, as was {name}", red=True)
        for size, name in (("all", "full"), ("release", "release")):
            if self.left_out[name]:
                count = self.left_out[name]
                write(f"{count} test{'s' * (count > 1)} left out; {VARIABLE}={size} uv run pytest runs them")
        if self.of_engine:
            write("images were built upon stand-ins for their base images: what is in upstream's is not proven")
        if count := self.left_out[ENGINE]:
            write(f"{count} test{'s' * (count > 1)} left out: no Docker engine here, {without_engine()}", yellow=True)
        if self.left_out[REPEATED]:
            write(f"{self.left_out[REPEATED]} not run twice: others of this size do the same")
