"""The short cut to a render: what copier would have made, byte for byte, and never taken where that is not certain."""

import os
from collections.abc import Mapping
from pathlib import Path

import copier
import pytest
from museum import COPIER, Repository, toy_repository
from templating import tree

from stackgen import render, trim
from stackgen.plan import Plan

DROPPED = "dropped by 0.2.0\n"
DATA: Mapping[str, object] = {"name": "shop", "stack": "demo", "decision": {"b": "ü", "a": ["x: y"]}}
PROJECT = "templates/demo/project"


@pytest.fixture
def toy(tmp_path: Path) -> Repository:
    repository = toy_repository(tmp_path / "a toy ü")
    repository.commit(
        {f"{PROJECT}/run.sh": "#!/bin/sh\n", f"{PROJECT}/[=% if name == 'x' %=]a[=% endif %=]/b.txt": "b\n"}
    )
    return repository


def made_by_both(where: Path, tmp_path: Path) -> tuple[object, object]:
    """Render with copier alone, and with what we have of our own."""
    copier.run_copy(str(where), tmp_path / "its/shop", data=dict(DATA), vcs_ref="HEAD", defaults=True, quiet=True)
    plan = Plan(str(where), "HEAD", tmp_path / "ours/shop", DATA, git=False)
    plan.destination.parent.mkdir()
    render.generate(plan)
    return tree(tmp_path / "its/shop"), tree(plan.destination)


def is_taken(where: Path, folder: Path, version: str = "HEAD") -> bool:
    folder.mkdir()
    try:
        trim.trim(str(where), version, "demo", folder)
    except trim.UnfitError:
        return False
    return True


def test_a_template_that_we_know_is_rendered_as_copier_does(toy: Repository, tmp_path: Path) -> None:
    (toy.path / PROJECT / "run.sh").chmod(0o755)
    toy.commit()
    assert is_taken(toy.path, tmp_path / "trimmed")
    its, ours = made_by_both(toy.path, tmp_path)
    assert ours == its


def test_a_file_is_given_the_permissions_that_the_user_gives_to_new_ones(toy: Repository, tmp_path: Path) -> None:
    before = os.umask(0o007)
    try:
        its, ours = made_by_both(toy.path, tmp_path)
    finally:
        os.umask(before)
    assert ours == its


ODD = {
    "excluded files": {"copier.yml": f"_exclude: ['shared.txt']\n{COPIER}"},
    "other delimiters": {
        "copier.yml": COPIER.replace("[=", "<<").replace("=]", ">>"),
        f"{PROJECT}/readme.txt.jinja": "<< name >>\n",
        "templates/common/answers.jinja": "<< _copier_answers|to_nice_yaml >>",
        "templates/demo/project/[= _copier_conf.answers_file =].jinja": None,
        "templates/demo/project/<< _copier_conf.answers_file >>.jinja": "<< _copier_answers|to_nice_yaml >>",
    },
    "a letter for a delimiter": {
        "copier.yml": COPIER.replace('comment_start_string: "[=#"', 'comment_start_string: "dropped"').replace(
            'comment_end_string: "#=]"', 'comment_end_string: "txt"'
        )
    },
    "a question about copier": {f"{PROJECT}/readme.txt.jinja": "[= _copier_conf.vcs_ref_hash =]\n"},
    "a question about copier in a name": {f"{PROJECT}/[= _copier_conf.vcs_ref =].txt": "x\n"},
    "line ends of git's": {".gitattributes": "*.txt eol=crlf\n"},
    "a name that an expression gives as well": {f"{PROJECT}/[=% if true %=]dropped.txt[=% endif %=]": DROPPED},
}


@pytest.mark.parametrize("files", ODD.values(), ids=ODD)
def test_what_has_a_say_in_a_render_leaves_it_to_copier(
    toy: Repository, tmp_path: Path, files: Mapping[str, str | None]
) -> None:
    toy.commit(files)
    its, ours = made_by_both(toy.path, tmp_path)
    assert ours == its


@pytest.mark.parametrize("folder", ["", f"{PROJECT}/"])
def test_a_template_beside_a_file_of_its_name_wins_as_with_copier(toy: Repository, tmp_path: Path, folder: str) -> None:
    toy.commit({f"{folder}shared.txt.jinja": "[= name =]\n"})
    its, ours = made_by_both(toy.path, tmp_path)
    assert ours == its


def test_a_file_that_copier_has_written_is_not_overwritten(toy: Repository, tmp_path: Path) -> None:
    short = trim.trim(str(toy.path), "HEAD", "demo", tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/dropped.txt").write_text("copier's", encoding="utf-8")
    with pytest.raises(trim.UnfitError):
        short.complete(tmp_path / "shop")


def test_changes_that_are_not_committed_are_left_to_copier(toy: Repository, tmp_path: Path) -> None:
    (toy.path / PROJECT / "dropped.txt").write_text("changed\n", encoding="utf-8")
    assert not is_taken(toy.path, tmp_path / "trimmed")
    assert is_taken(toy.path, tmp_path / "committed", "main")


def test_what_leads_out_of_the_template_is_left_to_copier(toy: Repository, tmp_path: Path) -> None:
    toy.link({f"{PROJECT}/away.txt": "/etc/hostname"})
    toy.commit()
    assert not is_taken(toy.path, tmp_path / "trimmed")


def test_a_template_on_another_machine_is_left_to_copier(tmp_path: Path) -> None:
    assert not is_taken(Path("https://example.invalid/x.git"), tmp_path / "trimmed")
