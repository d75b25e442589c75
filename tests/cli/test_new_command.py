"""`stackgen new`: what it prints, and that the command it prints makes the same project again."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import museum
import templating
import yaml
from running import Run

Stackgen = Callable[..., Run]


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    # A checkout with uncommitted changes is given another commit by copier every time.
    return {name: re.sub(rb"^_commit: .*$", b"", body, flags=re.MULTILINE) for name, body in found.items()}


def test_it_prints_what_was_picked_why_where_it_is_and_what_to_run_next(stackgen: Stackgen) -> None:
    out = stackgen("new", "my-shop", "--yes", "--product", "mobile").out
    for expected in ("node-ts  Node.js with TypeScript", "Why (most-backends", "Created my-shop", "npm ci"):
        assert expected in out
    assert out.splitlines()[-1].strip().startswith("stackgen new my-shop --yes --product mobile")


def test_the_printed_command_makes_the_same_project_again(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    flags = ["--ai", "feature", "--team", "go", "--stack", "node-ts", "-d", "license=mit"]
    texts = ["-d", 'description=it\'s a "shop" $HOME', "-d", "ci=none", "--no-git"]
    result = stackgen("new", "my-shop", "--yes", "--json", *flags, *texts, "--output-dir", "first").json["result"]
    words = shlex.split(result["command"])
    assert words.pop(0) == "stackgen"
    words[words.index("first")] = "second"
    assert stackgen(*words).code == 0
    assert snapshot(tmp_path / "first") == snapshot(tmp_path / "second")


def test_a_dry_run_lists_exactly_the_files_that_are_written(stackgen: Stackgen, tmp_path: Path) -> None:
    planned = stackgen("new", "my-shop", "--dry-run", "--json").json["result"]
    assert list(tmp_path.iterdir()) == []
    made = stackgen("new", "my-shop", "--json").json["result"]
    assert planned["files"] == made["files"] == sorted(snapshot(tmp_path / "my-shop"))


def test_a_plan_is_applied_as_it_was_shown_or_not_at_all(stackgen: Stackgen, tmp_path: Path) -> None:
    template = templating.every_kind(tmp_path / "template")
    flags = ["new", "shop", "--template", str(template), "--json", "-d", "replicas=1"]
    planned = stackgen(*flags, "--plan").json["result"]
    assert planned["digest"] == stackgen(*flags, "--dry-run").json["result"]["digest"]
    for changed in (["-d", "replicas=2"], ["-d", "token=other"], ["--no-git"]):
        refused = stackgen(*flags, *changed, "--apply", planned["digest"])
        assert (refused.code, refused.json["error"]["code"]) == (3, "destination")
        assert "out of date" in refused.json["error"]["message"]
    for wrong in ("", "x", planned["digest"][:12], planned["digest"] + "0"):
        refused = stackgen(*flags, "--apply", wrong)
        assert (refused.code, refused.json["error"]["message"].startswith("--apply")) == (2, True), wrong
    assert stackgen(*flags, "--plan", "--apply", planned["digest"]).code == 2
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/README.md").write_text("Of somebody else.\n")
    assert stackgen(*flags, "--apply", planned["digest"]).code == 3
    (tmp_path / "shop/README.md").unlink()
    (tmp_path / "shop").rmdir()
    (template / "templates/node-ts/project/added.txt").write_text("added\n")
    museum.git(template, "add", "--all")
    museum.git(template, "commit", "--quiet", "--message", "Add a file")
    assert stackgen(*flags, "--apply", planned["digest"]).code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["template"]
    now = stackgen(*flags, "--plan").json["result"]
    made = stackgen(*flags, "--apply", now["digest"])
    assert made.code == 0, made.out
    assert made.json["result"]["files"] == now["files"]


def test_the_project_is_a_repository_with_one_commit_and_nothing_left_over(stackgen: Stackgen, tmp_path: Path) -> None:
    assert stackgen("new", "my-shop", "--yes").code == 0
    git = ["git", "-C", str(tmp_path / "my-shop")]
    log = subprocess.run([*git, "log", "--format=%s"], check=True, capture_output=True, text=True).stdout
    assert len(log.splitlines()) == 1
    assert subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True, text=True).stdout == ""


def test_the_decision_is_recorded_with_the_answers(stackgen: Stackgen, tmp_path: Path) -> None:
    stackgen("new", "my-shop", "--yes", "--product", "realtime", "--bottleneck", "part")
    recorded = yaml.safe_load((tmp_path / "my-shop" / ".copier-answers.yml").read_text())
    assert recorded["decision"]["rule"] == "one-heavy-part"
    record = (tmp_path / "my-shop" / "docs/decisions/0001-stack.md").read_text()
    for part in ("realtime", "one-heavy-part", "worker threads", *recorded["decision"]["reasons"]):
        assert part in record


def test_an_answer_to_a_question_that_is_asked_no_more_is_accepted_and_a_yes_is_recorded(
    stackgen: Stackgen, tmp_path: Path
) -> None:
    flags = ["--yes", "--no-git", "--stack", "hybrid-node-python-ml"]
    recorded = {}
    for name, said in (("said-yes", "true"), ("said-no", "false"), ("said-nothing", None)):
        run = stackgen("new", name, *flags, *(["--data", f"ml_async_jobs={said}"] if said else []))
        assert run.code == 0, run.err
        settings = (tmp_path / name / "apps/api/src/modules/jobs/settings.ts").read_text()
        assert f"ML_JOBS_ENABLED: flag('{said or 'false'}')," in settings
        recorded[name] = yaml.safe_load((tmp_path / name / ".copier-answers.yml").read_text()).get("ml_async_jobs")
    assert recorded == {"said-yes": True, "said-no": None, "said-nothing": None}
    schema = json.loads(stackgen("schema", "--stack", "hybrid-node-python-ml").out)["properties"]
    assert schema["ml_async_jobs"]["deprecated"] is True
    assert "deprecated" not in schema["ml_task"]
    refused = stackgen("new", "elsewhere", "--yes", "--stack", "go", "--data", "ml_async_jobs=false")
    assert (refused.code, "does not apply to the stack 'go'" in refused.err) == (2, True)


def test_a_stack_that_the_template_lacks_is_refused_with_what_it_offers(stackgen: Stackgen, tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    stack = "stack: {type: str, choices: [node-ts], default: node-ts}\nname: {type: str}\n"
    (template / "copier.yml").write_text(stack)
    run = stackgen("new", "my-shop", "--yes", "--ai", "core", "--template", str(template))
    assert run.code == 4
    assert "hybrid-node-python-ml" in run.err
    assert "only node-ts" in run.err


def recorded(folder: Path) -> dict[str, object]:
    found = yaml.safe_load((folder / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_what_was_said_answers_a_question_of_the_stack_unless_that_is_answered_too(
    stackgen: Stackgen, tmp_path: Path
) -> None:
    template = str(templating.questions_alone(tmp_path / "ours"))
    (tmp_path / "second").mkdir()
    flags = ["--yes", "--no-git", "--template", template, "--product", "devops-tool"]
    for name, more, kind, follows in (
        ("tool", [], "cli", ["kind"]),
        ("again", ["-d", "kind=both"], "both", []),
        ("said", ["-d", "kind=cli"], "cli", []),  # somebody said it, so it did not follow
        ("work", ["-d", "jobs=true"], "service", []),  # a tool has no jobs: what follows gives way to what was said
    ):
        made = stackgen("new", name, *flags, *more, "--json").json["result"]
        found = recorded(tmp_path / name)
        assert found["kind"] == kind
        assert [answer["key"] for answer in made["follows"]] == follows
        words = shlex.split(made["command"])[1:]
        assert stackgen(*words, "--output-dir", "second").code == 0
        assert snapshot(tmp_path / "second" / name) == snapshot(tmp_path / name)


def test_what_would_follow_is_left_out_where_a_template_asks_something_else(stackgen: Stackgen, tmp_path: Path) -> None:
    template = templating.every_kind(tmp_path / "template")
    flags = ["--yes", "--no-git", "--template", str(template), "--product", "devops-tool", "-d", "only_go=x"]
    assert stackgen("new", "first", *flags, "--json").json["result"]["follows"] == []
    asked = template / "copier.yml"
    kind = 'kind: {type: str, help: "Which?", choices: [big, small], default: big}\n'
    asked.write_text(asked.read_text() + kind)
    museum.git(template, "commit", "--all", "--message", "Ask for a kind")
    assert stackgen("new", "other", *flags, "--json").json["result"]["follows"] == []
    assert recorded(tmp_path / "other")["kind"] == "big"


def test_the_part_beside_the_stack_gets_a_command_of_its_own(stackgen: Stackgen, tmp_path: Path) -> None:
    template = str(templating.questions_alone(tmp_path / "ours"))
    flags = ["--yes", "--no-git", "--template", template, "--bottleneck", "part"]
    out = stackgen("new", "shop", *flags).out
    wanted = f"stackgen new shop-compute --product microservice --bottleneck cpu --template {template}"
    assert out.endswith(f"  {wanted}\n")
