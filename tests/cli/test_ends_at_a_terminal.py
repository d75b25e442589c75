"""`new` at a terminal, ended at random moments: the code is the documented one, and nothing is left behind."""

import os
import random
import re
import sys
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import museum
import pexpect
import pytest
import templating
import terminals
from sizes import is_release, seed
from terminals import CLEAR, DOWN, ENTER, GONE, ending_at, in_whole_words

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are neither such terminals nor such signals")

TRIALS = 100 if is_release() else 12
QUICK = 4
FOUND = (("os.remove", 17, "SIGINT"), ("os.scandir", 12, "close"))
"""What was wrong once: what copier had cloned stayed, and the code was 3 and not 129."""
CODES = {"SIGINT": 130, "SIGTERM": 130, "SIGHUP": 129, "close": 129}
EVENTS = (
    "compile", "import", "open", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir",
    "shutil.rmtree", "subprocess.Popen", "sys.set_asyncgen_hook_firstiter", "tempfile.mkdtemp",
)  # fmt: skip
GIVEN = "--ai none --bottleneck io --team mixed --stack node-ts -d owner=y -d description=x -d ci=none -d deploy=docker"
QUESTIONS = {
    "What are you building?": DOWN + ENTER,
    "What is the project called?": f"{CLEAR}shop{ENTER}",
    "Under which licence?": ENTER,
    "Shall it be created?": ENTER,
}


@dataclass(frozen=True)
class Place:
    """A folder to work in, one for temporary files, and what is put into every process of Python."""

    template: Path
    root: Path

    def run(self, event: str, number: int, how: str) -> tuple[int, str]:
        """Answer every question, end at that moment, and give the exit code and what was shown."""
        for folder in ("work", "temporary"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        variables = ending_at(self.root / "hook", event, number, how)
        variables |= {"TMPDIR": str(self.root / "temporary"), "COUNTS": str(self.root / "counts")}
        template = f"git+file://{self.template}"
        child = terminals.spawn(self.root / "work", "new", "--template", template, *GIVEN.split(), **variables)
        shown, waiting = "", dict(QUESTIONS)
        while True:
            found = child.expect([pexpect.EOF, re.escape(GONE), *map(in_whole_words, waiting)])
            shown += str(child.before) + (str(child.after) if found else "")
            if found == 0:
                left = termios.tcgetattr(child.child_fd)
                assert left[0] & termios.ICRNL, shown
                assert left[3] & termios.ECHO, shown
                assert left[3] & termios.ICANON, shown
                child.close()
                break
            if found == 1:
                os.close(child.child_fd)
                ended(child)
                break
            question = list(waiting)[found - 2]
            child.send(waiting.pop(question))
        return child.exitstatus if child.signalstatus is None else 128 + child.signalstatus, shown

    def counts(self) -> Mapping[str, int]:
        """Give how many events of each kind a whole run has."""
        lines = (self.root / "counts").read_text().splitlines()
        return {name: int(number) for name, number in map(str.split, lines)}

    def left(self) -> list[str]:
        """Give what is in the folder that was worked in, and among the temporary files."""
        return [path.name for name in ("work", "temporary") for path in (self.root / name).iterdir()]

    def is_whole(self) -> bool:
        """Tell whether the project is complete."""
        return (
            museum.git(self.root / "work/shop", "status", "--porcelain") == ""
            and (self.root / "work/shop/.copier-answers.yml").exists()
        )


def ended(child: "pexpect.spawn[str]") -> None:
    """Wait for a process whose terminal is gone."""
    waited = 0
    while child.isalive():
        time.sleep(0.1)
        waited += 1
        assert waited < 3000, "it does not end"


def last_of(shown: str, code: str) -> str:
    """Give the last setting of a terminal's mode, h for on and l for off."""
    return (re.findall(rf"\x1b\[\?{code}([hl])", shown) or [""])[-1]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return templating.questions_alone(tmp_path_factory.mktemp("ours") / "template")


@pytest.fixture(scope="module")
def counts(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, int]:
    place = Place(template, tmp_path_factory.mktemp("whole"))
    code, shown = place.run("none", 0, "SIGINT")
    assert (code, place.left(), place.is_whole()) == (0, ["shop"], True), shown
    assert set(EVENTS) <= set(place.counts())
    return place.counts()


def moments(counts: Mapping[str, int]) -> Mapping[int, tuple[str, int, str]]:
    """Give the moments at which to end a run: those that something was wrong at, and others at random."""
    chosen = dict(enumerate(FOUND))
    for trial in range(len(FOUND), TRIALS):
        chance = random.Random(f"{seed() if is_release() else 0} {trial}")
        event = chance.choice(EVENTS)
        chosen[trial] = (event, chance.randint(1, counts[event]), list(CODES)[trial % len(CODES)])
    return chosen


@pytest.mark.parametrize("trial", [pytest.param(n, marks=() if n < QUICK else pytest.mark.full) for n in range(TRIALS)])
def test_a_talk_that_ends_at_a_random_moment_leaves_a_whole_project_or_nothing(
    template: Path, counts: Mapping[str, int], tmp_path: Path, trial: int
) -> None:
    event, moment, how = moments(counts)[trial]
    place = Place(template, tmp_path / "place")
    code, shown = place.run(event, moment, how)
    told = f"{event} {moment} {how}: {code}\n{shown}"
    assert not re.search("Traceback|Exception ignored", shown), told
    left = place.left()
    if "shop" in left:
        assert (left, place.is_whole()) == (["shop"], True), told
        assert code in {0, CODES[how]}, told
        assert how == "close" or code == 0 or "but the project is in" in " ".join(shown.split()), told
    else:
        assert (code, left) == (CODES[how], []), told
        assert how == "close" or "nothing was left behind" in " ".join(shown.split()), told
    if how != "close":
        assert (last_of(shown, "25"), last_of(shown, "2004")) in {("", ""), ("h", ""), ("h", "l")}, told
