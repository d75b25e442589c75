"""What an existing project's answers file tells, and what is refused."""

from pathlib import Path

import pytest

from stackgen import project
from stackgen.errors import DestinationError, SourceError

ANSWERS = """\
_commit: v1.2.3
_src_path: ~/.local/share/stackgen/templates.bundle
name: my-shop
stack: go
decision:
    rule: io
"""


def write(folder: Path, text: str | bytes) -> Path:
    content = text.encode() if isinstance(text, str) else text
    (folder / project.ANSWERS_FILE).write_bytes(content)
    return folder


def test_a_project_is_what_its_answers_file_says(tmp_path: Path) -> None:
    found = project.read(write(tmp_path, ANSWERS))
    assert (found.path, found.stack, found.version) == (tmp_path, "go", "v1.2.3")
    assert found.source == "~/.local/share/stackgen/templates.bundle"
    assert found.answers == {"name": "my-shop", "stack": "go", "decision": {"rule": "io"}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "broken"),
        ("- a\n- b\n", "broken"),
        ("", "broken"),
        ("1: 2\n", "broken"),
        ("a: !!python/object/apply:os.getcwd []\n", "broken"),
        (b"\xff\xfe\x00", "broken"),
        ("_src_path: gh:a/b\n_commit: v1\nname: x\n", "another template"),
        ("stack: go\n_commit: v1\n", "another template"),
        ("stack: [go]\n_src_path: x\n_commit: v1\n", "another template"),
        ("stack: go\n_src_path: x\n", "from which version"),
    ],
)
def test_what_is_no_project_of_ours_is_refused_in_one_line(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(DestinationError, match=says) as caught:
        project.read(write(tmp_path, text))
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_folder_without_an_answers_file_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "odd" / project.ANSWERS_FILE).mkdir(parents=True)
    for path in (tmp_path, tmp_path / "missing", tmp_path / "file", tmp_path / "odd"):
        with pytest.raises(DestinationError) as caught:
            project.read(path)
        assert caught.value.hint


@pytest.mark.parametrize("version", ["v1.10.0", "v2.0.0"])
def test_a_project_newer_than_every_release_at_hand_asks_for_an_upgrade(tmp_path: Path, version: str) -> None:
    found = project.read(write(tmp_path, ANSWERS.replace("v1.2.3", version)))
    with pytest.raises(SourceError, match=r"v1\.9\.0 is the newest") as caught:
        project.require_known(found, ("v1.2.3", "v1.9.0"))
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("version", ["v1.2.3", "v1.9.0", "v1.9.0-3-gabcdef0", "abcdef0", "1234567"])
def test_a_project_as_old_as_a_release_or_made_from_a_commit_is_fine(tmp_path: Path, version: str) -> None:
    found = project.read(write(tmp_path, ANSWERS.replace("v1.2.3", f'"{version}"')))
    project.require_known(found, ("v1.2.3", "v1.9.0"))
