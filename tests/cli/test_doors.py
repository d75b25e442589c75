"""Doors that open, and refusals that say why: odd folders, streams, encodings, addresses and machines."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import museum
import pytest
import templating
import terminals
from running import Run

Stackgen = Callable[..., Run]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return templating.every_kind(tmp_path_factory.mktemp("kinds") / "template")


def run(
    place: Path, *arguments: str, environment: Mapping[str, str] | None = None, redirect: str = "", stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command as a shell does, with its redirections."""
    command = ["sh", "-c", f'exec "$0" -m stackgen "$@" {redirect}', sys.executable, *arguments]
    return subprocess.run(
        command, cwd=place, input=stdin, capture_output=True, env={**os.environ, **(environment or {})}, check=False
    )


def refusal(done: "subprocess.CompletedProcess[bytes]", code: int) -> str:
    """Give the one line, having seen that it is one, with the code that is documented."""
    err = done.stderr.decode()
    assert done.returncode == code, err
    assert len(err.splitlines()) <= 2
    assert max(map(len, err.splitlines())) < 250
    return err


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] != ".git"}


def test_a_fresh_clone_is_filled_and_keeps_what_it_has(tmp_path: Path, template: Path) -> None:
    clone = tmp_path / "shop"
    clone.mkdir()
    museum.git(clone, "init", "--quiet")
    (clone / "README.md").write_text("mine\n")
    (clone / ".gitignore").write_text("mine/\n")
    (clone / "summary.txt").write_text("in the way\n")
    assert "it holds summary.txt" in refusal(run(clone, "new", ".", "--yes", "--template", str(template)), 3)
    assert files(clone) == {"README.md", ".gitignore", "summary.txt"}
    (clone / "summary.txt").unlink()
    done = run(clone, "new", ".", "--yes", "--template", str(template), "--json")
    assert done.returncode == 0, done.stdout
    result = json.loads(done.stdout)["result"]
    assert (result["kept"], result["git"]) == ([".gitignore", "README.md"], False)
    assert result["command"].startswith("stackgen new . --yes")
    assert files(clone) == {"README.md", ".gitignore", "summary.txt", ".copier-answers.yml"}
    assert (clone / "README.md").read_text() == "mine\n"
    assert (clone / "summary.txt").read_text().startswith("2 of shop")


def test_a_clones_readme_stays_and_its_gitignore_gets_the_projects_lines(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "my-shop").mkdir()
    (tmp_path / "my-shop/README").write_text("mine\n")
    (tmp_path / "my-shop/README.md").write_text("mine, too\n")
    (tmp_path / "my-shop/.gitignore").write_text("mine/\nnode_modules/")
    made = stackgen("new", "my-shop", "--json")
    assert made.code == 0
    assert made.json["result"]["kept"] == ["README", "README.md"]
    assert (tmp_path / "my-shop/README.md").read_text() == "mine, too\n"
    ignored = (tmp_path / "my-shop/.gitignore").read_text().splitlines()
    assert ignored[:2] == ["mine/", "node_modules/"]
    assert ".env" in ignored
    assert ignored.count("node_modules/") == 1
    assert museum.git(tmp_path / "my-shop", "status", "--porcelain") == ""
    assert "mine, too" in museum.git(tmp_path / "my-shop", "show", "HEAD:README.md")


def test_a_template_whose_projects_could_not_be_updated_writes_none(tmp_path: Path, template: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(template, plain, ignore=shutil.ignore_patterns(".git"))
    assert "cannot be updated" in refusal(run(tmp_path, "new", "shop", "--yes", "--template", str(plain)), 3)
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


def test_the_folder_that_somebody_stands_in_stays_the_same_folder(tmp_path: Path, template: Path) -> None:
    place = tmp_path / "shop"
    place.mkdir()
    before = place.stat().st_ino
    assert run(place, "new", "shop", "-o", "..", "--yes", "--template", str(template)).returncode == 0
    assert place.stat().st_ino == before
    assert (place / "summary.txt").exists()


def test_a_folder_whose_name_cannot_be_used_says_how_to_name_the_project(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "My Shop").mkdir()
    os.chdir(tmp_path / "My Shop")
    refused = stackgen("new", ".", "--yes")
    assert refused.code == 2
    assert "stackgen new . --data name=" in refused.err
    assert stackgen("new", ".", "--yes", "--dry-run", "--data", "name=my-shop").code == 0


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-8"])
def test_output_fits_every_encoding(tmp_path: Path, encoding: str) -> None:
    environment = {"PYTHONIOENCODING": encoding}
    done = run(tmp_path, "recommend", "--yes", environment=environment)
    assert done.returncode == 0
    assert ("→" if encoding == "utf-8" else "->") in done.stdout.decode(encoding)
    shown = ["new", "my-shop", "--dry-run", "--json", "-d", "owner=Söhne 🛒", "--data", "ci=nosuch →"]
    refused = run(tmp_path, *shown, environment=environment)
    assert refused.returncode == 2
    assert "nosuch →" in json.loads(refused.stdout.decode(encoding))["error"]["message"]


def test_a_repository_is_a_template_however_its_address_is_written(tmp_path: Path, template: Path) -> None:
    repository = tmp_path / "our templates"
    subprocess.run(["cp", "-r", str(template), str(repository)], check=True)
    address = repository.as_uri()
    done = run(tmp_path, "new", "shop", "--yes", "--template", address)
    assert done.returncode == 0, done.stderr
    assert f"_src_path: git+{address}" in (tmp_path / "shop/.copier-answers.yml").read_text()
    refused = run(tmp_path, "new", "other", "--yes", "--template", "ssh://git@127.0.0.1:1/templates")
    assert "cannot be read" in refusal(refused, 4)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"name: shop\nci: no\n", "line 2: ci: 'no' is not one of github, gitlab, none"),
        (b"name: shop\nowner: " + b"x" * 30_000_000, "larger than a million bytes"),
        (b"name: shop\nowner: " + b"x" * 300_000, "line 2: owner: "),
        (b"owner: S\xf6hne\n", "line 1 is not UTF-8"),
        (b"name: " + b"x" * 300, "line 1: name: "),
        (b"? [a]\n: b\n", "neither YAML nor JSON"),
        (b'{"name": "shop",\n"ci": "no"}', "line 2: ci: 'no' is not one of"),
    ],
    ids=["empty", "comment", "no", "large", "long", "Latin", "name", "key", "JSON"],
)
@pytest.mark.parametrize("by", ["file", "standard input"])
def test_answers_that_cannot_be_used_are_refused_at_once(tmp_path: Path, body: bytes, reason: str, by: str) -> None:
    place = tmp_path / "empty"
    place.mkdir()
    (tmp_path / "answers.yml").write_bytes(body)
    given = ["--answers", "-" if by == "standard input" else "../answers.yml"]
    done = run(place, "new", "--yes", *given, stdin=body if by == "standard input" else b"")
    assert reason in refusal(done, 2)
    assert list(place.iterdir()) == []


def test_streams_that_are_closed_or_full_are_no_traceback(tmp_path: Path) -> None:
    assert "it is closed" in refusal(run(tmp_path, "recommend", "--answers", "-", redirect="<&-"), 2)
    assert "No space left on device" in refusal(run(tmp_path, "recommend", "--yes", redirect="> /dev/full"), 3)
    for errors in ("2>&1", "2> /dev/full"):
        assert run(tmp_path, "recommend", "--json", redirect=f"> /dev/full {errors}").returncode == 3
    assert "No space left" in refusal(run(tmp_path, "recommend", "--json", redirect="> /dev/full"), 3)
    assert run(tmp_path, "new", "shop", "--plan", redirect="<&- >&- 2>&-").returncode == 0
    assert run(tmp_path, "recommend", "--yes", redirect=">&-").returncode == 0
    assert run(tmp_path, "recommend", "--yes", redirect="2>&-").returncode == 0
    for device in ("/dev/zero", "/dev/null"):
        assert "it is a device" in refusal(run(tmp_path, "recommend", "--answers", device), 2)


@pytest.mark.parametrize("form", ["", "--json"])
def test_a_project_that_nobody_can_be_told_of_stays_and_is_named_on_the_other_stream(
    tmp_path: Path, template: Path, form: str
) -> None:
    new = ["new", "shop", "--yes", "--template", str(template), *form.split()]
    told = refusal(run(tmp_path, *new, redirect="> /dev/full"), 3)
    assert f"the project is in {tmp_path}/shop, but the output cannot be written: No space left on device" in told
    assert museum.git(tmp_path / "shop", "status", "--porcelain") == ""
    update = ["update", "shop", "-d", "replicas=5", *form.split()]
    assert "/shop was updated to" in refusal(run(tmp_path, *update, redirect="> /dev/full"), 3)
    assert "replicas: 5" in (tmp_path / "shop/.copier-answers.yml").read_text()
    abort = ["update", "shop", "--abort", *form.split()]
    assert "/shop was taken back" in refusal(run(tmp_path, *abort, redirect="> /dev/full"), 3)
    assert museum.git(tmp_path / "shop", "status", "--porcelain") == ""
    silent = run(tmp_path, *new[:1], "other", *new[2:], "--quiet", redirect="> /dev/full")
    assert (silent.returncode, silent.stderr) == (0, b"")


def test_a_reader_who_goes_away_is_told_what_was_done_and_nothing_where_nothing_was(
    tmp_path: Path, template: Path
) -> None:
    for arguments, told in (
        (["new", "shop", "--yes", "--template", str(template)], f"the project is in {tmp_path}/shop; whoever read"),
        (["compare"], ""),
        (["schema"], ""),
        (["recommend", "--yes", "--json"], ""),
    ):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "stackgen", *arguments]
        done = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        assert done.returncode == 141, arguments
        assert done.stderr.decode().startswith(f"stackgen: {told}" if told else ""), arguments
        assert len(done.stderr.splitlines()) == bool(told), done.stderr


def test_a_name_that_no_file_can_have_is_refused_wherever_it_is_given(tmp_path: Path) -> None:
    for code, arguments in (
        (2, ["new", "x" * 300]),
        (3, ["new", "shop", "--output-dir", "x" * 300]),
        (4, ["new", "shop", "--template", "x" * 300]),
        (4, ["recommend", "--template", "~nobody-of-this-name/x"]),
        (3, ["doctor", "x" * 300]),
        (3, ["doctor", "x/" * 3000]),
    ):
        assert refusal(run(tmp_path, *arguments), code), arguments


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"stack: " + b"x" * 30_000_000, "larger than a million bytes"),
        (b"stack: " + b"[" * 100_000 + b"]" * 100_000, "nest"),
        (b"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "made of too many aliases"),
        (b"a: &a [x]\nb: [" + b"*a, " * 101 + b"]\n", "made of too many aliases"),
        (b"stack: " + b"9" * 10_000, "digits"),
        (None, "not a mapping"),
    ],
    ids=["large", "deep", "aliases", "many", "number", "pipe"],
)
def test_what_a_project_records_goes_through_a_door_as_narrow(
    stackgen: Stackgen, tmp_path: Path, body: bytes | None, reason: str
) -> None:
    recorded = tmp_path / ".copier-answers.yml"
    recorded.write_bytes(body) if body is not None else os.mkfifo(recorded)
    for command in ("status", "doctor"):
        refused = stackgen(command, ".")
        assert (refused.code, reason in refused.err) == (3, True), refused.err
        assert len(refused.err.splitlines()) == 2


def test_a_template_that_is_no_file_keeps_nobody_waiting(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "copier.yml").write_text("stack: {type: str, choices: [a]}\n")
    (tmp_path / "templates/a").mkdir(parents=True)
    os.mkfifo(tmp_path / "templates/a/stack.json")
    assert "stack.json of the template cannot be read" in stackgen("stacks", "--template", ".").err
    (tmp_path / "copier.yml").unlink()
    os.mkfifo(tmp_path / "copier.yml")
    assert stackgen("stacks", "--template", ".").code == 4


def test_a_folder_that_was_deleted_is_named(tmp_path: Path) -> None:
    command = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" -m stackgen new my-shop --yes'
    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, check=False)
    assert "the folder that you are in was deleted" in refusal(done, 3)


def test_a_machine_without_git_or_with_a_broken_setting_is_told_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stackgen", "new", "my-shop", "--yes"]
    environment = {**os.environ, "PATH": "/nowhere"}
    bare = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert "git is not installed" in refusal(bare, 4)
    (tmp_path / "settings").write_text("[broken\n")
    place = tmp_path / "place"
    place.mkdir()
    done = run(place, "new", "my-shop", "--yes", environment={"GIT_CONFIG_GLOBAL": str(tmp_path / "settings")})
    assert "put git's configuration right" in refusal(done, 4)
    assert list(place.iterdir()) == []


def with_little_room(place: Path, room: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the command with a TMPDIR of so many bytes, on a file system that only this command sees."""
    small = place.parent / "small"
    small.mkdir(exist_ok=True)
    mounted = f'mount -t tmpfs -o size={room} none "$TMPDIR" && exec "$0" -m stackgen "$@"'
    for alone in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0:
            command = [*alone, "sh", "-c", mounted, sys.executable, *arguments]
            environment = {**os.environ, "TMPDIR": str(small)}
            return subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False)
    pytest.skip("this machine lets nobody mount anything")


def test_a_full_folder_of_temporary_files_is_named(tmp_path: Path, template: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    ours, theirs = ["new", "my-shop", "--yes"], ["--template", f"file://{template}"]
    for arguments in (ours, ["recommend", "--yes", *theirs]):
        full = with_little_room(place, "16k", *arguments)
        assert "small, where temporary files go, is full\n  make room there" in refusal(full, 3), arguments
        assert list(place.iterdir()) == []
    assert run(place, *ours, *theirs).returncode == 0
    full = with_little_room(place / "my-shop", "16k", "update", "--data", "replicas=3")
    assert "small, where temporary files go, is full" in refusal(full, 3)
    assert museum.git(place / "my-shop", "status", "--porcelain") == ""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_is_starting_is_a_documented_end(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "typer.py").write_text(f"import os, time\nos.kill(os.getpid(), {int(how)})\ntime.sleep(60)\n")
    done = subprocess.run(
        [sys.executable, "-m", "stackgen", "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
        preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)] and None,
    )
    code = 129 if how is signal.SIGHUP else 130
    assert (done.returncode, done.stderr) == (code, b"stackgen: interrupted, nothing was left behind\n")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 130), (signal.SIGHUP, 129)])
def test_a_signal_at_a_question_is_a_documented_end(tmp_path: Path, how: signal.Signals, code: int) -> None:
    child = terminals.spawn(tmp_path, "new", "my-shop")
    child.expect_exact("What are you building?")
    child.kill(how)
    shown = terminals.finish(child)
    assert child.exitstatus == code, shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []
