"""Where a project stands: its release and the newest one, and what in it is its owner's by now."""

from collections.abc import Mapping
from dataclasses import dataclass

from stackgen import filters, journal, merge, render, repository, settling, source, workshop
from stackgen.project import Project


@dataclass(frozen=True, slots=True)
class Standing:
    """A project as its last commit has it, beside what its release makes of its answers.

    `newest` is None where the template has no releases, `unfinished` the version that an interrupted update goes to;
    `changed`, `moved` and `deleted` were the template's, `own` never were; of what was changed, the template goes on
    maintaining what has `drifted`.
    """

    project: Project
    newest: str | None
    unfinished: str | None
    changed: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    deleted: tuple[str, ...]
    own: tuple[str, ...]
    drifted: tuple[str, ...]


def look(project: Project, environment: Mapping[str, str]) -> Standing:
    """Compare a project with its release; nothing is touched."""
    repository.require_merges()
    home = repository.find(project.path)
    where, releases = source.refresh(project.source, environment)
    last = journal.load(home)
    unfinished = last.after if last and last.phase == journal.WRITING else None
    with workshop.folder() as folder:
        store = merge.open_store(folder / "store", home)
        ours = home.tree()
        base, _ = filters.as_kept(home, store, store.take(render.old(project, where, folder / "old")), ours, {})
        moved = store.renames(base, ours)
        drifted = settling.drifted(store, base, ours)
    return Standing(
        project,
        releases[-1] if releases else None,
        unfinished,
        changed=tuple(sorted(path for path in base.keys() & ours.keys() if base[path] != ours[path])),
        moved=tuple(sorted(moved.items())),
        deleted=tuple(sorted(base.keys() - ours.keys() - moved.keys())),
        own=tuple(sorted(ours.keys() - base.keys() - set(moved.values()))),
        drifted=drifted,
    )
