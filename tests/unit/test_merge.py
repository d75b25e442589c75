"""A merge of three trees by git, which has no say in which file is which."""

from pathlib import Path

import pytest
from museum import git

from stackgen import merge, repository
from stackgen.merge import Store
from stackgen.repository import Entry

TEXT = "".join(f"line {number}\n" for number in range(9))
Files = dict[str, str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    git(tmp_path, "init", "--quiet", "home")
    git(tmp_path / "home", "commit", "--quiet", "--allow-empty", "--message", "Start")
    return merge.open_store(tmp_path / "store", repository.find(tmp_path / "home"))


def merged(store: Store, base: Files, ours: Files, theirs: Files) -> tuple[Files, dict[str, set[int]]]:
    trees = (
        {name: Entry("100644", store.put(text.encode())) for name, text in each.items()}
        for each in (base, ours, theirs)
    )
    done = store.merge(*trees)
    texts = {name: store.blob(entry).decode() for name, entry in done.tree.items()}
    return texts, {name: set(sides) for name, sides in done.conflicts.items()}


def test_a_file_of_ones_own_stays_where_it_is_when_all_beside_it_moves(store: Store) -> None:
    base = {f"old/{name}": f"{TEXT}{name}\n" for name in "abc"}
    theirs = {f"new/{name}": f"{TEXT}{name}\n" for name in "abc"}
    assert merged(store, base, {**base, "old/mine": "mine\n"}, theirs) == ({**theirs, "old/mine": "mine\n"}, {})


def test_what_one_writes_in_the_place_of_a_file_is_not_taken_for_it(store: Store) -> None:
    base, theirs = {"its": TEXT, "x": "x\n"}, {"its": TEXT.replace("line 1", "line I"), "x": "x\n"}
    ours = {"mine": f"{TEXT}mine\n", "x": "x\n"}
    texts, conflicts = merged(store, base, ours, theirs)
    assert texts == {**ours, "its": theirs["its"]}
    assert conflicts == {"its": {1, 3}}


def test_lines_are_merged_where_both_have_changed_a_file_and_everything_else_is_as_one_has_it(store: Store) -> None:
    base = {"both": TEXT, "ours": TEXT, "theirs": TEXT, "gone": TEXT, "dropped": TEXT}
    ours = {"both": f"mine\n{TEXT}", "ours": "mine\n", "theirs": TEXT, "dropped": TEXT, "added": "mine\n"}
    theirs = {"both": f"{TEXT}its\n", "ours": TEXT, "theirs": "its\n", "gone": TEXT, "new": "its\n"}
    assert merged(store, base, ours, theirs) == (
        {"both": f"mine\n{TEXT}its\n", "ours": "mine\n", "theirs": "its\n", "added": "mine\n", "new": "its\n"},
        {},
    )


def test_what_only_a_person_can_settle_is_a_conflict_with_all_sides(store: Store) -> None:
    base = {"lines": TEXT, "dropped": TEXT}
    ours = {"lines": TEXT.replace("line 4", "mine"), "dropped": f"{TEXT}mine\n", "added": "mine\n"}
    theirs = {"lines": TEXT.replace("line 4", "its"), "added": "its\n"}
    texts, conflicts = merged(store, base, ours, theirs)
    assert conflicts == {"lines": {1, 2, 3}, "dropped": {1, 2}, "added": {2, 3}}
    assert "<<<<<<< yours\nmine\n=======\nits\n>>>>>>> template" in texts["lines"]
    assert texts["dropped"] == ours["dropped"]
