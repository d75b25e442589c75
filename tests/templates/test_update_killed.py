"""An update that is killed, runs out of disk or would lose something is whole, or can be ended, or never was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from shops import NEW, TEXT, Shop, open_shop, releases
from sizes import is_release, seed

from stackgen import journal, merge, project, update
from stackgen.errors import DestinationError, LossError
from stackgen.repository import Entry, Tree

# Of five, the last has its disk full: before a release fifty and more are killed.
MOMENTS = 65 if is_release() else 15
OWN = TEXT.replace("line 3\n", "line 3\nmine\n")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = open_shop(releases(tmp_path / "toy"), tmp_path / "shop")
    made.write("text.txt", OWN)
    made.edit("example/items.txt", "line 11", "line XI")
    return made


def test_killed_at_any_moment_it_can_be_ended_or_taken_back(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    words = [sys.executable, str(Path(__file__).with_name("killing.py")), str(shop.path), str(tmp_path / "work")]
    done = subprocess.run([*words, str(seed()), str(MOMENTS)], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(lines) == MOMENTS
    assert [line for line in lines if not line.endswith("whole")] == [], f"seed {seed()}"


FULL = """
mount -t tmpfs -o size=8m none "$1" && cp -a "$2" "$1/shop" && cd "$1" || exit 99
free=$(df --output=avail -k . | tail -1)
head -c $(( (free - $3) * 1024 )) /dev/zero > fill
"$4" -m stackgen update shop --json
echo $? >&2
rm fill
git -C shop status --porcelain >&2
diff --recursive --exclude .git "$2" shop >&2
"""


@pytest.mark.parametrize("kilobytes", [0, 8, 32])
def test_a_disk_that_is_full_leaves_the_project_as_it_was_and_is_called_that(
    shop: Shop, tmp_path: Path, kilobytes: int
) -> None:
    (tmp_path / "small").mkdir()
    words = ["sh", "-c", FULL, "sh", str(tmp_path / "small"), str(shop.path), str(kilobytes), sys.executable]
    for alone in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0:
            done = subprocess.run([*alone, *words], capture_output=True, text=True, check=False)
            break
    else:
        pytest.skip("this machine lets nobody mount anything")
    assert done.stderr == "3\n", done
    hint = json.loads(done.stdout)["error"]["hint"]
    assert "room" in hint or "space" in hint


def interrupt(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave an update half written, as a killed process does."""

    class Killed(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Killed

    place = journal.place
    placed = []

    def once(*arguments: Path) -> None:
        if placed:
            raise Killed
        placed.append(arguments)
        place(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(journal, "place", once)
        patch.setattr(journal, "take_back", stop)
        with pytest.raises(Killed):
            update.run(project.read(shop.path), {}, {})


def test_the_next_command_says_that_an_update_was_interrupted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(shop, monkeypatch)
    with pytest.raises(DestinationError, match="interrupted") as caught:
        update.run(project.read(shop.path), {}, {})
    assert "--continue" in caught.value.hint
    assert "--abort" in caught.value.hint
    update.end(shop.path)
    assert shop.read("text.txt") == NEW.replace("line 3\n", "line 3\nmine\n").encode()


@pytest.mark.parametrize("leave", [update.end, update.take_back])
def test_what_was_written_since_it_was_interrupted_is_put_aside(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, leave: object
) -> None:
    interrupt(shop, monkeypatch)
    shop.write("text.txt", "written in between\n")
    ended = leave(shop.path)  # type: ignore[operator]
    (line,) = ended.put_aside
    name, _, place = line.partition(": ")
    assert (name, Path(place).read_text()) == ("text.txt", "written in between\n")


@pytest.mark.parametrize("leave", [update.end, update.take_back])
def test_an_interrupted_update_is_not_written_over_another_commit(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, leave: object
) -> None:
    before = shop.files()
    interrupt(shop, monkeypatch)
    shop.save()
    shop.write("text.txt", "a later commit\n")
    shop.save()
    with pytest.raises(DestinationError, match="another commit is checked out") as caught:
        leave(shop.path)  # type: ignore[operator]
    assert shop.read("text.txt") == b"a later commit\n"
    (began,) = {word.strip(",;") for word in caught.value.hint.split() if len(word.strip(",;")) == 12}
    shop.git("reset", "--quiet", "--soft", began)
    leave(shop.path)  # type: ignore[operator]
    assert (shop.files() == before) is (leave is update.take_back)


def test_an_interrupted_update_of_which_nothing_is_left_elsewhere_is_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.git("checkout", "--quiet", "-b", "other")
    shop.edit("text.txt", "line 1\n", "line of another branch\n")
    before = shop.files()
    shop.git("checkout", "--quiet", "main")
    interrupt(shop, monkeypatch)
    shop.git("stash", "--quiet", "--include-untracked")
    shop.git("checkout", "--quiet", "other")
    assert update.take_back(shop.path).put_aside == ()
    assert (shop.files(), shop.git("status", "--porcelain")) == (before, "")
    assert "late/added.txt" in update.run(project.read(shop.path), {}, {}).of("added")


def test_an_update_can_be_taken_back_until_it_is_committed(shop: Shop) -> None:
    before = shop.files()
    update.run(project.read(shop.path), {}, {})
    shop.git("add", "--all")
    update.take_back(shop.path)
    assert (shop.files(), shop.git("status", "--porcelain")) == (before, "")
    with pytest.raises(DestinationError, match="no update"):
        update.take_back(shop.path)
    update.run(project.read(shop.path), {}, {})
    assert shop.git("rev-parse", "refs/stackgen/before-update") == shop.git("rev-parse", "HEAD")
    shop.save()
    with pytest.raises(DestinationError, match="no update"):
        update.take_back(shop.path)


def test_a_merge_that_loses_a_line_is_found_out_and_writes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = merge.Store.merge

    def careless(store: merge.Store, base: Tree, ours: Tree, theirs: Tree) -> merge.Merged:
        merged = honest(store, base, ours, theirs)
        lost = store.blob(merged.tree["text.txt"]).replace(b"mine\n", b"")
        merged.tree["text.txt"] = Entry("100644", store.put(lost))
        return merged

    monkeypatch.setattr(merge.Store, "merge", careless)
    before = shop.files()
    with pytest.raises(LossError, match=r"line 4 of text\.txt: 'mine'") as caught:
        update.run(project.read(shop.path), {}, {})
    assert caught.value.exit_code == 1
    assert (shop.files(), shop.git("status", "--porcelain")) == (before, "")


@pytest.mark.parametrize("stranger", [False, True])
def test_a_project_that_is_not_as_planned_is_put_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, stranger: bool
) -> None:
    honest = journal.go_on

    def careless(*arguments: object) -> tuple[str, ...]:
        aside = honest(*arguments)  # type: ignore[arg-type]
        shop.write("shared.txt" if stranger else "text.txt", "")
        return aside

    monkeypatch.setattr(journal, "go_on", careless)
    before = shop.files()
    with pytest.raises(LossError, match=r"shared\.txt" if stranger else r"text\.txt"):
        update.run(project.read(shop.path), {}, {})
    assert {**shop.files(), "shared.txt": b""} == {**before, "shared.txt": b""}


@pytest.mark.parametrize("commits", [False, True])
def test_what_somebody_does_while_an_update_is_prepared_is_not_written_over(shop: Shop, commits: bool) -> None:
    """A filter is run while the update is prepared; here it takes lines out of another file, and may commit that."""
    away = 'cat; cd "{}"; unset GIT_INDEX_FILE GIT_DIR GIT_WORK_TREE; sed -i 5,7d text.txt; {}'
    commit = "git -c user.name=me -c user.email=me@here commit --quiet --all --message=Meanwhile"
    shop.git("config", "filter.away.smudge", away.format(shop.path, commit if commits else "true"))
    shop.write(".gitattributes", "late/added.txt filter=away\n")
    shop.save()
    before, made = shop.files(), project.read(shop.path)
    left = "".join(line for number, line in enumerate(OWN.splitlines(keepends=True), 1) if number not in range(5, 8))
    with pytest.raises(DestinationError, match="another commit" if commits else "uncommitted"):
        update.run(made, {}, {})
    assert shop.files() == {**before, "text.txt": left.encode()}


def test_what_somebody_writes_while_an_update_is_written_is_put_aside_and_named(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, before, once = journal.place, shop.files(), iter(["written meanwhile\n"])

    def place(source: Path, folder: Path, path: str) -> None:
        for text in once:
            shop.write("text.txt", text)
        honest(source, folder, path)

    monkeypatch.setattr(journal, "place", place)
    with pytest.raises(DestinationError, match=r"put aside: text\.txt: ") as caught:
        update.run(project.read(shop.path), {}, {})
    assert Path(caught.value.message.rpartition(": ")[2]).read_text() == "written meanwhile\n"
    assert (shop.files(), shop.git("status", "--porcelain")) == (before, "")


def test_an_interruption_while_it_writes_puts_everything_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, placed = journal.place, []

    def interrupted_once(source: Path, folder: Path, path: str) -> None:
        placed.append(path)
        if len(placed) == 4:
            raise KeyboardInterrupt
        honest(source, folder, path)

    monkeypatch.setattr(journal, "place", interrupted_once)
    before = shop.files()
    with pytest.raises(KeyboardInterrupt):
        update.run(project.read(shop.path), {}, {})
    assert len(placed) == 7
    assert (shop.files(), shop.git("status", "--porcelain")) == (before, "")
