"""Updates of what nobody would think of: owner and template both change a small project at random, and nothing is lost.

The way from one rendered release to the other is the engine's own; rendering has no part in it, so that many are tried.
What counts as lost is the witness's business, who knows nothing of the engine.

A change to something else must not be refused since chance has found a fault here: before a release many are tried, by
the run's seed; each other run tries the same few, and what was found before.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import hypothesis
import museum
import pytest
import witness
from editing import ACTS, Change, change
from hypothesis import strategies as st
from sizes import is_release, seed

from stackgen import merge, project, report, repository, revision, update
from stackgen.errors import DestinationError

ANSWERS = "_commit: {}\n_src_path: /templates\nname: shop\nstack: demo\n"
WORDS = [f"{kind} {number}" for number in ("one", "two", "three") for kind in ("a line", "a list", "a word")]
TEXT = "".join(f"{word}\n" for word in WORDS)
MODULE = (
    "import {{ a, b }} from 'library';\n\nexport const {0} = (a) => {{\n  const {0}s = b(a);\n\n  return {0}s;\n}};\n"
)
PACKAGES = '"a": "1.0.0",\n    "b": "1.0.0",\n    "c": "1.0.0"'
Told = tuple[tuple[str, int, int, int], ...]
BASE: Mapping[str, str] = {
    "README.md": f"# Shop\n\n{TEXT}\n## More\n\n{TEXT}",
    "package.json": f'{{\n  "name": "shop",\n  "dependencies": {{\n    {PACKAGES}\n  }}\n}}\n',
    "package-lock.json": '{\n  "a": "1.0.0",\n  "b": "1.0.0"\n}\n',
    "go.sum": "a v1.0.0\nb v1.0.0\nc v1.0.0\n",
    ".github/workflows/ci.yml": "jobs:\n  check:\n    steps:\n" + "      - uses: a@1.0.0\n" * 2,
    "src/index.ts": "".join(f"import {{ {m} }} from './modules/{m}';\n" for m in ("auth", "items", "teams")),
    "src/modules/__init__.py": "",
    "src/modules/auth/__init__.py": "",
    "src/modules/auth/routes.ts": MODULE.format("session"),
    "src/modules/auth/deep/rows.txt": TEXT,
    "src/modules/items/__init__.py": "",
    "src/modules/items/routes.ts": MODULE.format("item"),
    "src/modules/items/table.ts": MODULE.format("table") + MODULE.format("row"),
    "src/modules/items/migrations/0001_first.sql": "create table items (id int);\n",
    "src/modules/teams/routes.ts": MODULE.format("team"),
    "run.sh": "#!/bin/sh\nexec true\n",
}

changes = st.lists(
    st.builds(Change, st.sampled_from(sorted(ACTS)), st.integers(0, 15), st.integers(0, 24), st.integers(0, 35)),
    min_size=1,
    max_size=6,
)


def lay_out(folder: Path, version: str, who: str, what: list[Change]) -> Path:
    """Make the project of a release, and let somebody change it."""
    made = folder / "shop"
    for name, text in {**BASE, ".copier-answers.yml": ANSWERS.format(version)}.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    for number, each in enumerate(what):
        change(made, who, number, each)
    return made


def carry(work: Path, owners: list[Change], templates: list[Change]) -> list[str]:
    """Update a project that both have changed; give the witness's complaints."""
    old, new = lay_out(work / "old", "v1.0.0", "", []), lay_out(work / "new", "v2.0.0", "template", templates)
    shop = lay_out(work, "v1.0.0", "owner", owners)
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "All"]):
        museum.git(shop, *words)
    home, had = repository.find(shop), witness.files(shop)
    try:
        plan = revision.revise(project.read(shop), home, merge.open_store(work / "store", home), old, new)
        update.apply(plan)
    except DestinationError:
        return ["refused, and changed all the same"] if witness.files(shop) != had else []
    said = report.data(update.report(plan))
    return witness.complaints(witness.Case(witness.files(old), had, witness.files(new), witness.files(shop), said))


# What earlier runs have found; each number is one of `Change`'s.
FOUND = (
    # Both rename one file: the owner's name stands, and the report gives the template's.
    ((("rename_folder", 6, 15, 20),), (("rename", 9, 0, 2),)),
    # A bot of the owner's has moved a pin: the file is the owner's by then, too.
    ((("raise_version", 0, 20, 6),), (("delete", 14, 14, 26), ("double", 15, 21, 18))),
    # The template moves and changes what the owner has made a link: the link went along, and was said to be kept.
    ((("make_link", 5, 17, 19),), (("end_otherwise", 5, 15, 34), ("rename", 5, 20, 14))),
    # The owner has copied a line with a pin, and the template moves it: the copies went along without a word.
    ((("double", 0, 3, 0),), (("raise_version", 0, 2, 4),)),
    # The template moves a folder in which the owner has a file of his own: git's merge took that along.
    ((("add", 12, 4, 10),), (("write_bytes", 12, 4, 35), ("rename_folder", 11, 15, 25))),
    # A lock whose lines are put together is no text any more: whole it stays, and is named.
    ((("write_bytes", 2, 19, 32),), (("write_anew", 2, 15, 26),)),
    # The last line of a lock has lost its end: the one that came behind it was written onto it.
    ((("alter", 2, 5, 18),), (("end_otherwise", 2, 15, 17),)),
    # Both rename a file, in which the template writes what looks like a marker: the witness took that for a conflict.
    ((("rename", 0, 0, 2),), (("rename", 0, 0, 2), ("write_bytes", 15, 0, 5))),
)


@pytest.mark.parametrize(("owners", "templates"), FOUND)
def test_what_was_lost_once_is_not_lost_again(tmp_path: Path, owners: Told, templates: Told) -> None:
    assert carry(tmp_path, *([Change(*each) for each in side] for side in (owners, templates))) == []


@hypothesis.seed(seed() if is_release() else 0)
@hypothesis.settings(
    max_examples=400 if is_release() else 20,
    deadline=None,
    database=None,
    phases=(hypothesis.Phase.generate, *((hypothesis.Phase.shrink,) if is_release() else ())),
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(owners=changes, templates=changes)
def test_whatever_both_do_nothing_is_lost(owners: list[Change], templates: list[Change]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert carry(Path(folder), owners, templates) == []
