"""A project's own proof: its tools, its commands, a server that answers, and one that ends as it should."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stackgen.project import Project
from stackgen.stacks import Record
from stackgen.steps import Proof, Step
from stackgen.toolchain import problems

TOOLCHAIN = "toolchain"
# What a step says that was left out by --skip.
AS_ASKED = "as asked"
SERVER_STEPS = ("boot", "ready", "request", "stop", "gone")
COMMAND_SECONDS = 3600
NOT_OURS = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}
"""Variables that tell of the environment that stackgen runs in, and would send a project's tools there."""


class State(StrEnum):
    """What became of a step; `LEFT` is one whose ground was missing."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    LEFT = "not run"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a step, why, after how many seconds, how to repeat it by hand, and where its output is."""

    name: str
    state: State
    seconds: float = 0.0
    detail: str = ""
    command: str = ""
    log: Path | None = None


class ProblemError(Exception):
    """What went wrong in a step, in one line."""


class MissingError(Exception):
    """A program that a step needs, and that is not there."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the steps run: the project, a folder of the run's own, the environment, and what `{name}` stands for."""

    project: Path
    folder: Path
    environment: Mapping[str, str]
    values: dict[str, str]

    def fill(self, text: str) -> str:
        """Put values in the place of their names; what is no name of ours stays."""
        return re.sub(r"\{(\w+)\}", lambda name: self.values.get(name[1], name[0]), text)

    def with_environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Give the environment, and what a step adds to it."""
        return {**self.environment, **{name: self.fill(value) for name, value in more.items()}}

    def by_hand(self, line: str, more: Mapping[str, str]) -> str:
        """Give what to type in the project to do the same."""
        return " ".join([*(f"{name}={shlex.quote(self.fill(value))}" for name, value in more.items()), self.fill(line)])

    def start(self, line: str, more: Mapping[str, str], log: Path, folder: str = ".") -> "subprocess.Popen[bytes]":
        """Start a command in a process group of its own; raises `MissingError` where its program is not there."""
        words = shlex.split(self.fill(line))
        environment = self.with_environment(more)
        place = self.project / folder
        program = str(place / words[0]) if "/" in words[0] else shutil.which(words[0], path=environment["PATH"])
        if program is None or not Path(program).exists():
            raise MissingError(words[0])
        with log.open("ab") as output:
            return subprocess.Popen(
                [program, *words[1:]],
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, line: str, more: Mapping[str, str], log: Path) -> None:
        """Run a command to its end; raises `ProblemError` where it fails, `MissingError` where it is not there."""
        process = self.start(line, more, log)
        try:
            code = process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            raise ProblemError(f"`{line}` did not end within {COMMAND_SECONDS // 60} minutes") from None
        finally:
            end(process)
        if code:
            raise ProblemError(f"`{self.fill(line)}` exited {code}")


def end(process: "subprocess.Popen[bytes]") -> bool:
    """End what is left of a process and its group at once; tell whether anything was."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
        left = True
    except (ProcessLookupError, PermissionError):  # nobody, or on macOS only those that are dead already
        left = False
    process.wait()
    return left


def names(proof: Proof, answers: Mapping[str, object]) -> tuple[str, ...]:
    """Give the steps that a project with these answers is put through."""
    steps = [step.name for step in (*proof.steps, *proof.after) if applies(step.when, answers)]
    place = sum(applies(step.when, answers) for step in proof.steps)
    return (TOOLCHAIN, *steps[:place], *(SERVER_STEPS if has_servers(proof, answers) else ()), *steps[place:])


def has_servers(proof: Proof, answers: Mapping[str, object]) -> bool:
    """Tell whether a project with these answers has servers to start."""
    return bool(proof.servers) and applies(proof.when, answers)


def applies(when: Mapping[str, tuple[str, ...]], answers: Mapping[str, object]) -> bool:
    """Tell whether answers have one of the values that are asked for."""
    return all(str(answers.get(key)) in values for key, values in when.items())


Servers = Callable[[Project, Scene, Proof], Iterator[Result]]


def run(
    project: Project, record: Record, scene: Scene, servers: Servers, skip: Collection[str] = ()
) -> Iterator[Result]:
    """Put a project through its steps, and give the result of each as it ends; `servers` runs those of servers."""
    proof = record.proof
    yield _toolchain(record)
    lost = ""
    for step in (*proof.steps, None, *proof.after):
        if step is None:
            if has_servers(proof, project.answers):
                if lost:
                    yield from (_left(name, lost) for name in SERVER_STEPS)
                elif {*SERVER_STEPS} & {*skip}:
                    yield from (Result(name, State.SKIPPED, detail=AS_ASKED) for name in SERVER_STEPS)
                else:
                    yield from servers(project, scene, proof)
        elif applies(step.when, project.answers):
            result = _left(step.name, lost) if lost else _step(step, scene, skip)
            if step.needed and result.state in {State.FAILED, State.SKIPPED} and step.name not in skip:
                lost = step.name
            yield result


def _toolchain(record: Record) -> Result:
    start = time.monotonic()
    found = problems(record)
    state = State.SKIPPED if found else State.PASSED
    return Result(TOOLCHAIN, state, time.monotonic() - start, "; ".join(found), "stackgen doctor")


def _left(name: str, ground: str) -> Result:
    return Result(name, State.LEFT, detail=f"it stands on {ground}")


def _step(step: Step, scene: Scene, skip: Collection[str]) -> Result:
    if step.name in skip:
        return Result(step.name, State.SKIPPED, detail=AS_ASKED)
    log, start = scene.folder / f"{step.name}.log", time.monotonic()
    by_hand = " && ".join(scene.by_hand(line, step.environment) for line in step.run)
    state, detail = State.PASSED, ""
    try:
        for line in step.run:
            scene.run(line, step.environment, log)
    except ProblemError as problem:
        state, detail = State.FAILED, str(problem)
    except MissingError as missing:
        state, detail = State.SKIPPED, f"needs {missing}"
    return Result(step.name, state, time.monotonic() - start, detail, by_hand, log if log.exists() else None)
