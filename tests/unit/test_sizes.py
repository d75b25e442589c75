"""The sizes of the test command leave nothing out unseen."""

import os
import re
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest
from sizes import LONG_FILES, is_release

TESTS = Path(__file__).parents[1]
SMALL = """\
import pytest

def test_for_everybody(): pass

@pytest.mark.full
def test_for_all(): pass

@pytest.mark.full
@pytest.mark.parametrize("case", [1, 2])
@pytest.mark.release
def test_for_a_release(case): pass

@pytest.mark.repeated
def test_what_another_does(): pass
"""
# As the test command runs, and all in one process.
PROCESSES = pytest.mark.parametrize("processes", ["2", pytest.param("0", marks=pytest.mark.full)])


def run(folder: Path, size: str | None, processes: str, content: str = SMALL) -> "subprocess.CompletedProcess[str]":
    (folder / "test_small.py").write_text(content, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "STACKGEN_TESTS": size or ""}
    if size is None:
        del environment["STACKGEN_TESTS"]
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # copier and hypothesis take seconds to load
    options = ["-p", "sizes", "-p", "xdist", "-n", processes, "--strict-markers", f"--rootdir={folder}"]
    command = [sys.executable, "-m", "pytest", *options, str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@PROCESSES
@pytest.mark.parametrize(
    ("size", "passed", "left_out"),
    [
        (None, 2, ["1 test left out; STACKGEN_TESTS=all", "2 tests left out; STACKGEN_TESTS=release"]),
        ("all", 2, ["2 tests left out; STACKGEN_TESTS=release", "1 not run twice: others of this size do the same"]),
        ("release", 4, ["1 not run twice: others of this size do the same"]),
    ],
)
def test_what_a_size_leaves_out_is_counted(
    tmp_path: Path, processes: str, size: str | None, passed: int, left_out: list[str]
) -> None:
    done = run(tmp_path, size, processes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"= {passed} passed in " in done.stdout.splitlines()[-1]
    assert [
        line.split(" uv run")[0] for line in done.stdout.splitlines() if "left out" in line or "twice" in line
    ] == left_out


OF_AN_ENGINE = """\
import pytest

def test_for_everybody(): pass

@pytest.mark.full
@pytest.mark.engine
def test_an_image(): pytest.skip("no engine: there is no root")
"""


@pytest.mark.parametrize(
    ("size", "without", "code"),
    [("all", "there is no root", 0), ("all", "", 1), ("release", "there is no root", 1)],
)
def test_images_are_left_out_only_where_it_is_said_that_no_engine_starts(
    tmp_path: Path, size: str, without: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKGEN_WITHOUT_ENGINE", without)
    done = run(tmp_path, size, "0", OF_AN_ENGINE)
    assert done.returncode == code, done.stdout + done.stderr
    told = "1 test left out: no Docker engine here, there is no root"
    assert (told in done.stdout) == (size == "all" and code == 0)


def test_a_run_with_images_says_what_they_do_not_prove(tmp_path: Path) -> None:
    told = "stand-ins for their base images"
    assert told in run(tmp_path, "all", "0", OF_AN_ENGINE.replace("pytest.skip(", "print(")).stdout
    assert told not in run(tmp_path, None, "0", OF_AN_ENGINE).stdout


SKIPS = {
    "a test": "import pytest\ndef test_one(): pass\ndef test_two(): pytest.skip('no time')\n",
    "a mark": "import pytest\ndef test_one(): pass\n@pytest.mark.skip\ndef test_two(): pass\n",
    "a file": "import pytest\npytest.skip('no time', allow_module_level=True)\n",
    "a file beside another": "import pytest\npytest.importorskip('no_such_module')\n",
}


@PROCESSES
@pytest.mark.parametrize("what", SKIPS)
def test_a_skip_fails_a_run_of_everything_and_no_other(tmp_path: Path, processes: str, what: str) -> None:
    if what == "a file beside another":
        (tmp_path / "test_other.py").write_text("def test_other(): pass\n", encoding="utf-8")
    name = "test_small.py" if "file" in what else "test_small.py::test_two"
    done = run(tmp_path, "all", processes, SKIPS[what])
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"no test may be skipped, as was {name}" in done.stdout
    done = run(tmp_path, None, processes, SKIPS[what])
    assert done.returncode == (5 if what == "a file" else 0), done.stdout + done.stderr


@PROCESSES
def test_a_failure_stays_a_failure(tmp_path: Path, processes: str) -> None:
    done = run(tmp_path, "all", processes, "def test_one(): assert False\n")
    assert done.returncode == 1
    assert "1 failed in" in done.stdout.splitlines()[-1]


SEEDED = """\
import pytest, sizes

@pytest.mark.parametrize("number", [sizes.seed()])  # xdist refuses processes that collect different tests
def test_chosen(number): pass
"""


@PROCESSES
def test_the_processes_of_a_run_share_a_seed_that_is_printed_and_can_be_given(
    tmp_path: Path, processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKGEN_SEED", "4711")
    assert "STACKGEN_SEED=4711 repeats" in run(tmp_path, "all", processes, SEEDED).stdout
    monkeypatch.delenv("STACKGEN_SEED")
    seeds = set()
    for _ in range(2):
        done = run(tmp_path, "all", processes, SEEDED)
        assert done.returncode == 0, done.stdout + done.stderr
        seeds |= set(re.findall(r"STACKGEN_SEED=(\d+) repeats", done.stdout))
    assert len(seeds) == 2


TURNS = """\
import sizes

@sizes.in_turn(0, 2)
def test_even(): assert sizes.seed() % 2 == 0

@sizes.in_turn(1, 2)
def test_odd(): assert sizes.seed() % 2 == 1
"""


def test_of_long_tests_that_take_turns_the_seed_chooses_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("4", "5"):
        monkeypatch.setenv("STACKGEN_SEED", number)
        done = run(tmp_path, "all", "0", TURNS)
        assert "1 passed" in done.stdout.splitlines()[-1]
        assert "1 test left out; STACKGEN_TESTS=release" in done.stdout
        assert "1 failed, 1 passed" in run(tmp_path, "release", "0", TURNS).stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("size", "limit"), [("all", "None"), ("release", "Mark(name='timeout', args=(3600,), kwargs={})")]
)
def test_what_precedes_a_release_may_take_longer(tmp_path: Path, size: str, limit: str) -> None:
    content = "def test_limit(request): raise ValueError(request.node.get_closest_marker('timeout'))\n"
    assert f"ValueError: {limit}" in run(tmp_path, size, "0", content).stdout


def test_the_files_that_are_begun_first_are_there() -> None:
    assert set(LONG_FILES) <= {path.name for path in TESTS.glob("*/test_*.py")}


def test_an_unknown_size_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "some", "0")
    assert done.returncode == 4
    assert "STACKGEN_TESTS is 'some'; it may be all or release, or not set" in done.stderr


def test_inputs_made_at_random_are_the_same_in_each_run_but_before_a_release() -> None:
    assert hypothesis.settings().derandomize is not is_release()
