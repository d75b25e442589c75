"""Generates, previews and updates projects: the only room that knows copier."""

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackgen import destination, endings, git, repository, source, trim, workshop
from stackgen.errors import DestinationError, SourceError, StackgenError, UsageError
from stackgen.project import ANSWERS_FILE, Project, read

if TYPE_CHECKING:
    from stackgen.plan import Plan


@dataclass(frozen=True, slots=True)
class Generated:
    """A new project, its files, whether it was made a git repository, and the files that had been there and stay."""

    project: Project
    files: tuple[str, ...]
    repository: bool
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What a project is carried to: where the template is, how the project records that, its version, new answers."""

    where: str
    recorded: str
    version: str
    data: Mapping[str, object]


def generate(plan: "Plan", expected: str | None = None) -> Generated:
    """Write the project, whole or not at all, and make it a git repository with a first commit.

    With `expected`, only if it is what a preview with that digest has shown. Raises `DestinationError` where it is not,
    or where the project cannot go there.
    """
    destination.check(plan.destination)
    beside = plan.destination if plan.destination.is_dir() else plan.destination.parent
    with workshop.folder(beside, f".{workshop.PREFIX}") as place:
        made = place / plan.destination.name
        _copy(plan, made)
        kept = destination.adopt(made, plan.destination)
        if expected is not None and (found := _digest(plan, made)) != expected:
            message = f"the plan is out of date: the project would be {found[:12]} now, not {expected[:12]}"
            raise DestinationError(message, "look at it again with --plan, then pass the new digest to --apply")
        files = _files(made)
        project = replace(read(made), path=plan.destination)
        started = plan.git and not repository.contains(beside)
        if started:
            repository.start(made)
        with endings.undisturbed():
            destination.place(made, plan.destination)
            endings.finish(f"the project is in {plan.destination.absolute()}")
    return Generated(project, files, started, kept)


def preview(plan: "Plan") -> tuple[str, ...]:
    """List the files that `generate` would write."""
    return look(plan)[0]


def look(plan: "Plan") -> tuple[tuple[str, ...], str]:
    """List the files that `generate` would write, and give a digest of the plan and of every byte in them."""
    destination.check(plan.destination)
    with workshop.folder() as place:
        made = place / plan.destination.name
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


def old(project: Project, where: str, folder: Path) -> Path:
    """Render what a project was made from into `folder`, under the project's name."""
    made = folder / project.path.name
    make(where, project.version, made, dict(project.answers))
    _record(made, where, project.source)
    return made


def new(project: Project, target: Target, folder: Path) -> Path:
    """Render what a project is to become into `folder`: its answers, those given, and defaults for new questions."""
    made = folder / project.path.name
    make(target.where, target.version, made, {"stack": project.stack, **target.data}, project.path / ANSWERS_FILE)
    _record(made, target.where, target.recorded)
    return made


def version_of(made: Path) -> str:
    """Give the version that a rendered project records."""
    return read(made).version


def _record(made: Path, where: str, recorded: str) -> None:
    """Name the template as the project does, wherever it was for this time."""
    if where != recorded:
        file = made / ANSWERS_FILE
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        named = [f"_src_path: {recorded}\n" if line.startswith("_src_path:") else line for line in lines]
        file.write_text("".join(named), encoding="utf-8", newline="")


def refuse_idle(project: Project, where: str, version: str, data: Mapping[str, object]) -> None:
    """Refuse answers that no question takes, or none that applies: copier would ignore them."""
    given = {key: value for key, value in data.items() if key != "decision"}
    if given:
        from stackgen import questions

        asked = questions.read(source.find(where, {}, version).questions)
        asked.refuse_unknown(given)
        asked.refuse_idle(given, project.answers)


def _copy(plan: "Plan", made: Path) -> None:
    repository.attempt(made.parent, "--version")  # without git, copier would take the folder for one without history
    make(plan.source, plan.version, made, dict(plan.answers))
    if not (made / ANSWERS_FILE).exists():
        message = f"the template {plan.source} writes no {ANSWERS_FILE}, so its projects could not be updated"
        raise SourceError(message, "add the answers file to the template")


def make(where: str, version: str | None, made: Path, data: dict[str, object], recorded: Path | None = None) -> None:
    """Render into a folder that is not there yet, `recorded` being the answers that a project has given before."""
    with workshop.folder() as folder:
        try:
            short = trim.trim(where, version, data.get("stack"), folder)
            _copy_with_copier(str(short.folder), None, made, {**data, **short.data}, recorded)
            short.complete(made)
        except (trim.UnfitError, SourceError):  # a template that is broken is copier's to judge
            shutil.rmtree(made, ignore_errors=True)
            _copy_with_copier(where, version, made, data, recorded)


def _copy_with_copier(
    where: str, version: str | None, made: Path, data: dict[str, object], recorded: Path | None
) -> None:
    if recorded:
        made.mkdir(parents=True)
        shutil.copy(recorded, made / ANSWERS_FILE)
    with workshop.folder() as folder, _copier(folder) as options:
        from copier import run_copy

        # Whoever called removes what was written; copier's own clean-up would hide why it failed.
        settings = {"defaults": True, "overwrite": recorded is not None, "cleanup_on_error": False, **options}
        run_copy(where, made, data=data, vcs_ref=version, quiet=True, **settings)


@contextmanager
def _copier(folder: Path) -> Iterator[dict[str, Any]]:
    """Keep copier's own words from the user, and turn its failures into one line; give the options of every run.

    What it clones goes to `folder`: a signal in the middle of that would leave it where it is.
    """
    from copier import Settings
    from copier.errors import CopierError
    from jinja2 import TemplateError
    from plumbum import ProcessExecutionError, local

    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()), local.env():
            warnings.simplefilter("ignore")
            local.env.update(_isolated())
            with workshop.temporary_files_in(folder):
                yield {"settings": Settings()}
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
        if endings.is_of_temporary_files(error):
            raise endings.no_room_for_temporary_files() from error
        message = f"the project cannot be written: {error.strerror or error}"
        raise DestinationError(message, "check the free space and your permissions there") from error


def _isolated() -> dict[str, str]:
    numbered = [
        (f"GIT_CONFIG_{part}_{i}", text)
        for i, p in enumerate(git.AS_IT_STANDS.items())
        for part, text in zip(("KEY", "VALUE"), p, strict=True)
    ]
    return {**dict(numbered), "GIT_CONFIG_COUNT": str(len(git.AS_IT_STANDS)), "GIT_DEFAULT_HASH": "sha1"}


def _unreadable(reason: str) -> StackgenError:
    if git.is_full(reason):  # copier's own git works among the temporary files
        return endings.no_room_for_temporary_files()
    line = git.reason(reason)
    return SourceError(f"the template cannot be used: {line}", git.hint(line) or "check the template")


def _misused(reason: str) -> StackgenError:
    line = " ".join(reason.split())
    if line.startswith(("Invalid choice", "Validation error", "Question")):
        hint = "`stackgen schema` shows what each answer may be"
        return UsageError(f"the answers do not fit the template: {line}", hint)
    if line.startswith("Unknown revision"):
        hint = "a project made from uncommitted templates cannot be updated: generate it from a commit"
        return SourceError(f"the template does not have the version needed: {line}", hint)
    return _unreadable(line)


def _files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()))
