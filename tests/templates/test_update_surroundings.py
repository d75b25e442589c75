"""What `test_update_hostile.py` tries on a toy is tried around real projects: each surrounding around another stack's.

The project is the newest release's, what it meets is an ordinary release. Its owner has written a line into a file that
the release changes; around that stands what has cost people their work. The witness sees files as git keeps them, and
an update that is taken back has to leave each byte on the disk as it was.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grounds
import pytest
import witness
from grounds import Ground
from museum import ROOT, git
from sizes import seed

from stackgen import questions, update
from stackgen.errors import DestinationError

# node-ts is what most other tests of updates are about.
STACKS = [stack for stack in questions.read(ROOT).stacks() if stack != "node-ts"]
MINE = b"# mine, and nobody else's   "
KILLS = 5


@dataclass(frozen=True)
class Around:
    """A project and what stands around it; `changes` are texts that the release changes, `adds` what it adds."""

    shop: Path
    folder: Path
    changes: list[str]
    adds: list[str]
    setenv: Callable[[str, str], None]

    def path(self, number: int = 0) -> Path:
        return self.shop / self.changes[number]

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.shop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def rule(self, rule: str) -> None:
        """Add a line to the project's attributes."""
        path = self.shop / ".gitattributes"
        self.write(".gitattributes", path.read_bytes() + f"\n{rule}\n".encode())

    def git(self, *words: str) -> str:
        return git(self.shop, *words)

    def save(self) -> None:
        self.git("-c", "core.safecrlf=false", "add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=Mine")

    def config(self, **values: str) -> None:
        for key, value in values.items():
            self.git("config", key.replace("__", "."), value)


def add_line(path: Path, line: bytes = MINE) -> None:
    """Put a line at the end, where the release changes nothing."""
    path.write_bytes(path.read_bytes().rstrip(b"\n") + b"\n" + line + b"\n")


Arrange = Callable[[Around], object]
UPDATED: dict[str, Arrange] = {}
REFUSED: dict[str, Arrange] = {}


def updated(arrange: Arrange) -> Arrange:
    """Name what an update goes through; what comes back are the files in conflict, if there are any."""
    UPDATED[arrange.__name__] = arrange
    return arrange


def refused(arrange: Arrange) -> Arrange:
    """Name what an update refuses; what comes back is what it has to name."""
    REFUSED[arrange.__name__] = arrange
    return arrange


@updated
def settings_of_gits(around: Around) -> None:
    around.save()
    hooks = around.folder / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        (hooks / hook).write_text("#!/bin/sh\nexit 1\n")
        (hooks / hook).chmod(0o755)
    (around.folder / "drivers").write_text("* merge=lose -diff\n")
    (around.folder / "excludes").write_text("*\n")
    (around.folder / "gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tattributesFile = {around.folder}/drivers\n"
        f"\texcludesFile = {around.folder}/excludes\n\tbigFileThreshold = 1\n\tquotePath = true\n\tsplitIndex = true\n"
        '[apply]\n\twhitespace = error\n[merge "lose"]\n\tdriver = true\n[commit]\n\tgpgSign = true\n'
        "[diff]\n\tnoprefix = true\n\texternal = false\n\trenames = false\n[color]\n\tui = always\n"
        "[merge]\n\trenames = false\n\tconflictStyle = diff3\n[status]\n\tshowUntrackedFiles = no\n"
        "[i18n]\n\tcommitEncoding = ISO-8859-1\n\tlogOutputEncoding = UTF-16\n[feature]\n\tmanyFiles = true\n"
    )
    around.setenv("GIT_CONFIG_GLOBAL", str(around.folder / "gitconfig"))


@updated
def attributes_in_the_project(around: Around) -> None:
    around.rule("* merge=ours -diff")
    around.save()


@updated
def carriage_returns_on_the_disk(around: Around) -> None:
    around.write(".gitattributes", "* text=auto eol=crlf\n")
    around.save()
    for name in around.git("ls-files").splitlines():
        (around.shop / name).unlink()
    around.git("checkout", "--quiet", "--", ".")


@updated
def carriage_returns_in_git(around: Around) -> None:
    around.path(1).write_bytes(around.path(1).read_bytes().replace(b"\n", b"\r\n"))
    around.save()
    around.config(core__autocrlf="true", core__safecrlf="true")


@updated
def bytes_that_are_no_text(around: Around) -> None:
    add_line(around.path(1), "Café José".encode("latin-1"))
    add_line(around.path(2), "größer\u2028\x0b\x0c\x85".encode())
    around.path(3).write_bytes(b"\xef\xbb\xbf" + around.path(3).read_bytes() + b"# no end of line")
    add_line(around.path(4), b"#" * 1_000_000)
    around.save()


@updated
def no_text_at_all(around: Around) -> set[str]:
    around.path(1).write_bytes(around.path(1).read_bytes().decode().encode("utf-16"))
    # Git looks for a NUL in the first 8,000 bytes alone.
    around.path(2).write_bytes(b"\0\n" + around.path(2).read_bytes())
    around.save()
    return set(around.changes[1:3])


@updated
def files_that_git_keeps_otherwise(around: Around) -> None:
    around.config(filter__coded__clean="tr a-z n-za-m", filter__coded__smudge="tr a-z n-za-m")
    around.rule(f"/{around.changes[0]} ident")
    add_line(around.path(), b"# $Id$")
    around.rule(f"/{around.changes[1]} working-tree-encoding=UTF-16LE")
    around.path(1).write_bytes(around.path(1).read_bytes().decode().encode("utf-16-le"))
    around.rule(f"/{around.changes[2]} filter=coded")
    around.save()
    for name in (around.changes[0], around.changes[2]):
        (around.shop / name).unlink()
        around.git("checkout", "--", name)


@updated
def files_that_are_ignored_by_now(around: Around) -> None:
    around.git("rm", "--cached", "--quiet", around.changes[1])
    around.write(".gitignore", (around.shop / ".gitignore").read_text() + f"/{around.changes[1]}\n")
    around.save()
    around.write(around.changes[1], "only here\n")


@updated
def a_folder_that_became_a_submodule(around: Around) -> None:
    folders = (name.rpartition("/")[0] for name in around.changes[1:] if "/" in name)
    folder = next(each for each in folders if not around.changes[0].startswith(f"{each}/"))
    shutil.copytree(around.shop / folder, around.folder / "sub")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=Ours")):
        git(around.folder / "sub", *words)
    around.git("rm", "-r", "--quiet", folder)
    shutil.rmtree(around.shop / folder, ignore_errors=True)
    allow = ("-c", "protocol.file.allow=always")
    around.git(*allow, "submodule", "--quiet", "add", str(around.folder / "sub"), folder)
    around.save()


@updated
def new_names(around: Around) -> None:
    """Names that are patterns to git, that hold an end of line, that differ in case alone; a file become a link."""
    for number, new in ((1, ":(icase)*"), (2, 'new\n"line"'), (3, around.changes[3].swapcase())):
        (around.shop / new).parent.mkdir(parents=True, exist_ok=True)
        around.git("mv", around.changes[number], f"./{new}")
    around.path(4).rename(around.shop / "real")
    around.path(4).symlink_to(os.path.relpath(around.shop / "real", around.path(4).parent))
    around.save()


@updated
def files_and_folders_exchanged(around: Around) -> None:
    around.path(1).unlink()
    around.write(f"{around.changes[1]}/inside", "a folder now\n")
    folders = (name.rpartition("/")[0] for name in around.changes[2:] if "/" in name)
    folder = next(each for each in folders if not around.changes[0].startswith(f"{each}/"))
    shutil.rmtree(around.shop / folder)
    around.write(folder, "a file now\n")
    around.save()


@updated
def other_modes_and_empty_files(around: Around) -> set[str]:
    for number in (1, 2):
        around.path(number).chmod(0o755)
    around.path(3).write_bytes(b"")
    around.write("empty", "")
    around.save()
    around.path(4).chmod(0o444)
    return {around.changes[3]}


@updated
def sha256(around: Around) -> None:
    shutil.rmtree(around.shop / ".git")
    around.git("init", "--quiet", "--object-format=sha256")
    around.save()


@updated
def a_larger_repository_with_others_work(around: Around) -> None:
    shutil.rmtree(around.shop / ".git")
    top = around.shop.parent
    git(top, "init", "--quiet")
    (top / "other.txt").write_text("committed\n")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message=All")
    (top / "other.txt").write_text("not committed\n")


@updated
def a_work_tree_on_a_bare_repository(around: Around) -> None:
    around.save()
    git(around.folder, "clone", "--quiet", "--bare", str(around.shop), "bare.git")
    shutil.rmtree(around.shop)
    git(around.folder / "bare.git", "worktree", "add", "--quiet", str(around.shop), "-b", "tree")


@updated
def a_shallow_and_partial_clone(around: Around) -> None:
    around.save()
    around.config(uploadpack__allowFilter="true", uploadpack__allowAnySHA1InWant="true")
    around.shop.rename(around.folder / "upstream")
    words = ("--quiet", "--depth=1", "--filter=blob:none", f"file://{around.folder}/upstream")
    git(around.folder, "clone", *words, str(around.shop))


@updated
def replaced_and_grafted_objects(around: Around) -> None:
    around.save()
    around.write("other", "something else\n")
    other = around.git("hash-object", "-w", "other")
    (around.shop / "other").unlink()
    around.git("replace", around.git("rev-parse", f"HEAD:{around.changes[0]}"), other)
    (around.shop / ".git/info").mkdir(exist_ok=True)
    (around.shop / ".git/info/grafts").write_text(f"{around.git('rev-parse', 'HEAD')}\n")


@refused
def a_private_file_in_the_way(around: Around) -> str:
    around.write(".git/info/exclude", f"/{around.adds[0]}\n")
    around.save()
    around.write(around.adds[0], "SECRET=1\n")
    return around.adds[0]


@refused
def changes_that_git_was_told_not_to_see(around: Around) -> str:
    around.save()
    around.git("update-index", "--skip-worktree", around.changes[1])
    add_line(around.path(1))
    return around.changes[1]


@refused
def a_sparse_checkout(around: Around) -> str:
    around.save()
    around.git("sparse-checkout", "set", "--cone", "--sparse-index", "docs")
    return next(name for name in around.changes if "/" in name and not name.startswith("docs/"))


@refused
def lines_that_a_filter_leaves_out(around: Around) -> str:
    around.config(filter__strip__clean="sed /secret/d", filter__strip__smudge="cat")
    around.rule(f"/{around.changes[1]} filter=strip")
    add_line(around.path(1), b"# secret")
    around.save()
    return around.changes[1]


@refused
def a_monitor_that_sees_nothing(around: Around) -> str:
    around.save()
    (around.folder / "monitor").write_text("#!/bin/sh\nprintf 'token\\0'\n")
    (around.folder / "monitor").chmod(0o755)
    around.config(core__fsmonitor=str(around.folder / "monitor"), core__untrackedCache="true")
    around.git("update-index", "--fsmonitor")
    around.git("status")
    add_line(around.path(1))
    return "uncommitted"


@refused
def a_merge_on_its_way(around: Around) -> str:
    around.save()
    around.write(".git/MERGE_HEAD", around.git("rev-parse", "HEAD") + "\n")
    return "merge"


def lay_around(ground: Ground, folder: Path, setenv: Callable[[str, str], None]) -> Around:
    """Copy the project into a folder whose name holds an end of line, with a line of its owner's in the first text."""
    old, new = witness.files(ground.old), witness.files(ground.new)
    texts = [
        name
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
        and old[name].content.count(b"\n") > 50
        # A line at the end meets nothing of the release's.
        and old[name].content.splitlines()[-9:] == new[name].content.splitlines()[-9:]
        # What is generated or holds pins has rules of its own.
        and re.search(r"\.(py|ts|go|md)$", name)
    ]
    shop = folder / "two\nlines" / "my-shop"
    shutil.copytree(ground.pristine, shop, symlinks=True)
    adds = sorted(name for name in new.keys() - old.keys() if "/" in name)
    around = Around(shop, folder, texts, adds, setenv)
    add_line(around.path())
    return around


def turns(cases: Mapping[str, Arrange]) -> list[object]:
    """Give each case its stack, one after the other."""
    return [
        pytest.param(STACKS[place % len(STACKS)], name, id=f"{name}-{STACKS[place % len(STACKS)]}")
        for place, name in enumerate(cases)
    ]


@pytest.mark.full
@pytest.mark.parametrize(("stack", "name"), turns(UPDATED))
def test_an_update_goes_through_and_can_be_taken_back(
    ground: Callable[[str], Ground], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: str, name: str
) -> None:
    around = lay_around(ground(stack), tmp_path, monkeypatch.setenv)
    conflicts = UPDATED[name](around) or set()
    had, said = witness.files(around.shop), git(around.shop, "status", "--porcelain")
    complaints, told = grounds.updated(ground(stack), around.shop, tmp_path, witness.kept)
    assert (complaints, set(told.conflicts)) == ([], conflicts)
    assert MINE in b"\n".join(held.content for held in witness.kept(around.shop).values())
    assert witness.files(around.shop) != had
    update.take_back(around.shop)
    assert witness.files(around.shop) == had
    assert git(around.shop, "status", "--porcelain") == said


@pytest.mark.full
@pytest.mark.parametrize(("stack", "name"), turns(REFUSED))
def test_an_update_is_refused_and_touches_nothing(
    ground: Callable[[str], Ground], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: str, name: str
) -> None:
    around = lay_around(ground(stack), tmp_path, monkeypatch.setenv)
    names = str(REFUSED[name](around))
    had = witness.files(around.shop)
    with pytest.raises(DestinationError) as caught:
        grounds.updated(ground(stack), around.shop, tmp_path, witness.files)
    assert names in caught.value.message
    assert caught.value.hint
    assert witness.files(around.shop) == had


@pytest.mark.full
def test_killed_or_out_of_disk_a_real_project_is_whole_or_resumes(
    ground: Callable[[str], Ground], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = lay_around(ground(STACKS[seed() % len(STACKS)]), tmp_path, monkeypatch.setenv)
    no_text_at_all(around)
    (tmp_path / "work").mkdir()
    words = [sys.executable, str(Path(__file__).with_name("killing.py")), str(around.shop), str(tmp_path / "work")]
    done = subprocess.run([*words, str(seed()), str(KILLS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (len(lines), [line for line in lines if not line.endswith("whole")]) == (KILLS, []), f"seed {seed()}"
