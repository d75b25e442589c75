"""What the build hook packs: every release, from git objects alone, the same bytes every time."""

import hashlib
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from museum import ANSWERS, ANSWERS_NAME, LINKS, ROOT, SECOND, Repository, git, start_repository, toy_repository
from templating import tree

import hatch_build


@pytest.fixture
def toy(tmp_path: Path) -> Repository:
    repository = toy_repository(tmp_path / "toy")
    repository.commit(version="0.1.0")
    repository.commit(SECOND)
    repository.commit(version="0.2.0")
    return repository


def unpack(packed: Path, release: str) -> Path:
    target = packed.parent / f"unpacked-{release}"
    git(packed, "clone", "--quiet", "--branch", release, str(packed / "templates.bundle"), str(target))
    return target


def test_a_release_is_the_first_commit_with_its_version(toy: Repository, tmp_path: Path) -> None:
    toy.commit({"templates/common/shared.txt": "after the release\n"})
    packed = toy.pack(tmp_path / "packed")
    assert git(packed, "bundle", "list-heads", "templates.bundle").count("refs/tags/") == 2
    assert "one\n" in (unpack(packed, "v0.1.0") / "templates/demo/project/readme.txt.jinja").read_text()
    assert (unpack(packed, "v0.2.0") / "templates/common/shared.txt").read_text() == "shared by all stacks\n"


def test_versions_under_development_are_no_releases(toy: Repository) -> None:
    toy.commit(version="0.3.0.dev0")
    toy.commit(version="0.3.0rc1")
    assert list(hatch_build.find_releases(hatch_build.Git(toy.path))) == ["0.1.0", "0.2.0"]


def test_a_version_that_comes_back_stays_what_it_was(toy: Repository) -> None:
    before = hatch_build.find_releases(hatch_build.Git(toy.path))
    toy.commit(version="0.3.0")
    toy.commit(version="0.2.0")
    assert hatch_build.find_releases(hatch_build.Git(toy.path))["0.2.0"] == before["0.2.0"]


def test_only_the_first_parent_line_makes_releases(toy: Repository) -> None:
    git(toy.path, "switch", "--quiet", "--create", "side")
    toy.commit(version="9.9.9")
    toy.commit(version="0.2.0")
    git(toy.path, "switch", "--quiet", "main")
    toy.commit()
    git(toy.path, "merge", "--quiet", "--no-ff", "--message=Merge", "side")
    assert list(hatch_build.find_releases(hatch_build.Git(toy.path))) == ["0.1.0", "0.2.0"]


@pytest.mark.parametrize("annotated", [(), ("--annotate", "--message=moved")])
def test_a_tag_wins(toy: Repository, annotated: tuple[str, ...]) -> None:
    tagged = toy.commit({"templates/common/shared.txt": "put right\n"})
    git(toy.path, "tag", *annotated, "v0.2.0")
    assert hatch_build.find_releases(hatch_build.Git(toy.path))["0.2.0"] == tagged


def test_two_builds_give_the_same_bytes_however_the_clone_is_packed(toy: Repository, tmp_path: Path) -> None:
    lines = [hashlib.sha256(bytes([index])).hexdigest() for index in range(200)]
    for turn in range(8):
        lines[turn * 20] = f"changed in turn {turn}"
        toy.commit({"templates/common/long.txt": "\n".join(lines)}, f"1.{turn}.0")
    first = toy.pack(tmp_path / "first")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--no-local", str(toy.path), str(clone))
    git(clone, "repack", "-adfq", "--depth=2", "--window=3")
    second = Repository(clone).pack(tmp_path / "second")
    assert (first / "templates.bundle").read_bytes() == (second / "templates.bundle").read_bytes()


def test_links_become_the_files_they_point_to(toy: Repository, tmp_path: Path) -> None:
    release = unpack(toy.pack(tmp_path / "packed"), "v0.2.0")
    assert not [path for path in release.rglob("*") if path.is_symlink()]
    assert (release / "templates/other/project" / ANSWERS_NAME).read_text() == ANSWERS
    assert (release / "templates/other/project/shared.txt").read_text() == "shared by all stacks\n"


def test_a_checkout_without_symbolic_links_packs_the_same(toy: Repository, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--config", "core.symlinks=false", str(toy.path), str(clone))
    assert not (clone / next(iter(LINKS))).is_symlink()
    first, second = toy.pack(tmp_path / "first"), Repository(clone).pack(tmp_path / "second")
    assert (first / "templates.bundle").read_bytes() == (second / "templates.bundle").read_bytes()


@pytest.mark.parametrize("target", ["../nowhere.txt", "../../../pyproject.toml", "/etc/hosts", "loop", "../demo", "."])
def test_a_link_that_leads_nowhere_stops_the_build(toy: Repository, tmp_path: Path, target: str) -> None:
    toy.link({"templates/demo/loop": target})
    toy.commit(version="0.3.0")
    with pytest.raises(hatch_build.BuildError, match="link"):
        toy.pack(tmp_path / "packed")


def test_a_shallow_clone_says_how_to_get_the_rest(toy: Repository, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{toy.path}", str(clone))
    with pytest.raises(hatch_build.BuildError, match="git fetch --unshallow"):
        Repository(clone).pack(tmp_path / "packed")


def test_a_history_without_releases_says_so_in_one_line(tmp_path: Path) -> None:
    repository = start_repository(tmp_path / "empty")
    repository.commit(version="0.1.0.dev0")
    with pytest.raises(hatch_build.BuildError, match="no release") as caught:
        repository.pack(tmp_path / "packed")
    assert "\n" not in str(caught.value)


def test_the_questions_are_those_of_the_newest_release(toy: Repository, tmp_path: Path) -> None:
    toy.commit({"templates/demo/questions.yml": "size: {type: int, default: 1}\n"})
    packed = toy.pack(tmp_path / "packed")
    found = {path.relative_to(packed).as_posix() for path in packed.rglob("*") if path.is_file()}
    assert found == {"templates.bundle", "_template/copier.yml", "_template/templates/demo/questions.yml"}
    assert "colour" in (packed / "_template/templates/demo/questions.yml").read_text()


def test_the_records_of_the_stacks_are_those_of_the_commit_that_is_built(toy: Repository, tmp_path: Path) -> None:
    toy.commit({"templates/demo/stack.json": '{"title": "Old"}'}, "0.3.0")
    toy.commit({"templates/demo/stack.json": '{"title": "New"}'})
    (toy.path / "templates/demo/stack.json").write_text('{"title": "Not committed"}')
    packed = toy.pack(tmp_path / "packed")
    assert (packed / "_template/templates/demo/stack.json").read_text() == '{"title": "New"}'


def test_an_include_that_names_nothing_stops_the_build(toy: Repository, tmp_path: Path) -> None:
    toy.commit({"copier.yml": "!include templates/nothing.yml\n"}, "0.3.0")
    with pytest.raises(hatch_build.BuildError, match=r"templates/nothing\.yml"):
        toy.pack(tmp_path / "packed")


def test_the_repository_is_left_as_it_was(toy: Repository, tmp_path: Path) -> None:
    before = subprocess.run(["find", str(toy.path)], capture_output=True, check=True).stdout
    toy.pack(tmp_path / "packed")
    assert subprocess.run(["find", str(toy.path)], capture_output=True, check=True).stdout == before


def changed_under_the_same_version(repository: Path) -> list[str]:
    """Give the releases whose templates a later commit changed while it still called itself by their version."""
    source = hatch_build.Git(repository)
    last: dict[str, str] = {}
    for commit in source.text("log", "--first-parent", "--reverse", "--format=%H").split():
        if source.text("ls-tree", commit, "--", "pyproject.toml"):
            found = re.search(
                r'^version = "(.*)"', source.text("cat-file", "blob", f"{commit}:pyproject.toml"), re.MULTILINE
            )
            last[found[1] if found else ""] = commit
    content = partial(hatch_build.read_tree, source)
    releases = hatch_build.find_releases(source)
    going_on = {name: last[name] for name, commit in releases.items() if last[name] != commit}
    return [name for name, commit in going_on.items() if content(commit) != content(releases[name])]


def test_a_template_that_changes_after_its_release_without_a_new_version_is_seen(toy: Repository) -> None:
    before = ["0.1.0"]  # the toy changes between its releases
    toy.commit({"notes.txt": "no part of the template"})
    assert changed_under_the_same_version(toy.path) == before
    toy.commit({"templates/common/shared.txt": "after the release\n"})
    assert changed_under_the_same_version(toy.path) == [*before, "0.2.0"]
    toy.commit(version="0.3.0.dev0")
    toy.commit({"templates/common/shared.txt": "on the way to the next\n"})
    toy.commit(version="0.3.0")
    assert changed_under_the_same_version(toy.path) == [*before, "0.2.0"]


def test_what_calls_itself_by_a_releases_version_is_that_release() -> None:
    before_anything_looked = {"0.5.0", "0.6.1", "0.9.0", "0.10.0"}
    assert set(changed_under_the_same_version(ROOT)) - before_anything_looked == set()


@pytest.mark.full
def test_the_newest_release_is_packed_as_its_commit_has_it(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    hatch_build.pack(ROOT, tmp_path / "packed")
    version, commit = list(hatch_build.find_releases(hatch_build.Git(ROOT)).items())[-1]
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--no-local", str(ROOT), "checkout")
    git(tmp_path / "checkout", "checkout", "--quiet", commit)
    released = tmp_path / "released"
    shutil.copytree(tmp_path / "checkout/templates", released / "templates")  # links become what they lead to
    shutil.copy(tmp_path / "checkout/copier.yml", released)
    packed = unpack(tmp_path / "packed", f"v{version}")
    shutil.rmtree(packed / ".git")
    assert tree(packed) == tree(released)
    assert len(tree(packed)) > 1000
