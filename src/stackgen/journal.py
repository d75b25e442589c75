"""Writes an update into a project so that it can be ended or taken back at any moment, whoever kills it.

Everything is made ready beside the project first: the new files, copies of the old ones, and a list of the steps. Only
then is the first file replaced, each in one step. As long as the list says "writing", an update was interrupted.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path

from stackgen.errors import DestinationError
from stackgen.repository import Entry, Repository

WRITING, DONE = "writing", "done"
ABSENT = "absent"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One file: what was there and what will be, as `describe` tells it."""

    path: str
    was: str
    becomes: str


@dataclass(frozen=True, slots=True)
class Journal:
    """An update on its way: its steps in order, and the commit that it started from."""

    root: Path
    phase: str
    head: str
    before: str
    after: str
    steps: tuple[Step, ...]
    stages: Mapping[str, Mapping[int, Entry]]


def root_of(repository: Repository) -> Path:
    """Give the folder where a project's update is kept: one for each project of a repository."""
    name = hashlib.sha256(os.fsencode(repository.prefix)).hexdigest()[:12] if repository.prefix else "project"
    return repository.private / "stackgen" / name


@contextmanager
def locked(repository: Repository) -> Iterator[None]:
    """Hold the repository for one update; the lock goes with the process, however that ends.

    Raises `DestinationError` where another update holds it, or no lock can be made.
    """
    from filelock import FileLock, Timeout

    folder = repository.private / "stackgen"
    lock = FileLock(folder / "lock", blocking=False)
    try:
        folder.mkdir(exist_ok=True)
        lock.acquire()
    except Timeout:
        raise DestinationError(f"another update of {repository.path} is running", "wait for its end") from None
    except OSError as error:
        message = f"{folder} cannot be written to: {error.strerror}"
        raise DestinationError(message, "check the free space and your permissions there") from error
    try:
        yield
    finally:
        lock.release()


def load(repository: Repository) -> Journal | None:
    """Give the update that was interrupted or was the last, if there is one."""
    root = root_of(repository)
    try:
        data = json.loads((root / "journal.json").read_bytes())
    except FileNotFoundError:
        return None
    stages = {
        path: {int(stage): Entry(**entry) for stage, entry in sides.items()} for path, sides in data["stages"].items()
    }
    steps = tuple(Step(**step) for step in data["steps"])
    return Journal(root, data["phase"], data["head"], data["before"], data["after"], steps, stages)


def prepare(
    repository: Repository,
    changes: Mapping[str, Entry | None],
    stages: Mapping[str, Mapping[int, Entry]],
    objects: Path,
    versions: tuple[str, str],
) -> Journal:
    """Make everything ready beside the project; nothing in it is touched."""
    root = root_of(repository)
    shutil.rmtree(root, ignore_errors=True)
    with _discarded_on_failure(root):
        (root / "old").mkdir(parents=True)
        repository.check_out(changes, objects, root / "out")
        repository.adopt((entry for sides in stages.values() for entry in sides.values()), objects)
        steps = tuple(_prepare(repository, root, number, path) for number, path in enumerate(_ordered(changes)))
    return Journal(root, WRITING, repository.head, *versions, steps, stages)


def begin(journal: Journal) -> None:
    """Say that the update has begun: from here on it can be ended, and can be taken back."""
    with _discarded_on_failure(journal.root):
        _save(journal)


@contextmanager
def _discarded_on_failure(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        shutil.rmtree(root, ignore_errors=True)
        message = f"the update cannot be prepared: {error.strerror or error}"
        raise DestinationError(message, "check the free space and your permissions there") from error
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise


def _ordered(changes: Mapping[str, Entry | None]) -> list[str]:
    """Put what goes before what comes: a folder may take a file's name, and a file a folder's."""
    return sorted(changes, key=lambda path: (changes[path] is not None, path))


def _prepare(repository: Repository, root: Path, number: int, path: str) -> Step:
    current = repository.path / path
    step = Step(path, describe(current), describe(root / "out" / f"{repository.prefix}{path}"))
    if step.was != ABSENT:
        shutil.copy(current, root / "old" / str(number), follow_symlinks=False)
    return step


def describe(path: Path) -> str:
    """Tell what stands at a path, so that it can be known again; a folder is no file."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    if stat.S_ISLNK(mode):
        return f"link {path.readlink()}"
    if not stat.S_ISREG(mode):
        return ABSENT
    return f"{'program' if mode & stat.S_IXUSR else 'file'} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def go_on(repository: Repository, journal: Journal) -> tuple[str, ...]:
    """Take the steps that are left; give the files that somebody has changed meanwhile, and where they were put."""
    saved: list[str] = []
    for step in journal.steps:
        current = describe(repository.path / step.path)
        if current == step.becomes:
            continue
        if current != step.was:
            saved += _put_aside(repository, journal, step.path)
        place(new_file(repository, journal, step), repository.path, step.path)
    repository.unmerge(journal.stages)
    return tuple(saved)


def can_go_on(repository: Repository, journal: Journal) -> bool:
    """Tell whether the steps that are left can be taken: a way back that was begun has used up what they need."""
    left = (s for s in journal.steps if s.becomes not in {ABSENT, describe(repository.path / s.path)})
    return all(describe(new_file(repository, journal, step)) != ABSENT for step in left)


def is_begun(repository: Repository, journal: Journal) -> bool:
    """Tell whether anything of an update stands in the project."""
    return any(describe(repository.path / step.path) == step.becomes for step in journal.steps)


def new_file(repository: Repository, journal: Journal, step: Step) -> Path:
    """Give the place where a file waits until it is put into the project."""
    return journal.root / "out" / f"{repository.prefix}{step.path}"


def discard(journal: Journal) -> None:
    """Forget an update that has not begun."""
    shutil.rmtree(journal.root, ignore_errors=True)


def finish(repository: Repository, journal: Journal) -> None:
    """Say that the update is done; what was there before is kept until the next one."""
    _save(replace(journal, phase=DONE))
    _remove_empty(repository.path, (step.path for step in journal.steps if step.becomes == ABSENT))
    shutil.rmtree(journal.root / "out", ignore_errors=True)


def take_back(repository: Repository, journal: Journal) -> tuple[str, ...]:
    """Put every file back as it was; give those that somebody has changed meanwhile, and where they were put."""
    saved: list[str] = []
    for number, step in reversed(list(enumerate(journal.steps))):
        current = describe(repository.path / step.path)
        if current == step.was:
            continue
        if current not in {step.becomes, ABSENT}:
            saved += _put_aside(repository, journal, step.path)
        place(journal.root / "old" / str(number), repository.path, step.path)
    _remove_empty(repository.path, (step.path for step in journal.steps if step.was == ABSENT))
    # A file that is no text stays as it is while it is in conflict: no step knows it.
    repository.reset({*(step.path for step in journal.steps), *journal.stages})
    shutil.rmtree(journal.root, ignore_errors=True)
    return tuple(saved)


def _put_aside(repository: Repository, journal: Journal, path: str) -> Iterator[str]:
    current = repository.path / path
    if not os.path.lexists(current):
        return
    folder = repository.private / "stackgen" / "put-aside" / journal.root.name
    names = (folder / (f"{path}.{number}" if number else path) for number in count())
    target = next(name for name in names if not os.path.lexists(name))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(current, target)
    yield f"{path}: {target}"


def place(source: Path, project: Path, path: str) -> None:
    """Move a file to where it belongs in one step, or take away what is there when there is none."""
    target = project / path
    if describe(source) == ABSENT:
        with suppress(FileNotFoundError, NotADirectoryError):
            target.unlink()
        return
    if target.is_dir() and not target.is_symlink():
        for folder, _, _ in os.walk(target, topdown=False):
            Path(folder).rmdir()
    if not target.parent.is_dir():
        target.parent.mkdir(parents=True)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The repository is on another file system than the work tree: one step there is a copy's renaming.
        beside = target.with_name(f".{target.name[:100]}.stackgen")
        beside.unlink(missing_ok=True)
        shutil.copy(source, beside, follow_symlinks=False)
        beside.replace(target)


def _remove_empty(project: Path, paths: Iterable[str]) -> None:
    """Remove the folders that these files have left empty; that waits, as the way back must need no room."""
    for path in paths:
        folder = (project / path).parent
        with suppress(OSError):
            while folder != project:
                folder.rmdir()
                folder = folder.parent


def _save(journal: Journal) -> None:
    data = {"format": _FORMAT, **asdict(journal)}
    del data["root"]
    beside = journal.root / "journal.json.new"
    with beside.open("w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(journal.root / "journal.json")
