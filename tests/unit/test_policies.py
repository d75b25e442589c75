"""Names and whole files, settled before any line is merged."""

import fnmatch
import os
import re
from pathlib import Path

from stackgen import policies
from stackgen.repository import Entry, Tree


def tree(**files: str) -> Tree:
    return {name.replace("__", "/"): Entry("100644", content) for name, content in files.items()}


def test_where_both_renamed_a_file_the_users_name_wins() -> None:
    base, ours, theirs = tree(old="a"), tree(mine="b"), tree(its="c")
    aligned = policies.align(base, ours, theirs, {"old": "mine"}, {"old": "its"})
    assert (aligned.base, aligned.ours, aligned.theirs) == (tree(mine="a"), tree(mine="b"), tree(mine="c"))
    assert aligned.renamed == {"mine": "its"}


def test_a_file_that_the_template_dropped_stays_if_it_was_renamed_or_changed() -> None:
    base, ours = tree(same="a", changed="b", renamed="c"), tree(same="a", changed="B", new="c")
    aligned = policies.align(base, ours, {}, {"renamed": "new"}, {})
    assert aligned.kept == {"changed", "new"}
    assert aligned.theirs == tree(changed="b")
    assert aligned.base == tree(same="a", changed="b")


def test_a_deleted_file_stays_away_under_any_name_and_only_news_is_listed() -> None:
    base, theirs = tree(d__a="a", d__b="b", e="e"), tree(d__a="a", f__b="b", d__new="n", e="e")
    aligned = policies.align(base, tree(e="e"), theirs, {}, {"d/b": "f/b"})
    assert aligned.theirs == tree(e="e")
    assert aligned.deleted == {"d/new", "f/b"}


def test_a_new_file_goes_where_most_of_its_folder_went() -> None:
    base, theirs = tree(d__a="a", d__b="b", d__c="c"), tree(d__a="a", d__b="b", d__c="c", d__new="n")
    mine = {"d/a": "e/a", "d/b": "e/b", "d/c": "f/c"}
    aligned = policies.align(base, tree(e__a="a", e__b="b", f__c="c"), theirs, mine, {})
    assert aligned.theirs == tree(e__a="a", e__b="b", f__c="c", e__new="n")


def test_a_folder_of_which_little_went_elsewhere_was_deleted_and_empty_files_decide_nothing() -> None:
    base, theirs = tree(d__a="a", d__b="b", d__c="c"), tree(d__a="a", d__b="b", d__c="c", d__new="n")
    aligned = policies.align(base, tree(e__a="a"), theirs, {"d/a": "e/a"}, {})
    assert (aligned.theirs, aligned.deleted) == (tree(e__a="a"), {"d/new"})
    empty = dict.fromkeys(("d/b", "d/c"), Entry("100644", policies.EMPTY[0]))
    aligned = policies.align({**base, **empty}, tree(e__a="a"), {**theirs, **empty}, {"d/a": "e/a"}, {})
    assert aligned.theirs == tree(e__a="a", e__new="n")


def test_what_another_project_in_the_same_folder_holds_is_not_taken_for_a_file_that_went() -> None:
    base, theirs = tree(renovate="a", d__x="x"), tree(renovate="A", d__x="x", d__new="n")
    inside = {"services/billing/.copier-answers.yml": Entry("100644", "answers")}
    ours = {**tree(services__billing__renovate="a", services__billing__d__x="x"), **inside}
    mine = {"renovate": "services/billing/renovate", "d/x": "services/billing/d/x"}
    aligned = policies.align(base, ours, theirs, mine, {})
    assert aligned.theirs == {}
    assert aligned.deleted == {"renovate", "d/new"}


def test_a_generated_file_that_both_changed_is_the_users() -> None:
    own = "packages/contracts/src/predictions.ts"
    names = ("package-lock.json", "tools/contract/package-lock.json", "tools/go.sum", "requirements-dev.txt", own)
    base, ours, theirs = ({name: Entry("100644", content) for name in names} for content in "abc")
    aligned = policies.align(base, ours, theirs, {}, {})
    assert aligned.theirs == base
    assert aligned.generated == {
        "package-lock.json": "npm install",
        "tools/contract/package-lock.json": "npm install --prefix tools/contract",
        "tools/go.sum": "go mod tidy -C tools",
        "requirements-dev.txt": "uv run python dependencies.py",
        own: "npm run contract",
    }
    assert set(aligned.union) == {"tools/go.sum"}


def test_a_link_that_one_of_the_two_made_is_not_merged_as_text() -> None:
    base, theirs = tree(file="a"), tree(file="b")
    ours = {"file": Entry("120000", "target")}
    aligned = policies.align(base, ours, theirs, {}, {})
    assert (aligned.theirs, aligned.kept) == (base, {"file"})


def test_a_new_file_that_cannot_stand_where_the_users_do_is_blocked() -> None:
    ours = tree(a="mine", b__c="mine")
    assert policies.align({}, ours, tree(a__x="x", b="b", d="d"), {}, {}).blocked == {"a/x", "b"}


def test_what_the_template_maintains_is_there_and_what_people_set_is_not_among_it() -> None:
    root = Path(__file__).parents[2] / "templates"
    condition = re.compile(r"\[=% if [a-z_]+ %=\]|\[=% endif %=\]|\.jinja$")
    paths = {
        condition.sub("", Path(folder, name).relative_to(project).as_posix())
        for project in root.glob("*/project")
        for folder, _, names in os.walk(project, followlinks=True)
        for name in names
    }
    unused = [pattern for pattern in policies.MAINTAINED if not fnmatch.filter(paths, pattern)]
    assert unused == []
    maintained = {path for path in paths if policies.is_maintained(path)}
    assert "deploy/kustomize/base/service.yaml" in maintained
    assert {path for path in maintained if "overlays" in path or path.endswith((".md", ".ts", ".go"))} == set()
