"""Writes one update again and again, killed or out of disk at a chosen moment each time, and tells what came of it.

`python killing.py SHOP FOLDER SEED COUNT`: SHOP is put back as it was before each time. A moment is anything that
Python does to files, or a process that it starts.
"""

import errno
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from stackgen import journal, project, repository, revision, update
from stackgen.errors import StackgenError

ACTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "subprocess.Popen", "open"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def files(folder: Path) -> dict[str, bytes]:
    """Give every file but git's own."""
    paths = [path for path in folder.rglob("*") if ".git" not in path.relative_to(folder).parts and path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def staged(folder: Path) -> str:
    return os.fsdecode(repository.run(folder, "ls-files", "--stage"))


def in_child(work: Callable[[], object], act: Callable[[int, str, tuple[object, ...]], None]) -> int:
    """Do the work in a child, calling `act` at each moment; give how many there were, none if it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        moments = 0

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal moments
            if event in ACTS:
                moments += 1
                act(moments, event, arguments)

        sys.addaudithook(watch)
        try:
            work()
        except (StackgenError, OSError):
            os._exit(1)
        os.write(writer, str(moments).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        said = file.read()
    os.waitpid(child, 0)
    return int(said or 0)


def kill_at(moment: int) -> Callable[[int, str, tuple[object, ...]], None]:
    def act(now: int, _event: str, _arguments: tuple[object, ...]) -> None:
        if now == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    return act


def full_from(moment: int) -> Callable[[int, str, tuple[object, ...]], None]:
    """Fill the disk at a moment: whatever needs room fails from then on."""

    def act(now: int, event: str, arguments: tuple[object, ...]) -> None:
        named = event == "open" and not isinstance(arguments[0], int)  # a pipe needs no room
        writes = named and isinstance(arguments[2], int) and arguments[2] & WRITES
        if now >= moment and (writes or event == "os.mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return act


def never(_now: int, _event: str, _arguments: tuple[object, ...]) -> None: ...


def main(shop: Path, folder: Path, seed: int, count: int) -> None:
    home = repository.find(shop)
    plan = revision.make(project.read(shop), home, revision.Wish(), os.environ, folder)
    assert plan
    pristine = folder / "pristine"
    shutil.copytree(shop, pristine, symlinks=True)
    before = files(shop), staged(shop)
    moments = in_child(lambda: update.apply(plan), never)
    after = files(shop), staged(shop)
    assert moments > 20
    assert before[0] != after[0]
    assert before[1] != after[1]
    chance = random.Random(seed)
    outcomes = []
    for number in range(count):
        shutil.rmtree(shop)
        shutil.copytree(pristine, shop, symlinks=True)
        if number % 5 == 4:
            moment = chance.randint(1, moments)
            in_child(lambda: update.apply(plan), full_from(moment))
            found = (files(shop), staged(shop))
            outcomes.append((moment, "full", found in (before, after) and not interrupted(home)))
            continue
        moment = chance.randint(1, moments)
        in_child(lambda: update.apply(plan), kill_at(moment))
        outcomes.append((moment, "killed", recovers(shop, home, chance, before, after)))
    for moment, how, whole in outcomes:
        print(moment, how, "whole" if whole else "BROKEN")  # noqa: T201 - for the test that runs this


def interrupted(home: repository.Repository) -> bool:
    found = journal.load(home)
    return bool(found and found.phase == journal.WRITING)


def recovers(shop: Path, home: repository.Repository, chance: random.Random, before: object, after: object) -> bool:
    """Tell whether an update ends or is taken back, even when that is killed, too."""
    if not interrupted(home):
        return (files(shop), staged(shop)) in (before, after)
    back = chance.random() < 0.5
    leave = update.take_back if back else update.end
    in_child(lambda: leave(shop), kill_at(chance.randint(1, 30)))
    if interrupted(home):
        leave(shop)
    return (files(shop), staged(shop)) == (before if back else after)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
