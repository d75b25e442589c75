"""A person at a pseudo-terminal who knows what to answer, whatever is asked and in whichever order."""

import os
import re
import signal
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pexpect
import pyte

from stackgen.choices import DOMAINS, MEANINGS, STACKS, Stack

DOWN, ENTER, SPACE, CLEAR = "\x1b[B", "\r", " ", "\x15"
SUBMIT = "\x1b\r"  # a text of several lines ends with Escape, Enter
GONE = "<close the terminal>"
_AT_A_MOMENT = f"""
import atexit, collections, os, signal, sys, termios, time

event, number, how = os.environ["MOMENT"].split()
counts = collections.Counter()


def end():
    if how == "close":
        os.write(1, b"{GONE}")
        try:
            while True:
                time.sleep(0.01)
                termios.tcgetattr(0)
        except termios.error:  # it is gone, and the signal on its way
            return
    (os.killpg if how == "SIGINT" else os.kill)(os.getpid(), getattr(signal, how))  # Ctrl-C reaches all


def watch(name, arguments):
    if not counts and (name, arguments[:1]) != ("import", ("stackgen.cli",)):
        return
    counts[name] += 1
    if (name, counts[name]) == (event, int(number)):
        end()


def tell():
    with open(os.environ.get("COUNTS", os.devnull), "w") as file:
        file.write("\\n".join(f"{{name}} {{number}}" for name, number in counts.items()))


atexit.register(tell)
sys.addaudithook(watch)
"""
"""Python runs it as `sitecustomize`. A moment is the n-th event of a kind that Python tells of: a file that is opened
or removed, a program that is started, a prompt that begins or ends."""
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def spawn(folder: Path, *arguments: str, size: tuple[int, int] = (50, 160), **variables: str) -> "pexpect.spawn[str]":
    """Run stackgen on a pseudo-terminal in `folder`."""
    # xdist tells its processes of a width, which would count for more than the terminal's.
    inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    environment = {**inherited, "TERM": "xterm-256color", **variables}
    if "NO_COLOR" not in variables:
        environment.pop("NO_COLOR", None)
    command = ["-m", "stackgen", *arguments]
    return pexpect.spawn(
        sys.executable,
        command,
        cwd=str(folder),
        env=environment,
        encoding="utf-8",
        timeout=300,
        dimensions=size,
        preexec_fn=partial(_prepare, size),
    )


def ending_at(folder: Path, event: str, number: int, how: str) -> dict[str, str]:
    """Give the variables that let stackgen end itself at a moment, by a signal or as its terminal is closed."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_AT_A_MOMENT)
    return {"PYTHONPATH": str(folder), "MOMENT": f"{event} {number} {how}"}


def _prepare(size: tuple[int, int]) -> None:
    """Give the terminal its size before the command can ask for it, and undo what a nohup around the tests hands on."""
    termios.tcsetwinsize(0, size)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def seen(output: str, size: tuple[int, int]) -> str:
    """Give what stands on a terminal of that size in the end, each line without the blanks behind it."""
    screen = pyte.Screen(size[1], size[0])
    pyte.Stream(screen).feed(output)
    return "\n".join(line.rstrip() for line in screen.display).strip()


def finish(child: "pexpect.spawn[str]") -> str:
    """Wait for the end, and give what was printed since the last answer."""
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


def in_whole_words(text: str) -> str:
    """Give a pattern of a text that may go on in the next line between two words, never within one."""
    return r"(?:\s|\x1b\[[0-9;?]*[A-Za-z])+".join(map(re.escape, text.split()))


@dataclass(frozen=True)
class Asked:
    """What a question looks like, and the keys that give an answer to it."""

    text: str
    keys: str


@dataclass
class Player:
    """Answers each question when it appears, by its text; `asked` are the keys of those that did."""

    questions: Mapping[str, Asked]
    asked: list[str] = field(default_factory=list)
    exit_code: int | None = None

    def play(self, child: "pexpect.spawn[str]") -> str:
        """Answer until the command ends, and give all that was shown; a question that was not foreseen is a failure."""
        shown = ""
        while True:
            waiting = [key for key in self.questions if key not in self.asked]
            texts = [in_whole_words(self.questions[key].text) for key in waiting]
            found = child.expect([*texts, pexpect.EOF])
            shown += str(child.before)
            if found == len(waiting):
                child.close()
                self.exit_code = child.exitstatus
                return shown
            self.asked.append(waiting[found])
            child.send(self.questions[waiting[found]].keys)


def pick(values: list[object], default: object, wanted: object) -> str:
    """Give the keys that move a list's pointer from its default to the wanted value, and take it."""
    start = values.index(default) if default in values else 0
    return DOWN * ((values.index(wanted) - start) % len(values)) + ENTER


def check_boxes(values: list[object], default: list[object], wanted: list[object]) -> str:
    """Give the keys that tick exactly the wanted boxes."""
    return DOWN.join(SPACE if (value in default) != (value in wanted) else "" for value in values) + ENTER


def write(text: str) -> str:
    """Give the keys that replace what stands in a line."""
    return CLEAR + text + ENTER


def the_choices(stack: str) -> dict[str, Asked]:
    """Give the choices, answered with their defaults, the stack that is insisted on, and the yes at the end."""
    asked = {key: Asked(MEANINGS[key], ENTER) for key in DOMAINS}
    recommended, rest = Stack.NODE, [other for other in STACKS if other != Stack.NODE]
    keys = pick([recommended, *rest], recommended, stack)
    page = Asked("Shall it be created?", ENTER)
    return {**asked, "stack": Asked("Which stack shall it be?", keys), "page": page}
