"""`stackgen update` in a project whose template has moved on."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import copier
import museum
import pytest
from filelock import FileLock
from running import Run

Stackgen = Callable[..., Run]
IN_2099 = 4_070_908_800


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project made by release 0.1.0 of a template whose newest release is 0.2.0."""
    template = museum.toy_repository(tmp_path / "template")
    template.commit(version="0.1.0")
    museum.git(template.path, "tag", "v0.1.0")
    template.commit(museum.SECOND, "0.2.0")
    museum.git(template.path, "tag", "v0.2.0")
    made = tmp_path / "shop"
    copier.run_copy(str(template.path), made, vcs_ref="v0.1.0", data={"stack": "demo"}, defaults=True, quiet=True)
    museum.git(made, "init", "--quiet", "--initial-branch=main")
    commit(made)
    return made


def commit(project: Path) -> None:
    museum.git(project, "add", "--all")
    museum.git(project, "commit", "--quiet", "--message", "Work")


def test_it_carries_the_project_forward(stackgen: Stackgen, project: Path) -> None:
    (project / "mine.txt").write_text("mine\n")
    commit(project)
    run = stackgen("update", str(project))
    assert run.code == 0, run.err
    assert "v0.1.0 → v0.2.0" in run.out
    assert (project / "added.txt").exists()
    assert (project / "mine.txt").read_text() == "mine\n"


def test_a_second_update_says_that_it_is_current(stackgen: Stackgen, project: Path) -> None:
    stackgen("update", str(project))
    commit(project)
    assert stackgen("update", str(project)).out == "Already current: v0.2.0\n"


def test_two_updates_do_not_run_at_once(stackgen: Stackgen, project: Path) -> None:
    private = project / ".git/stackgen"
    private.mkdir()
    with FileLock(private / "lock"):
        refused = stackgen("update", str(project))
    assert refused.code == 3
    assert "another update of" in refused.err
    # What a killed one has left holds nobody up, whatever its date: it is the process that counts.
    (private / "lock").touch()
    os.utime(private / "lock", (IN_2099, IN_2099))
    assert stackgen("update", str(project)).code == 0


def test_json_says_what_changed(stackgen: Stackgen, project: Path) -> None:
    result = stackgen("update", str(project), "--json").json["result"]
    assert (result["from"], result["to"], result["conflicts"]) == ("v0.1.0", "v0.2.0", [])
    assert "added.txt" in result["changed"]


def test_answers_are_changed_by_data(stackgen: Stackgen, project: Path) -> None:
    assert stackgen("update", str(project), "--data", "colour=blue").code == 0
    assert "the colour is blue" in (project / "readme.txt").read_text()


def test_a_conflict_is_exit_code_5_with_the_files_named(stackgen: Stackgen, project: Path) -> None:
    readme = project / "readme.txt"
    readme.write_text(readme.read_text().replace("one\n", "uno\n"))
    commit(project)
    run = stackgen("update", str(project))
    assert run.code == 5
    assert "readme.txt" in run.err
    assert "uno" in readme.read_text()


def test_a_conflict_in_json_is_one_envelope_with_the_report_as_details(stackgen: Stackgen, project: Path) -> None:
    readme = project / "readme.txt"
    readme.write_text(readme.read_text().replace("one\n", "uno\n"))
    commit(project)
    run = stackgen("update", str(project), "--json")
    assert run.code == 5
    assert run.json["error"]["code"] == "conflict"
    assert run.json["error"]["details"]["conflicts"] == ["readme.txt"]
    (conflict,) = run.json["error"]["details"]["to_settle"]
    base, ours, theirs = (conflict[side].splitlines()[2] for side in ("base", "ours", "theirs"))
    assert (conflict["path"], conflict["encoding"], base, ours, theirs) == ("readme.txt", "utf-8", "one", "uno", "ONE")


def test_a_conflict_that_is_no_text_is_given_in_base64_also_by_a_plan(stackgen: Stackgen, project: Path) -> None:
    readme = project / "readme.txt"
    mine = readme.read_bytes().replace(b"one\n", "uno é\n".encode("latin-1"))
    readme.write_bytes(mine)
    commit(project)
    (conflict,) = stackgen("update", str(project), "--plan", "--json").json["result"]["to_settle"]
    assert conflict["encoding"] == "base64"
    assert base64.b64decode(conflict["ours"]) == mine
    assert b"ONE" in base64.b64decode(conflict["theirs"])


def test_uncommitted_work_is_never_touched(stackgen: Stackgen, project: Path) -> None:
    (project / "readme.txt").write_text("half done\n")
    run = stackgen("update", str(project))
    assert run.code == 3
    assert "uncommitted changes" in run.err
    assert (project / "readme.txt").read_text() == "half done\n"
    assert not (project / "added.txt").exists()


def test_an_unknown_answer_is_refused(stackgen: Stackgen, project: Path) -> None:
    assert stackgen("update", str(project), "--data", "color=blue").code == 2
    assert museum.git(project, "status", "--porcelain") == ""


def test_a_plan_touches_nothing_and_can_be_applied_as_it_was_seen(stackgen: Stackgen, project: Path) -> None:
    plan = stackgen("update", str(project), "--plan", "--diff", "--json").json["result"]
    assert {file["path"]: file["class"] for file in plan["files"]} == {
        ".copier-answers.yml": "changed",
        "added.txt": "added",
        "dropped.txt": "removed",
        "readme.txt": "changed",
    }
    assert "+ONE" in plan["diff"]
    assert museum.git(project, "status", "--porcelain") == ""
    assert stackgen("update", str(project), "--apply", plan["digest"]).code == 0
    assert (project / "added.txt").exists()


def test_a_plan_is_text_too(stackgen: Stackgen, project: Path) -> None:
    run = stackgen("update", str(project), "--plan")
    assert "v0.1.0 → v0.2.0: 1 added, 2 changed, 1 removed" in run.out
    assert "--apply" in run.out


def test_a_plan_that_is_out_of_date_is_not_applied(stackgen: Stackgen, project: Path) -> None:
    digest = stackgen("update", str(project), "--plan", "--json").json["result"]["digest"]
    (project / "readme.txt").write_text("mine\n")
    commit(project)
    for said, shown in ((digest, digest), ("", "that had nothing to do")):
        run = stackgen("update", str(project), "--apply", said)
        assert run.code == 3
        assert f"the plan {shown} is out of date" in run.err
        assert museum.git(project, "status", "--porcelain") == ""


def test_a_pipeline_learns_by_exit_code_7_that_there_is_something_to_do(stackgen: Stackgen, project: Path) -> None:
    run = stackgen("update", str(project), "--check")
    assert run.code == 7
    assert "v0.2.0" in run.err
    assert museum.git(project, "status", "--porcelain") == ""
    stackgen("update", str(project))
    commit(project)
    assert stackgen("update", str(project), "--check").code == 0


def test_an_update_is_taken_back_by_abort(stackgen: Stackgen, project: Path) -> None:
    stackgen("update", str(project))
    run = stackgen("update", str(project), "--abort")
    assert (run.code, museum.git(project, "status", "--porcelain")) == (0, "")
    assert "v0.1.0 → v0.2.0" in run.out
    assert stackgen("update", str(project), "--continue").code == 3


def test_other_answers_keep_the_release_and_a_release_can_be_named(stackgen: Stackgen, project: Path) -> None:
    result = stackgen("update", str(project), "--data", "colour=blue", "--json").json["result"]
    assert (result["from"], result["to"]) == ("v0.1.0", "v0.1.0")
    assert "the colour is blue" in (project / "readme.txt").read_text()
    commit(project)
    result = stackgen("update", str(project), "--to", "0.2.0", "--data", "colour=green", "--json").json["result"]
    assert (result["to"], result["conflicts"]) == ("v0.2.0", [])


@pytest.mark.parametrize("what", [[], ["--plan"], ["--data", "colour=blue"]])
def test_an_older_release_is_refused_since_migrations_do_not_go_back(
    stackgen: Stackgen, project: Path, what: list[str]
) -> None:
    stackgen("update", str(project), "--to", "0.2.0")
    commit(project)
    run = stackgen("update", str(project), "--to", "0.1.0", *what)
    assert run.code == 2
    assert run.err.startswith("stackgen: v0.1.0 is older than the project's v0.2.0\n")
    assert museum.git(project, "status", "--porcelain") == ""


def test_a_project_moves_to_a_fork_and_its_own_releases_count(
    stackgen: Stackgen, project: Path, tmp_path: Path
) -> None:
    museum.git(tmp_path, "clone", "--quiet", "template", "fork")
    fork = museum.Repository(tmp_path / "fork")
    for tag, text in (("v0.2.0+acme.1", "first"), ("v0.2.0+acme.2", "second")):
        fork.commit({"templates/demo/project/acme.txt": f"{text}\n"})
        museum.git(fork.path, "tag", tag)
    result = stackgen("update", str(project), "--template", "fork", "--to", "v0.2.0+acme.1", "--json").json["result"]
    assert result["to"] == "v0.2.0+acme.1"
    commit(project)
    assert f"_src_path: {fork.path}" in (project / ".copier-answers.yml").read_text()
    assert stackgen("update", str(project), "--json").json["result"]["to"] == "v0.2.0+acme.2"
    assert (project / "acme.txt").read_text() == "second\n"


def test_a_users_own_settings_for_copier_answer_no_question(
    stackgen: Stackgen, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = museum.Repository(tmp_path / "template")
    template.commit(
        {"templates/demo/questions.yml": "colour: {type: str, default: red}\nshape: {type: str, default: round}\n"},
        "0.3.0",
    )
    museum.git(template.path, "tag", "v0.3.0")
    (tmp_path / "settings.yml").write_text("defaults: {shape: square}\n")
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(tmp_path / "settings.yml"))
    assert stackgen("update", str(project)).code == 0
    assert "shape: round" in (project / ".copier-answers.yml").read_text()


@pytest.mark.parametrize(
    "flags",
    [
        ("--plan", "--abort"),
        ("--continue", "--data", "colour=blue"),
        ("--check", "--apply", "x"),
        ("--plan", "--apply", ""),
        ("--apply", "0.2.0"),
    ],
)
def test_flags_that_exclude_each_other_are_refused(stackgen: Stackgen, project: Path, flags: tuple[str, ...]) -> None:
    assert stackgen("update", str(project), *flags).code == 2


def test_status_says_what_is_whose(stackgen: Stackgen, project: Path) -> None:
    (project / "readme.txt").write_text("mine\n")
    (project / "dropped.txt").unlink()
    (project / "shared.txt").rename(project / "common.txt")
    (project / "own.txt").write_text("own\n")
    commit(project)
    found = stackgen("status", str(project), "--json").json["result"]
    assert (found["version"], found["newest"], found["unfinished"]) == ("v0.1.0", "v0.2.0", None)
    assert (found["changed"], found["deleted"], found["own"]) == (["readme.txt"], ["dropped.txt"], ["own.txt"])
    assert found["moved"] == [{"from": "shared.txt", "to": "common.txt"}]
    assert found["answers"]["colour"] == "red"
    run = stackgen("status", str(project))
    assert run.code == 0
    assert "demo v0.1.0, the newest is v0.2.0" in run.out


@pytest.fixture
def maintained(stackgen: Stackgen, project: Path, tmp_path: Path) -> Path:
    """A project that is current, and holds a file that its template goes on maintaining."""
    template = museum.Repository(tmp_path / "template")
    template.commit({"templates/demo/project/Dockerfile": "FROM python:3.13.1-slim\nUSER 1000\n"}, "0.3.0")
    museum.git(template.path, "tag", "v0.3.0")
    assert stackgen("update", str(project)).code == 0
    commit(project)
    return project


def test_a_pipeline_learns_of_drift_in_what_the_template_maintains(stackgen: Stackgen, maintained: Path) -> None:
    dockerfile = maintained / "Dockerfile"
    (maintained / "readme.txt").write_text("mine\n")
    dockerfile.write_text("FROM python:3.13.2-slim\nUSER 1000\n")  # as a bot would
    commit(maintained)
    run = stackgen("update", str(maintained), "--check", "--json")
    assert (run.code, run.json["result"]["drifted"]) == (0, [])
    dockerfile.write_text("FROM python:3.13.2-slim\nUSER 0\n")
    commit(maintained)
    run = stackgen("update", str(maintained), "--check", "--json")
    assert (run.code, run.json["error"]["details"]["drifted"]) == (7, ["Dockerfile"])
    assert "Dockerfile" in stackgen("update", str(maintained), "--check").err
    found = stackgen("status", str(maintained), "--json").json["result"]
    assert (found["changed"], found["drifted"]) == (["Dockerfile", "readme.txt"], ["Dockerfile"])
    assert "1 of these have drifted" in stackgen("status", str(maintained)).out


def test_drift_is_named_beside_a_newer_release_and_a_deleted_file_is_none(
    stackgen: Stackgen, maintained: Path, tmp_path: Path
) -> None:
    template = museum.Repository(tmp_path / "template")
    template.commit({"templates/demo/project/added.txt": "more\n"}, "0.4.0")
    museum.git(template.path, "tag", "v0.4.0")
    (maintained / "Dockerfile").write_text("FROM scratch\n")
    commit(maintained)
    run = stackgen("update", str(maintained), "--check")
    assert run.code == 7
    assert "v0.3.0 -> v0.4.0" in run.err
    assert "Dockerfile" in run.err
    (maintained / "Dockerfile").unlink()
    commit(maintained)
    assert "Dockerfile" not in stackgen("update", str(maintained), "--check").err


NOTES = """\
changes:
  - {text: It is blue., when: {colour: blue}}
  - {text: It is red or green., when: {colour: [red, green]}}
  - {text: Of a file that is not there., files: [nowhere/]}
by_hand:
  - {text: Read it., files: ["read*"]}
renamed:
  - {was: readme.txt, now: README}
  - {was: gone.txt, now: come.txt}
"""


@pytest.fixture
def noted(project: Path, tmp_path: Path) -> Path:
    """A project of 0.1.0, of whose template 0.3.0 tells of three releases and of one to come."""
    template = museum.Repository(tmp_path / "template")
    folder = "templates/demo/releases"
    texts = {version: f"changes: [{{text: In {version}.}}]\n" for version in ("0.1.0", "0.3.0", "0.4.0")}
    template.link({f"{folder}/0.2.0.shared.yml": "../../common/releases/0.2.0.yml"})
    template.commit({f"{folder}/{version}.yml": text for version, text in texts.items()})
    template.commit({"templates/common/releases/0.2.0.yml": "changes: [{text: To all.}]\n"})
    template.commit({f"{folder}/0.2.0.yml": NOTES}, "0.3.0")
    museum.git(template.path, "tag", "v0.3.0")
    return project


def test_the_releases_on_the_way_say_what_touches_the_project_before_it_is_deployed(
    stackgen: Stackgen, noted: Path
) -> None:
    expected = {"To all.", "It is red or green.", "Read it.", "readme.txt is now README", "In 0.3.0."}
    plan = stackgen("update", str(noted), "--plan", "--json").json["result"]
    assert {note["text"] for note in plan["notes"]} == expected
    assert {note["version"] for note in plan["notes"]} == {"0.2.0", "0.3.0"}
    blue = stackgen("update", str(noted), "--plan", "--json", "--to", "0.2.0", "--data", "colour=blue").json["result"]
    assert [note["text"] for note in blue["notes"]] == []  # 0.2.0 itself told nothing
    run = stackgen("update", str(noted))
    said = run.out[run.out.index("Before you deploy") :]
    assert [text for text in expected if text not in said] == []
    commit(noted)
    again = stackgen("update", str(noted), "--data", "colour=blue", "--json").json["result"]
    assert again["notes"] == []


def test_a_conflict_brings_what_the_release_says_of_the_file(stackgen: Stackgen, noted: Path) -> None:
    readme = noted / "readme.txt"
    readme.write_text(readme.read_text().replace("one\n", "uno\n"))
    commit(noted)
    (conflict,) = stackgen("update", str(noted), "--plan", "--json").json["result"]["to_settle"]
    assert conflict["notes"] == ["Read it.", "readme.txt is now README"]


def test_notes_that_cannot_be_read_stop_the_update_before_it_hides_them(
    stackgen: Stackgen, project: Path, tmp_path: Path
) -> None:
    template = museum.Repository(tmp_path / "template")
    template.commit({"templates/demo/releases/0.2.0.yml": "by_hand: [Read it.]\n"}, "0.3.0")
    museum.git(template.path, "tag", "v0.3.0")
    run = stackgen("update", str(project))
    assert run.code == 4
    assert "releases/0.2.0.yml" in run.err
    assert museum.git(project, "status", "--porcelain") == ""


def test_migrations_that_both_have_numbered_are_told_with_what_to_do(
    stackgen: Stackgen, project: Path, tmp_path: Path
) -> None:
    template = museum.Repository(tmp_path / "template")
    template.commit({"templates/demo/project/store/migrations/00002_its.sql": "-- +goose Up\n"}, "0.3.0")
    museum.git(template.path, "tag", "v0.3.0")
    mine = project / "store/migrations/00002_mine.sql"
    mine.parent.mkdir(parents=True)
    mine.write_text("-- mine\n")
    commit(project)
    (met,) = stackgen("update", str(project), "--plan", "--json").json["result"]["migrations"]
    assert met == {
        "folder": "store/migrations",
        "yours": ["store/migrations/00002_mine.sql"],
        "template": ["store/migrations/00002_its.sql"],
        "to_do": "give the template's another number: "
        "`git mv store/migrations/00002_its.sql store/migrations/00003_its.sql`",
    }
    run = stackgen("update", str(project))
    assert "Before you deploy" in run.out
    assert "00003_its.sql" in run.out


@pytest.fixture
def featured(stackgen: Stackgen, project: Path, tmp_path: Path) -> Path:
    """A project whose template has features, one of them only where another is."""
    template = museum.Repository(tmp_path / "template")
    asked = "colour: {type: str, default: red}\nfast_lane: {type: bool, default: false}\n"
    toll = 'toll: {type: bool, default: false, when: "[= fast_lane =]"}\n'
    lane = "templates/demo/project/[=% if fast_lane %=]lane.txt[=% endif %=]"
    template.commit({"templates/demo/questions.yml": asked + toll, lane: "fast\n"}, "0.3.0")
    museum.git(template.path, "tag", "v0.3.0")
    stackgen("update", str(project))
    commit(project)
    template.commit({"templates/demo/project/later.txt": "later\n"}, "0.4.0")
    museum.git(template.path, "tag", "v0.4.0")
    return project


def test_a_feature_is_added_and_removed_by_its_name_at_the_same_release(stackgen: Stackgen, featured: Path) -> None:
    plan = stackgen("add", "fast-lane", str(featured), "--plan", "--json").json
    assert plan["command"] == "add"
    assert [file["path"] for file in plan["result"]["files"] if file["class"] == "added"] == ["lane.txt"]
    assert museum.git(featured, "status", "--porcelain") == ""
    before = museum.git(featured, "rev-parse", "HEAD^{tree}")
    run = stackgen("add", "fast_lane", str(featured))
    assert (run.code, (featured / "lane.txt").exists(), (featured / "later.txt").exists()) == (0, True, False)
    commit(featured)
    assert stackgen("add", "fast-lane", str(featured)).out == "Already current: v0.3.0\n"
    assert stackgen("add", "toll", str(featured), "--plan").code == 0
    assert stackgen("remove", "fast-lane", str(featured)).code == 0
    commit(featured)
    assert not (featured / "lane.txt").exists()
    recorded = museum.git(featured, "diff", before, "HEAD", "--", ".")
    assert recorded == "", recorded


def test_an_answer_to_a_question_that_does_not_apply_is_refused(stackgen: Stackgen, featured: Path) -> None:
    for flags in ((), ("--plan",), ("--check",)):
        run = stackgen("update", str(featured), "--data", "toll=true", *flags)
        assert (run.code, "toll does not apply with the other answers" in run.err) == (2, True)
    assert museum.git(featured, "status", "--porcelain") == ""
    both = stackgen("update", str(featured), "--data", "toll=true", "--data", "fast_lane=true", "--plan")
    assert both.code == 0, both.err


def test_what_is_no_feature_of_the_project_is_refused_with_those_that_are(stackgen: Stackgen, featured: Path) -> None:
    for name, hint in (("fast_lain", "fast_lane"), ("colour", "fast_lane, toll"), ("toll", "does not apply")):
        run = stackgen("add", name, str(featured))
        assert (run.code, hint in run.err) == (2, True), (name, run.err)
    assert museum.git(featured, "status", "--porcelain") == ""
