"""Updates in surroundings that have cost people their work: settings, bytes, files outside git, kills, neighbours.

Each of these was seen to lose or to alter what the user had, or to end in a wrong word, before the merge was ours.
"""

import codecs
import json
import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from museum import git
from shops import NEW, SECOND, TEXT, P, Shop, open_apart, open_shop, releases, update_apart

from stackgen import cli, render
from stackgen.plan import Plan

LETTERS = string.ascii_letters.encode()
CODE = bytes.maketrans(LETTERS, codecs.encode(string.ascii_letters, "rot13").encode())
LATIN = "Café José".encode("latin-1")
Update = Callable[..., tuple[int, dict[str, object]]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return releases(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def shop(bundle: Path, tmp_path: Path) -> Shop:
    return open_shop(bundle, tmp_path / "shop")


@pytest.fixture
def update(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Update:
    """Update a project; give the exit code, and what was said, as data."""
    monkeypatch.delenv("STACKGEN_TEMPLATE", raising=False)

    def run(shop: Shop, *flags: str) -> tuple[int, dict[str, object]]:
        code = cli.run(["update", str(shop.path), "--json", *flags])
        said = json.loads(capsys.readouterr().out)
        return code, said.get("result") or said["error"]

    return run


def settings(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """Give the user settings of git's."""
    (folder / "gitconfig").write_text(f"[user]\n\tname = me\n\temail = me@here\n{text}", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))


def own(text: str) -> bytes:
    """Give a text of the template's with a line of one's own in it, some blanks at its end."""
    return text.replace("line 3\n", "line 3\nmine   \n").encode()


SETTINGS = {
    "whitespace": "[apply]\n\twhitespace = error\n",
    "attributes": "[core]\n\tattributesFile = {}/attributes\n",
    "merge-driver": '[core]\n\tattributesFile = {}/drivers\n[merge "lose"]\n\tdriver = true\n',
    "excludes": "[core]\n\texcludesFile = {}/excludes\n",
    "crlf": "[core]\n\tautocrlf = true\n",
    "hooks": "[core]\n\thooksPath = {}/hooks\n",
    "sign": "[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n",
    "diff": "[diff]\n\tnoprefix = true\n\texternal = false\n\trenames = false\n[color]\n\tui = always\n",
    "merge": "[merge]\n\trenames = false\n\tconflictStyle = diff3\n\tff = only\n[status]\n\tshowUntrackedFiles = no\n",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_of_gits_has_a_say(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shop.write("text.txt", own(TEXT))
    shop.save()
    (tmp_path / "attributes").write_text("*.txt -diff\n")
    (tmp_path / "drivers").write_text("* merge=lose\n")
    (tmp_path / "excludes").write_text("*.txt\n")
    (tmp_path / "hooks").mkdir()
    for hook in ("post-checkout", "post-index-change", "pre-commit", "reference-transaction"):
        (tmp_path / "hooks" / hook).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "hooks" / hook).chmod(0o755)
    settings(monkeypatch, tmp_path, SETTINGS[name].format(tmp_path))
    code, said = update_apart(shop)
    assert (code, said.get("conflicts")) == (0, [])
    assert shop.read("text.txt").replace(b"\r", b"") == own(NEW)
    assert (shop.path / "late/added.txt").exists()


def test_an_attribute_in_the_project_has_none_either(update: Update, shop: Shop) -> None:
    shop.write(".gitattributes", "*.txt merge=ours -diff\n*.json merge=union\n")
    shop.write("text.txt", own(TEXT))
    shop.save()
    assert update(shop)[0] == 0
    assert shop.read("text.txt") == own(NEW)


def test_line_ends_stay_as_the_project_wants_them(update: Update, shop: Shop) -> None:
    shop.write(".gitattributes", "*.txt text eol=crlf\n")
    shop.write("text.txt", own(TEXT))
    shop.save()
    shop.path.joinpath("text.txt").unlink()
    shop.git("checkout", "--", "text.txt")
    assert shop.read("text.txt") == own(TEXT).replace(b"\n", b"\r\n")
    assert update(shop)[0] == 0
    assert shop.read("text.txt") == own(NEW).replace(b"\n", b"\r\n")
    assert shop.read("late/added.txt") == b"added by 0.2.0\r\n"


def test_a_file_that_was_committed_with_other_line_ends_keeps_them(update: Update, shop: Shop) -> None:
    shop.write("text.txt", own(TEXT).replace(b"\n", b"\r\n"))
    shop.save()
    assert update(shop)[0] == 0
    assert shop.read("text.txt") == own(NEW).replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("rule", "has", "becomes"),
    [
        (
            "working-tree-encoding=UTF-16LE",
            own(TEXT).decode().encode("utf-16-le"),
            own(NEW).decode().encode("utf-16-le"),
        ),
        ("ident", own(TEXT) + b"$Id$\n", None),
        ("filter=coded", own(TEXT).translate(CODE), own(NEW).translate(CODE)),
    ],
)
def test_what_git_keeps_otherwise_than_it_stands_on_the_disk_is_merged_and_not_taken_for_lost(
    update: Update, shop: Shop, rule: str, has: bytes, becomes: bytes | None
) -> None:
    for way in ("clean", "smudge"):
        shop.git("config", f"filter.coded.{way}", "tr a-zA-Z n-za-mN-ZA-M")
    shop.write(".gitattributes", f"/text.txt {rule}\n")
    shop.write("text.txt", has)
    shop.save()
    assert update(shop)[0] == 0
    if becomes is None:  # `$Id$` holds the name of the content on the disk
        assert re.fullmatch(re.escape(own(NEW)) + rb"\$Id: [0-9a-f]+ \$\n", shop.read("text.txt"))
    else:
        assert shop.read("text.txt") == becomes


@pytest.mark.parametrize("kept_by", ["coded", "lfs"])
def test_what_nobody_has_touched_meets_no_change_though_a_filter_keeps_all_of_it_otherwise(
    update: Update, shop: Shop, tmp_path: Path, kept_by: str
) -> None:
    lfs(shop, tmp_path)
    for way in ("clean", "smudge"):
        shop.git("config", f"filter.coded.{way}", "tr a-zA-Z n-za-mN-ZA-M")
    shop.write(".gitattributes", f"*.txt filter={kept_by}\n")
    shop.git("add", "--renormalize", ".")
    shop.save()
    assert "line 3" not in shop.git("show", ":text.txt")
    (code, said), drifted = update(shop), shop.git("status", "--porcelain")
    assert (code, said["conflicts"]) == (0, [])
    assert (shop.read("text.txt"), shop.read("late/added.txt")) == (NEW.encode(), b"added by 0.2.0\n")
    assert " M .gitattributes" not in drifted
    shop.save()
    assert "added" not in shop.git("show", ":late/added.txt")
    assert update(shop, "--check")[0] == 0


def test_lines_that_a_filter_keeps_from_git_are_not_written_over(update: Update, shop: Shop) -> None:
    """Git calls the file unchanged, and could not bring them back: filters that strip secrets or outputs do so."""
    shop.git("config", "filter.strip.clean", "sed /secret/d")
    shop.git("config", "filter.strip.smudge", "cat")
    shop.write(".gitattributes", "*.txt filter=strip\n")
    shop.save()
    shop.write("text.txt", own(TEXT) + b"secret=1\n")
    shop.write("gone/dropped.txt", f"secret=2\n{TEXT}")
    shop.save()
    before = shop.files()
    code, said = update(shop)
    assert (code, said["details"]) == (3, {"files": ["gone/dropped.txt", "text.txt"]})
    assert shop.files() == before
    for name in said["details"]["files"]:  # type: ignore[index]  # as the hint says
        (shop.path / name).unlink()
        shop.git("checkout", "--", name)
    assert update(shop)[0] == 0
    assert shop.read("text.txt") == own(NEW)


LFS = """
import hashlib, pathlib, sys
store = pathlib.Path(__file__).parent
content, version = sys.stdin.buffer.read(), b"version https://git-lfs.github.com/spec/v1\\n"
name = hashlib.sha256(content).hexdigest()
if sys.argv[1] == "clean" and not content.startswith(version):
    (store / name).write_bytes(content)
    content = version + f"oid sha256:{name}\\nsize {len(content)}\\n".encode()
elif sys.argv[1] == "smudge" and content.startswith(version):
    content = (store / content.split(b":")[2][:64].decode()).read_bytes()
sys.stdout.buffer.write(content)
"""


def lfs(shop: Shop, folder: Path) -> None:
    (folder / "lfs").mkdir()
    (folder / "lfs/filter.py").write_text(LFS)
    for way in ("clean", "smudge"):
        shop.git("config", f"filter.lfs.{way}", f"{sys.executable} {folder}/lfs/filter.py {way}")


def test_a_text_that_git_lfs_keeps_stays_as_it_is_in_a_conflict(update: Update, shop: Shop, tmp_path: Path) -> None:
    """What git has of it is a pointer, in which no merge finds a line: that was merged with the template's text."""
    lfs(shop, tmp_path)
    shop.write(".gitattributes", "/text.txt filter=lfs -text\n/late/* filter=lfs -text\n")
    shop.write("text.txt", own(TEXT))
    shop.save()
    code, said = update(shop)
    assert (code, said["details"]["conflicts"]) == (5, ["text.txt"])  # type: ignore[index]
    assert (shop.read("text.txt"), shop.read("late/added.txt")) == (own(TEXT), b"added by 0.2.0\n")
    assert said["details"]["to_settle"][0]["theirs"] == NEW  # type: ignore[index]
    assert shop.git("cat-file", "--filters", ":3:text.txt") == NEW.strip()
    assert update(shop, "--abort")[0] == 0
    assert shop.git("status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["sh\nop", "two\nlines/shop"])
def test_a_folders_name_may_hold_an_end_of_line(update: Update, shop: Shop, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    shop.write("text.txt", own(TEXT))
    shop.edit("example/items.txt", "line 11", "line XI")
    moved = Shop(shop.path.rename(tmp_path / name), shop.bundle)
    code, said = update(moved)
    assert (code, said["details"]["conflicts"]) == (5, ["example/items.txt"])  # type: ignore[index]
    assert moved.read("text.txt") == own(NEW)


@pytest.mark.parametrize("name", ["tools.json", "example"])
def test_what_was_taken_out_of_git_and_ignored_is_left_alone(update: Update, shop: Shop, name: str) -> None:
    shop.git("rm", "-r", "--cached", "--quiet", name)
    shop.write(".gitignore", f"/{name}\n")
    shop.save()
    shop.write("tools.json" if name == "tools.json" else "example/orders.txt", "only here\n")
    before = {path: content for path, content in shop.files().items() if path.startswith(name)}
    assert update(shop)[0] == 0
    assert {path: content for path, content in shop.files().items() if path.startswith(name)} == before


@pytest.mark.parametrize("name", ["private.txt", "late"])
def test_a_private_file_where_a_release_adds_one_stays_and_is_named(update: Update, shop: Shop, name: str) -> None:
    shop.write(".gitignore", f"/{name}\n")
    shop.save()
    file = name if name == "private.txt" else "late/added.txt"
    shop.write(file, "SECRET=1\n")
    before = shop.files()
    code, said = update(shop)
    assert code == 3
    assert file in str(said["message"])
    assert said["hint"]
    assert shop.files() == before


def test_a_repository_of_ones_own_where_a_release_adds_a_file_is_not_written_into(update: Update, shop: Shop) -> None:
    shop.write(".gitignore", "/late\n")
    shop.save()
    shop.write("late/own.txt", "mine\n")
    git(shop.path / "late", "init", "--quiet")
    before = shop.files()
    code, said = update(shop)
    assert (code, said["details"], shop.files()) == (3, {"files": ["late/added.txt"]}, before)


def test_a_link_that_leads_out_of_the_project_is_not_followed(update: Update, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shop.write(".gitignore", "/late\n")
    shop.save()
    (shop.path / "late").symlink_to(tmp_path / "elsewhere")
    assert update(shop)[0] == 3
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
def test_changes_that_git_was_told_not_to_see_stay_and_are_named(update: Update, shop: Shop, flag: str) -> None:
    shop.git("update-index", flag, "text.txt")
    shop.write("text.txt", own(TEXT))
    code, said = update(shop)
    assert (code, shop.read("text.txt")) == (3, own(TEXT))
    assert "text.txt" in str(said["message"])


@pytest.mark.parametrize("content", [LATIN, b"\xff\xfe\xfd", "größer\u2028".encode(), b"form\ffeed\r\vtab"])
def test_bytes_stay_what_they_are(update: Update, shop: Shop, content: bytes) -> None:
    shop.write("text.txt", TEXT.encode().replace(b"line 3\n", b"line 3\n" + content + b"\n"))
    shop.save()
    assert update(shop)[0] == 0
    assert shop.read("text.txt") == NEW.encode().replace(b"line 3\n", b"line 3\n" + content + b"\n")


@pytest.mark.parametrize("content", [own(TEXT).decode().encode("utf-16"), own(TEXT) + b"\0\n"])
def test_what_is_no_text_is_never_replaced(update: Update, shop: Shop, content: bytes) -> None:
    shop.write("text.txt", content)
    shop.write("picture.bin", b"\0 mine\n")
    shop.save()
    code, said = update(shop)
    assert code == 5
    assert said["details"]["conflicts"] == ["picture.bin", "text.txt"]  # type: ignore[index]
    assert (shop.read("text.txt"), shop.read("picture.bin")) == (content, b"\0 mine\n")
    assert update(shop, "--abort")[0] == 0
    assert shop.git("status", "--porcelain") == ""


def test_names_that_are_no_text_come_through(update: Update, shop: Shop) -> None:
    name = os.fsdecode(LATIN + b".txt")
    shop.path.joinpath("text.txt").rename(shop.path / name)
    shop.write('a "b"\n\tc.txt', "odd\n")
    shop.save()
    assert update(shop)[0] == 0
    assert shop.read(name) == NEW.encode()


def test_a_folder_that_became_a_submodule_keeps_its_files(update: Update, shop: Shop, tmp_path: Path) -> None:
    shutil.copytree(shop.path / "example", tmp_path / "example")
    git(tmp_path / "example", "init", "--quiet")
    git(tmp_path / "example", "add", "--all")
    git(tmp_path / "example", "commit", "--quiet", "--message=Ours")
    shop.git("rm", "-r", "--quiet", "example")
    shop.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "example"), "example")
    shop.save()
    before = shop.files()
    code, said = update(shop)
    assert code == 0
    assert {n: c for n, c in shop.files().items() if n.startswith("example/")} == {
        n: c for n, c in before.items() if n.startswith("example/")
    }
    assert "example/more.txt" in said["deleted"]  # type: ignore[operator]


def test_a_renamed_file_gets_the_templates_changes(update: Update, shop: Shop) -> None:
    shop.git("mv", "text.txt", "words.txt")
    shop.write("words.txt", own(TEXT))
    shop.save()
    assert update(shop)[0] == 0
    assert shop.read("words.txt") == own(NEW)
    assert not (shop.path / "text.txt").exists()


def test_a_renamed_folder_gets_them_and_the_new_files(update: Update, shop: Shop) -> None:
    shop.git("mv", "example", "orders")
    shop.save()
    assert update(shop)[0] == 0
    assert shop.read("orders/orders.txt") == f"orders\n{NEW}".encode()
    assert shop.read("orders/more.txt") == b"added to the example\n"
    assert not (shop.path / "example").exists()


def test_an_example_that_was_deleted_does_not_come_back(update: Update, shop: Shop) -> None:
    shop.git("rm", "-r", "--quiet", "example")
    shop.save()
    code, said = update(shop)
    assert code == 0
    assert not (shop.path / "example").exists()
    assert said["deleted"] == ["example/items.txt", "example/more.txt", "example/orders.txt"]


def test_what_somebody_wrote_in_the_place_of_an_example_gets_none_of_its_new_files(update: Update, shop: Shop) -> None:
    """One file of the example was taken over; that is no reason to take its folder for renamed."""
    items = shop.read("example/items.txt")
    shop.git("rm", "--quiet", "-r", "example")
    shop.write("menu/items.txt", items)
    shop.save()
    code, said = update(shop)
    assert (code, said["deleted"]) == (0, ["example/more.txt", "example/orders.txt"])
    assert sorted(name for name in shop.files() if name.startswith(("menu", "example"))) == ["menu/items.txt"]


def test_a_file_that_became_a_folder_or_the_other_way_round_stays_so(update: Update, shop: Shop) -> None:
    shop.git("rm", "-r", "--quiet", "text.txt", "example")
    shop.write("text.txt/part.txt", "part\n")
    shop.write("example", "a file now\n")
    shop.save()
    assert update(shop)[0] == 0
    assert (shop.read("text.txt/part.txt"), shop.read("example")) == (b"part\n", b"a file now\n")


def test_a_file_of_ones_own_where_the_template_wants_a_folder_is_named(update: Update, shop: Shop) -> None:
    shop.write("late", "mine\n")
    shop.save()
    code, said = update(shop)
    assert (code, shop.read("late")) == (3, b"mine\n")
    assert "late/added.txt" in str(said["message"])


def test_the_template_may_turn_a_file_into_a_folder_and_a_folder_into_a_file(update: Update, tmp_path: Path) -> None:
    second = {**SECOND, f"{P}/turns": None, f"{P}/turns/inner.txt": "inner\n"}
    second |= {f"{P}/gone/dropped.txt": None, f"{P}/gone": "a file now\n"}
    shop = open_shop(releases(tmp_path, second), tmp_path / "shop")
    before = shop.files()
    code, said = update(shop)
    assert code == 0, said
    assert (shop.read("turns/inner.txt"), shop.read("gone")) == (b"inner\n", b"a file now\n")
    assert update(shop, "--abort")[0] == 0
    assert shop.files() == before


def test_a_file_that_the_template_moves_takes_the_edits_along(update: Update, tmp_path: Path) -> None:
    second = {**SECOND, f"{P}/text.txt": None, f"{P}/docs/text.txt": NEW}
    shop = open_shop(releases(tmp_path, second), tmp_path / "shop")
    shop.write("text.txt", own(TEXT))
    shop.save()
    assert update(shop)[0] == 0
    assert shop.read("docs/text.txt") == own(NEW)
    assert not (shop.path / "text.txt").exists()


def test_a_generated_file_is_replaced_or_kept_and_named_with_its_command(update: Update, shop: Shop) -> None:
    shop.write("package-lock.json", '{\n  "lock": "mine"\n}\n')
    shop.write("go.sum", "a v1\nb v1\nc v1\n")
    shop.save()
    code, said = update(shop)
    assert code == 0
    assert shop.read("package-lock.json") == b'{\n  "lock": "mine"\n}\n'
    assert shop.read("go.sum") == b"a v1\na v2\nb v1\nc v1\n"
    assert {"path": "package-lock.json", "command": "npm install"} in said["generated"]  # type: ignore[operator]


def test_a_generated_file_that_nobody_touched_is_replaced(update: Update, shop: Shop) -> None:
    code, said = update(shop)
    assert (code, said["generated"]) == (0, [])
    assert shop.read("package-lock.json") == b'{\n  "lock": 2\n}\n'


@pytest.mark.parametrize("name", ["sha256", "sha1"])
def test_the_object_format_is_the_users_business(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", name)
    shop = open_apart(bundle, tmp_path / "shop")
    assert shop.git("rev-parse", "--show-object-format") == name
    shop.write("text.txt", own(TEXT))
    shop.edit("example/items.txt", "line 11", "line XI")
    code, said = update_apart(shop)
    assert (code, said["details"]["conflicts"]) == (5, ["example/items.txt"])
    assert shop.read("text.txt") == own(NEW)


def test_a_repository_of_somebody_elses_is_called_that(
    update: Update, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    code, said = update(shop)
    assert code == 3
    assert "dubious ownership" in str(said["message"])
    assert "safe.directory" in str(said["hint"])


def test_a_repository_that_git_cannot_read_is_called_that(update: Update, shop: Shop) -> None:
    with (shop.path / ".git/config").open("a", encoding="utf-8") as file:
        file.write("[core\n")
    code, said = update(shop)
    assert code == 3
    assert "bad config" in str(said["message"])


@pytest.mark.parametrize("what", ["merge", "rebase", "cherry-pick", "revert", "bisect", "revert of several"])
def test_a_project_in_the_middle_of_something_is_refused(update: Update, shop: Shop, what: str) -> None:
    commands = {
        "merge": ["merge", "--no-ff", "--no-commit", "other"],
        "rebase": ["rebase", "--exec", "false", "HEAD~1"],
        "cherry-pick": ["cherry-pick", "--no-commit", "other"],
        "revert": ["revert", "--no-commit", "HEAD"],
        "bisect": ["bisect", "start", "HEAD", "start"],
        "revert of several": ["status"],
    }
    shop.git("branch", "start")
    shop.write("mine.txt", "mine\n")
    shop.save()
    shop.git("checkout", "--quiet", "-b", "other", "start")
    shop.write("other.txt", "other\n")
    shop.save()
    shop.git("checkout", "--quiet", "main")
    with pytest.raises(subprocess.CalledProcessError) if what == "rebase" else _nothing():
        shop.git(*commands[what])
    if what == "cherry-pick":
        (shop.path / ".git/CHERRY_PICK_HEAD").write_text(shop.git("rev-parse", "other") + "\n")
    if what == "revert of several":  # one of them was settled and committed, others are to come
        (shop.path / ".git/sequencer").mkdir()
    code, said = update(shop)
    assert code == 3
    assert what in str(said["message"])


class _nothing:  # noqa: N801 - a context that expects nothing
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_an_old_git_is_told_apart_and_makes_new_projects_all_the_same(
    update: Update, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("git")
    (tmp_path / "bin").mkdir()
    words = f'case "$*" in *version) echo git version 2.34.1;; *merge-tree*) exit 129;; *) exec {real} "$@";; esac'
    (tmp_path / "bin/git").write_text(f"#!/bin/sh\n{words}\n")
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    shop = open_apart(bundle, tmp_path / "shop")
    code, said = update(shop)
    assert code == 4
    assert "2.38" in str(said["message"])
    assert "2.34.1" in str(said["message"])


def test_a_repository_without_a_commit_is_refused(update: Update, shop: Shop) -> None:
    shop.git("update-ref", "-d", "HEAD")
    code, said = update(shop)
    assert code == 3
    assert "no commit" in str(said["message"])


def test_a_work_tree_beside_the_repository_updates(update: Update, shop: Shop, tmp_path: Path) -> None:
    shop.git("worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "tree")
    beside = Shop(tmp_path / "tree", shop.bundle)
    beside.write("text.txt", own(TEXT))
    beside.edit("example/items.txt", "line 11", "line XI")
    assert update(beside)[0] == 5
    assert beside.read("text.txt") == own(NEW)
    assert git(beside.path, "diff", "--name-only", "--diff-filter=U") == "example/items.txt"
    assert shop.git("status", "--porcelain") == ""


def test_a_shallow_clone_updates(update: Update, shop: Shop, tmp_path: Path) -> None:
    shop.write("text.txt", own(TEXT))
    shop.save()
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{shop.path}", str(tmp_path / "clone"))
    assert update(Shop(tmp_path / "clone", shop.bundle))[0] == 0
    assert (tmp_path / "clone/text.txt").read_bytes() == own(NEW)


def test_a_neighbour_in_the_same_repository_is_never_touched(update: Update, bundle: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/work.txt").write_text("committed\n")
    made = render.generate(Plan(str(bundle), "v0.1.0", tmp_path / "shop", {"name": "shop", "stack": "demo"}))
    shop = Shop(made.project.path, bundle)
    shop.write("text.txt", TEXT.replace("line 11", "line XI"))
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message=All")
    (tmp_path / "other/work.txt").write_text("uncommitted\n")
    (tmp_path / "other/new.txt").write_text("new\n")
    before = shop.files()
    code, said = update(shop)
    assert code == 5
    assert "reset --hard" not in str(said["hint"])
    assert shop.read("late/added.txt") == b"added by 0.2.0\n"
    assert update(shop, "--abort")[0] == 0
    assert shop.files() == before
    assert (tmp_path / "other/work.txt").read_text() == "uncommitted\n"
    assert git(tmp_path, "status", "--porcelain") == "M other/work.txt\n?? other/new.txt"


def test_a_project_inside_a_project_is_not_touched_for_what_was_deleted_beside_it(
    update: Update, bundle: Path, tmp_path: Path, shop: Shop
) -> None:
    open_shop(bundle, tmp_path / "inner")
    shutil.rmtree(tmp_path / "inner/.git")
    (tmp_path / "inner").rename(shop.path / "services")
    (shop.path / "text.txt").unlink()
    shutil.rmtree(shop.path / "example")
    shop.save()
    before = shop.files()
    code, said = update(shop)
    assert code == 0
    assert {n: c for n, c in shop.files().items() if n.startswith("services/")} == {
        n: c for n, c in before.items() if n.startswith("services/")
    }
    assert {"text.txt", "example/more.txt"} <= set(said["deleted"])  # type: ignore[call-overload]


def test_a_new_file_that_is_ignored_is_named_since_adding_all_would_leave_it_out(
    update: Update, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "excludes").write_text("private.txt\n")
    settings(monkeypatch, tmp_path, f"[core]\n\texcludesFile = {tmp_path}/excludes\n")
    shop.write(".gitignore", "late/\n")
    shop.save()
    assert update(shop, "--plan")[1]["ignored"] == ["late/added.txt", "private.txt"]
    assert update(shop)[1]["ignored"] == ["late/added.txt", "private.txt"]
    assert update(shop, "--abort")[0] == 0
    assert cli.run(["update", str(shop.path)]) == 0


def test_the_folder_for_temporary_files_may_have_any_name(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'a:b "c" \\d').mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / 'a:b "c" \\d'))
    assert update_apart(shop)[0] == 0
    assert shop.read("text.txt") == NEW.encode()


def test_two_updates_at_once_do_not_undo_each_other(shop: Shop) -> None:
    shop.write("text.txt", own(TEXT))
    shop.save()
    words = [sys.executable, "-m", "stackgen", "update", str(shop.path)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    said = [process.communicate(timeout=600) for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes == [0, 3], said
    assert shop.read("text.txt") == own(NEW)
    assert (shop.path / "late/added.txt").exists()


def test_a_project_updates_where_its_home_folder_cannot_be_written_to(
    update: Update, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = "~/.local/share/stackgen/templates.bundle"
    shop.edit(".copier-answers.yml", str(shop.bundle), recorded)
    (tmp_path / "home").write_text("no folder")
    (tmp_path / "data").mkdir()
    shutil.copy(shop.bundle, tmp_path / "data/templates.bundle")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STACKGEN_DATA_DIR", str(tmp_path / "data"))
    code, said = update(shop)
    assert code == 0, said
    assert f"_src_path: {recorded}\n".encode() in shop.read(".copier-answers.yml")
    assert said["given_up"] == []
