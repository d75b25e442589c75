"""Generates, previews and updates projects: the only room that knows copier."""

import os
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from hashlib import sha256
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from stackgen import destination, repository, source
from stackgen.errors import DestinationError, SourceError, StackgenError, UsageError
from stackgen.project import ANSWERS_FILE, Project, read, require_known

if TYPE_CHECKING:
    from stackgen.plan import Plan

_MARKER = b"<<<<<<< before updating"


@dataclass(frozen=True, slots=True)
class Generated:
    """A new project, its files, whether it was made a git repository, and the files that had been there and stay."""

    project: Project
    files: tuple[str, ...]
    repository: bool
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What an update did.

    `kept` are files that the new release drops, but which the user had changed; `conflicts` are
    files with markers that only a person can settle.
    """

    path: Path
    from_version: str
    to_version: str
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def generate(plan: "Plan", expected: str | None = None) -> Generated:
    """Write the project, whole or not at all, and make it a git repository with a first commit.

    With `expected`, only if it is what a preview with that digest has shown.
    """
    destination.check(plan.destination)
    beside = plan.destination if plan.destination.is_dir() else plan.destination.parent
    with _workshop(beside) as workshop:
        made = workshop / plan.destination.name
        _copy(plan, made)
        kept = destination.adopt(made, plan.destination)
        if expected and (found := _digest(plan, made)) != expected:
            message = f"the plan is out of date: the project would be {found[:12]} now, not {expected[:12]}"
            raise DestinationError(message, "look at it again with --plan, then pass the new digest to --apply")
        files = _files(made)
        project = replace(read(made), path=plan.destination)
        started = plan.git and not repository.contains(beside)
        if started:
            repository.start(made)
        destination.place(made, plan.destination)
    return Generated(project, files, started, kept)


def preview(plan: "Plan") -> tuple[str, ...]:
    """List the files that `generate` would write."""
    return look(plan)[0]


def look(plan: "Plan") -> tuple[tuple[str, ...], str]:
    """List the files that `generate` would write, and give a digest of the plan and of every byte in them."""
    destination.check(plan.destination)
    with _workshop(None) as workshop:
        made = workshop / plan.destination.name
        _copy(plan, made)
        destination.adopt(made, plan.destination)
        return _files(made), _digest(plan, made)


def _digest(plan: "Plan", made: Path) -> str:
    """Give a digest of where the project goes and of its files: the same for the same answers and templates."""
    digest = sha256(f"{plan.destination.absolute()}\0{plan.source}\0{plan.version}\0{plan.git}".encode())
    for name in _files(made):
        path = made / name
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        if name == ANSWERS_FILE:  # a checkout with uncommitted changes is given another commit every time
            content = b"".join(line for line in content.splitlines(True) if not line.startswith(b"_commit:"))
        mode = path.lstat().st_mode & 0o111
        digest.update(f"\0{name}\0{mode}\0{sha256(content).hexdigest()}".encode())
    return digest.hexdigest()


def update(
    project: Project,
    data: Mapping[str, object],
    environment: Mapping[str, str],
    version: str | None = None,
) -> UpdateReport:
    """Carry a project to `version` (None: the newest release), or to other answers, or both."""
    repository.require_clean(project.path)
    target = _target(project, environment, version)
    if target == project.version and all(project.answers.get(key) == value for key, value in data.items()):
        return UpdateReport(project.path, project.version, project.version)
    _refuse_unknown(project, target, set(data) - {"decision"})
    with _terminable(), repository.restored_on_failure(project.path), _copier():
        from copier import run_update

        run_update(project.path, data=dict(data), vcs_ref=target, defaults=True, overwrite=True, quiet=True)
        kept = _keep_edited(project)
    return _report(project, kept)


def _target(project: Project, environment: Mapping[str, str], version: str | None) -> str:
    releases = source.refresh(project.source, environment)
    if version:
        return version
    if not source.is_release(project.version) or not releases:
        return source.HEAD
    require_known(project, releases)
    return releases[-1]


def _refuse_unknown(project: Project, version: str, keys: set[str]) -> None:
    """Refuse names that no question has: copier would ignore them."""
    if keys:
        from stackgen import questions

        asked = questions.read(source.find(project.source, {}, version).questions)
        asked.refuse_unknown(dict.fromkeys(sorted(keys)))


def _copy(plan: "Plan", made: Path) -> None:
    with _copier():
        from copier import run_copy

        run_copy(
            plan.source,
            made,
            data=dict(plan.answers),
            vcs_ref=plan.version,
            defaults=True,
            quiet=True,
            # The workshop is removed anyway; copier's own clean-up would hide why it failed.
            cleanup_on_error=False,
        )
    if not (made / ".copier-answers.yml").exists():
        message = f"the template {plan.source} writes no .copier-answers.yml, so its projects could not be updated"
        raise SourceError(message, "add the answers file to the template")


@contextmanager
def _copier() -> Iterator[None]:
    """Keep copier's own words from the user, and turn its failures into one line."""
    from copier.errors import CopierError
    from jinja2 import TemplateError
    from plumbum import ProcessExecutionError

    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    except StackgenError:
        raise
    except ProcessExecutionError as error:
        raise _unreadable(str(error.stderr)) from error
    except (CopierError, TemplateError) as error:
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise _unreadable(str(error)) from error
    except (ValueError, TypeError) as error:
        raise _misused(str(error)) from error
    except OSError as error:
        message = f"the project cannot be written: {error.strerror or error}"
        raise DestinationError(message, "check the free space and your permissions there") from error


def _unreadable(reason: str) -> SourceError:
    line = source.git_reason(reason)
    return SourceError(f"the template cannot be used: {line}", source.git_hint(line) or "check the template")


def _misused(reason: str) -> StackgenError:
    line = " ".join(reason.split())
    if line.startswith(("Invalid choice", "Validation error", "Question")):
        hint = "`stackgen schema` shows what each answer may be"
        return UsageError(f"the answers do not fit the template: {line}", hint)
    if line.startswith("Unknown revision"):
        hint = "a project made from uncommitted templates cannot be updated: generate it from a commit"
        return SourceError(f"the template does not have the version needed: {line}", hint)
    return _unreadable(line)


@contextmanager
def _workshop(beside: Path | None) -> Iterator[Path]:
    """Give a folder to work in, which is gone afterwards, however the work ends."""
    with _terminable():
        folder = Path(tempfile.mkdtemp(prefix=".stackgen-", dir=beside))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that nothing half-written stays."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep_edited(project: Project) -> tuple[str, ...]:
    """Bring back the files that the update deleted although the user had changed them."""
    deleted = [
        name for code, name in repository.status(project.path) if "D" in code and code not in repository.UNMERGED
    ]
    if not deleted:
        return ()
    with tempfile.TemporaryDirectory(prefix="stackgen-") as folder:
        before = Path(folder, project.path.name)
        from copier import run_copy

        answers = dict(project.answers)
        run_copy(project.source, before, data=answers, vcs_ref=project.version, defaults=True, quiet=True)
        edited = [name for name in deleted if not _is_same(project.path, name, before / name)]
    for name in edited:
        repository.git(project.path, "checkout", "--quiet", "HEAD", "--", name)
    return tuple(sorted(edited))


def _is_same(project: Path, name: str, rendered: Path) -> bool:
    committed = repository.git(project, "rev-parse", f"HEAD:./{name}").stdout.strip()
    if not rendered.is_file():
        return False
    return committed == repository.git(project, "hash-object", f"--path={name}", str(rendered)).stdout.strip()


def _report(project: Project, kept: tuple[str, ...]) -> UpdateReport:
    changes = repository.status(project.path)
    names = sorted(name for _, name in changes)
    unmerged = {name for code, name in changes if code in repository.UNMERGED}
    marked = {name for name in names if name.endswith(".rej") or _has_marker(project.path / name)}
    after = read(project.path).version
    return UpdateReport(project.path, project.version, after, tuple(names), kept, tuple(sorted(unmerged | marked)))


def _has_marker(path: Path) -> bool:
    return path.is_file() and any(line.rstrip() == _MARKER for line in path.read_bytes().splitlines())


def _files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()))
