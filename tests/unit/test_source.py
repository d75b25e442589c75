"""Where templates come from, and how the wheel's bundle gets to the place that projects record."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from museum import SECOND, Installation, Repository, git, install, start_repository, toy_repository

from stackgen import source
from stackgen.errors import SourceError

FIND = """
import dataclasses, json, os
from stackgen import errors, source
try:
    found = source.find(os.environ.get("ASKED"), os.environ, os.environ.get("VERSION"))
    print(json.dumps([found.url, found.version, (found.questions / "copier.yml").read_text()]))
except errors.StackgenError as error:
    print(json.dumps([error.code, error.message, error.hint]))
"""


@pytest.fixture
def toy(tmp_path: Path) -> Repository:
    repository = toy_repository(tmp_path / "toy")
    repository.commit(version="0.1.0")
    return repository


@pytest.fixture
def old(toy: Repository, tmp_path: Path) -> Installation:
    return install(toy.pack(tmp_path / "old-packed"), tmp_path / "old", tmp_path / "home")


@pytest.fixture
def new(old: Installation, toy: Repository, tmp_path: Path) -> Installation:
    toy.commit(SECOND, "0.2.0")
    return install(toy.pack(tmp_path / "new-packed"), tmp_path / "new", old.home)


def find(installation: Installation, **variables: str) -> list[str]:
    done = installation.run(FIND, **variables)
    assert done.stderr == ""
    return json.loads(done.stdout)


def placed(installation: Installation) -> Path:
    return installation.home / ".local/share/stackgen/templates.bundle"


def bundle(installation: Installation) -> bytes:
    return (installation.path / "stackgen/templates.bundle").read_bytes()


def test_a_checkout_is_its_own_template() -> None:
    found = source.find(None, {})
    assert found == source.Source(str(Path(__file__).parents[2]), "HEAD", Path(__file__).parents[2])


def test_the_wheel_places_its_bundle_and_records_the_path_that_every_teammate_has(new: Installation) -> None:
    url, version, questions = find(new)
    assert (url, version) == ("~/.local/share/stackgen/templates.bundle", "v0.2.0")
    assert "_subdirectory" in questions
    assert placed(new).read_bytes() == bundle(new)
    assert {path.name for path in placed(new).parent.iterdir()} == {"templates.bundle", "templates.lock"}


def test_a_newer_bundle_replaces_an_older_one_and_never_the_reverse(old: Installation, new: Installation) -> None:
    find(old)
    find(new)
    assert placed(new).read_bytes() == bundle(new)
    assert find(old)[1] == "v0.1.0"
    assert placed(new).read_bytes() == bundle(new)


def test_a_bundle_of_the_same_release_is_left_alone(old: Installation, tmp_path: Path) -> None:
    other = toy_repository(tmp_path / "other")
    other.commit({"templates/common/shared.txt": "another history\n"}, "0.1.0")
    content = (other.pack(tmp_path / "other-packed") / "templates.bundle").read_bytes()
    placed(old).parent.mkdir(parents=True)
    placed(old).write_bytes(content)
    find(old)
    assert placed(old).read_bytes() == content


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "something else"])
def test_a_damaged_bundle_is_replaced(new: Installation, damage: str) -> None:
    whole = bundle(new)
    damaged = {
        "truncated": whole[: len(whole) // 2],
        "flipped": whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:],
        "empty": b"",
        "something else": b"hello\n\nPACK",
    }
    placed(new).parent.mkdir(parents=True)
    placed(new).write_bytes(damaged[damage])
    assert find(new)[1] == "v0.2.0"
    assert placed(new).read_bytes() == whole


def test_newer_templates_without_our_own_release_ask_for_an_upgrade(old: Installation, tmp_path: Path) -> None:
    other = start_repository(tmp_path / "other")
    other.commit({"copier.yml": "q: 1\n"}, "5.0.0")
    placed(old).parent.mkdir(parents=True)
    placed(old).write_bytes((other.pack(tmp_path / "other-packed") / "templates.bundle").read_bytes())
    code, message, hint = find(old)
    assert code == "source"
    assert "v5.0.0" in message
    assert "upgrade" in hint


def test_many_processes_at_once_leave_the_newest_bundle_whole(old: Installation, new: Installation) -> None:
    for _ in range(3):
        processes = [installation.start(FIND) for installation in (old, new, old, new, old, new)]
        results = [process.communicate(timeout=600) for process in processes]
        assert [errors for _, errors in results] == [""] * 6
        assert {json.loads(found)[1] for found, _ in results} == {"v0.1.0", "v0.2.0"}
        assert placed(new).read_bytes() == bundle(new)
        assert {path.name for path in placed(new).parent.iterdir()} == {"templates.bundle", "templates.lock"}
        placed(new).unlink()


def test_an_older_process_that_had_to_wait_does_not_undo_the_newer_one(old: Installation, new: Installation) -> None:
    placed(new).parent.mkdir(parents=True)
    with FileLock(placed(new).with_name("templates.lock")):
        process = old.start(FIND)
        time.sleep(1)
        placed(new).write_bytes(bundle(new))
    assert json.loads(process.communicate(timeout=600)[0])[1] == "v0.1.0"
    assert placed(new).read_bytes() == bundle(new)


def test_what_a_killed_process_left_is_in_nobodys_way(new: Installation) -> None:
    placed(new).parent.mkdir(parents=True)
    for name in ("templates.lock", "templates.bundle.new"):
        placed(new).with_name(name).write_text("half a bundle")
        os.utime(placed(new).with_name(name), (4_070_908_800, 4_070_908_800))  # in 2099: no lock is ever old enough
    assert find(new)[1] == "v0.2.0"
    assert placed(new).read_bytes() == bundle(new)


def test_a_process_killed_while_it_waits_leaves_the_placed_bundle_alone(new: Installation) -> None:
    placed(new).parent.mkdir(parents=True)
    with FileLock(placed(new).with_name("templates.lock")):
        process = new.start(FIND)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
        assert not placed(new).exists()
    assert find(new)[1] == "v0.2.0"


def test_another_folder_can_be_named_and_is_what_projects_record(new: Installation, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    assert find(new, STACKGEN_DATA_DIR=str(elsewhere))[0] == str(elsewhere / "templates.bundle")
    assert (elsewhere / "templates.bundle").read_bytes() == bundle(new)
    assert not placed(new).exists()


def test_a_home_that_cannot_be_written_gives_one_clear_line(new: Installation) -> None:
    (new.home / ".local").write_text("a file stands where the folder should be")
    code, message, hint = find(new)
    assert code == "source"
    assert "\n" not in message
    assert "STACKGEN_DATA_DIR" in hint


def test_a_read_only_home_that_already_holds_the_bundle_is_enough(old: Installation, new: Installation) -> None:
    find(new)
    placed(new).parent.chmod(0o500)
    try:
        assert find(old)[1] == "v0.1.0"
        assert find(new)[1] == "v0.2.0"
    finally:
        placed(new).parent.chmod(0o700)


def test_an_older_release_can_be_chosen_and_brings_its_own_questions(toy: Repository, tmp_path: Path) -> None:
    toy.commit({"copier.yml": (toy.path / "copier.yml").read_text() + "# new\n"}, "0.2.0")
    both = install(toy.pack(tmp_path / "packed"), tmp_path / "site", tmp_path / "home")
    assert "# new" in find(both)[2]
    url, version, questions = find(both, VERSION="v0.1.0")
    assert (url, version) == ("~/.local/share/stackgen/templates.bundle", "v0.1.0")
    assert "# new" not in questions
    assert find(both, VERSION="v7.0.0")[0] == "source"


def test_a_folder_without_git_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "copier.yml").write_text("q: 1\n")
    assert source.find(str(tmp_path), {}) == source.Source(str(tmp_path), None, tmp_path)


def test_a_repository_gives_its_newest_release(toy: Repository) -> None:
    git(toy.path, "tag", "v0.9.0")
    git(toy.path, "tag", "v0.10.0")
    git(toy.path, "tag", "v0.11.0rc1")
    git(toy.path, "tag", "nightly")
    toy.commit({"copier.yml": "later: 1\n"})
    found = source.find(None, {"STACKGEN_TEMPLATE": str(toy.path)})
    assert (found.url, found.version) == (str(toy.path), "v0.10.0")
    assert "later" not in (found.questions / "copier.yml").read_text()


def test_a_repository_without_releases_gives_its_work_tree(toy: Repository) -> None:
    assert source.find(str(toy.path), {}) == source.Source(str(toy.path), "HEAD", toy.path)


def test_a_remote_address_is_fetched_to_read_its_questions(toy: Repository) -> None:
    git(toy.path, "tag", "v0.1.0")
    found = source.find(f"git+file://{toy.path}", {})
    assert (found.url, found.version) == (f"git+file://{toy.path}", "v0.1.0")
    assert (found.questions / "templates/demo/questions.yml").exists()


def test_a_bundle_is_a_template_too(toy: Repository, tmp_path: Path) -> None:
    path = toy.pack(tmp_path / "packed") / "templates.bundle"
    found = source.find(str(path), {})
    assert (found.url, found.version) == (str(path), "v0.1.0")


def test_what_was_asked_for_goes_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "copier.yml").write_text("q: 1\n")
    assert source.find(str(tmp_path), {"STACKGEN_TEMPLATE": "nothing"}).url == str(tmp_path)


@pytest.mark.parametrize("asked", ["nowhere", "https://127.0.0.1:1/nothing.git", "-u", "~nobody/x", "gh:", "\n", "."])
def test_what_is_not_a_template_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    with pytest.raises(SourceError) as caught:
        source.find(asked, {})
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_an_installation_without_templates_says_so(old: Installation) -> None:
    (old.path / "stackgen/templates.bundle").unlink()
    code, message, _ = find(old)
    assert (code, message) == ("source", "this installation of stackgen has no templates")


def test_a_machine_without_git_is_told_to_install_it(old: Installation, toy: Repository) -> None:
    code, message, hint = find(old, ASKED=str(toy.path), PATH=str(Path(sys.executable).parent / "none"))
    assert (code, hint) == ("source", "install git")
    assert "git is not installed" in message


REFRESH = """
import json, os
from stackgen import source
print(json.dumps(source.refresh("~/.local/share/stackgen/templates.bundle", os.environ)))
"""


def test_a_project_that_records_the_home_folder_finds_the_one_that_stands_for_it(
    new: Installation, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "file").write_text("no folder, so nothing can be written there")
    done = new.run(REFRESH, HOME=str(tmp_path / "file"), STACKGEN_DATA_DIR=str(elsewhere))
    assert done.stderr == ""
    assert json.loads(done.stdout) == [str(elsewhere / "templates.bundle"), ["v0.1.0", "v0.2.0"]]
    assert (elsewhere / "templates.bundle").read_bytes() == bundle(new)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.2.0", True),
        ("1.2.0", True),
        ("v1.2.0+acme.1", True),
        ("v1.2.0-3-g4f5e6a7", False),
        ("v1.2.0rc1", False),
        ("4f5e6a7", False),
        ("1234567", False),
        ("main", False),
    ],
)
def test_a_companys_own_tag_is_a_release_and_a_commit_is_none(version: str, expected: bool) -> None:
    assert source.is_release(version) is expected
