"""A generated hybrid-node-python-ml project: its set-up, contract, options, chaos and updates."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import backups
import copier
import processes
import pytest
import verifying
import working_page
from breaks import Break, a_few, assert_all_have_a_place
from museum import git, repository_of_today
from sizes import in_turn, is_release, seed
from storage import certificates, packed, storage
from test_node_ts import Browser, sign_up

from tools import hybrid_contracts

Environment = Mapping[str, str]
ROOT = Path(__file__).parents[2]
PREDICTION = {"classification": "confidence", "regression": "value", "tensor": "embedding", "text": "embedding"}
MODEL = "services/ml/src/ml/task.py"


@pytest.fixture(scope="module")
def environment(tools: Environment) -> dict[str, str]:
    """The environment of commands: uv uses the Python that runs the tests."""
    return {**tools, "UV_PYTHON_DOWNLOADS": "never"}


@pytest.fixture(scope="module")
def project(render: Callable[..., Path], environment: Environment) -> Path:
    """A fresh project, set up as its README says."""
    made = render("hybrid-node-python-ml", description='The "shop" brain')
    processes.sh(working_page.commands(made, working_page.PASS)[0], made, environment)
    assert processes.closed_to_others(made / "services/ml/models") == []
    return made


@pytest.fixture
def scratch(project: Path, tmp_path: Path) -> Path:
    """A copy of the project to break: the sources are its own, the packages are linked."""
    return linked_copy(project, tmp_path / "scratch")


def linked_copy(project: Path, to: Path, source: Path | None = None) -> Path:
    """Copy `source` (or the project) and lend it the project's packages."""
    installed = ("node_modules", ".venv")
    ignored = shutil.ignore_patterns(*installed, "__pycache__", ".git")
    shutil.copytree(source or project, to, ignore=ignored, dirs_exist_ok=True)
    return lend_packages(project, to)


def lend_packages(project: Path, to: Path) -> Path:
    """Link the project's packages into another one."""
    for folder in ("node_modules", "apps/api/node_modules", "tools/contract/node_modules"):
        if (project / folder).exists():
            shutil.copytree(project / folder, to / folder, symlinks=True, copy_function=os.link)
    return to


def install_python(other: Path, environment: Environment, **options: Any) -> None:
    """Give a project a Python environment of its own; uv takes the packages from its cache."""
    processes.sh("npm run --silent install:ml", other, environment, **options)


EDITS = {
    "README.md": ("## Try it", "Ours.\n\n## Try it"),
    "apps/api/src/modules/projects/index.ts": ("import { defineModule", "// ours\nimport { defineModule"),
    ".env.example": ("#HOST=127.0.0.1", "#HOST=127.0.0.2"),
    "package.json": ('"format":', '"ours": "true",\n    "format":'),
    "apps/api/src/modules/index.ts": ("/** Everything", "// ours\n\n/** Everything"),
}


@pytest.mark.parametrize(
    ("release", "answers"),
    [
        pytest.param(None, {}, id="today", marks=pytest.mark.full),
        pytest.param("0.1.0", {}, id="0.1.0", marks=pytest.mark.full),
        pytest.param(
            "0.2.0",
            {"ml_async_jobs": True, "ml_streaming": True},
            id="0.2.0, with options",
            marks=pytest.mark.full,
        ),
    ],
)
def test_a_node_ts_project_becomes_hybrid_with_its_edits_kept(
    tmp_path: Path, release: str | None, answers: dict[str, bool]
) -> None:
    template = repository_of_today(tmp_path / "template").path
    project, fresh = tmp_path / "my-shop", tmp_path / "fresh" / "my-shop"
    common = {"name": "my-shop", "deploy": "kubernetes"}
    hybrid = {"stack": "hybrid-node-python-ml", **answers}
    options: dict[str, Any] = {"defaults": True, "quiet": True}
    made_by = release_commit(template, release) if release else "HEAD"
    copier.run_copy(str(template), project, data={**common, "stack": "node-ts"}, vcs_ref=made_by, **options)
    copier.run_copy(str(template), fresh, data=common | hybrid, vcs_ref="HEAD", **options)
    for name, (old, new) in EDITS.items():
        replace(project / name, old, new)
    (project / "apps/api/src/modules/ours.ts").write_text("export const ours = 1;\n", encoding="utf-8")
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Ours")

    copier.run_update(project, data=hybrid, overwrite=True, vcs_ref="HEAD", **options)

    git(project, "add", "--all")
    changed = git(project, "diff", "--cached", "--name-status", "--no-renames").splitlines()
    changes = [line.split("\t") for line in changed]
    # The step to the hybrid only adds; a release may also have moved files on the way.
    assert {status for status, _ in changes} - ({"D"} if release else set()) == {"A", "M"}
    added = {name for status, name in changes if status == "A"}
    assert {"contracts/ml.openapi.json", MODEL, "deploy/kustomize/base/ml/deployment.yaml"} <= added
    for name in files(fresh):
        text, expected = ((folder / name).read_text(encoding="utf-8") for folder in (project, fresh))
        if name in EDITS:
            assert EDITS[name][1] in text
            text = text.replace(EDITS[name][1], EDITS[name][0], 1)
        if name != ".copier-answers.yml":
            assert text == expected, name
    assert set(files(project)) - set(files(fresh)) == {"apps/api/src/modules/ours.ts"}


def files(folder: Path) -> list[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path.as_posix() for path in found if path.parts[0] != ".git"]


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, file
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.repeated  # test_first_push.py: from a fresh clone, with empty caches
def test_it_is_born_green(project: Path, environment: Environment) -> None:
    set_up, *checks = working_page.commands(project, working_page.PASS)
    assert set_up == "npm run setup"
    processes.sh("npm run contract -- --check", project, environment)
    # Of the half that it shares with node-ts, which is checked beside it, what calls the other half.
    # And of what is long a third or a sixth, by the run's seed.
    some = sorted(file.name for file in (project / "services/ml/tests").glob("test_*.py"))[seed() % 6 :: 6]
    shorter = {
        "npm run check": "npm run openapi -- --check",
        "npm test": f"npm test -- test/ml --shard={1 + seed() % 3}/3",
        "npm run test:ml": f"npm run test:ml -- {' '.join(f'tests/{name}' for name in some)}",
    }
    assert {*shorter} <= {*checks}
    for command in checks:
        processes.sh(shorter.get(command, command), project, environment)
    assert processes.sh("git status --porcelain", project, environment).stdout == ""


def test_what_goes_with_a_change_works_and_changes_nothing_yet(project: Path, environment: Environment) -> None:
    for command in working_page.commands(project, working_page.CHANGE):
        processes.sh(command, project, environment)
    assert processes.sh("git status --porcelain", project, environment).stdout == ""


@in_turn(0, 3)  # with those of node-ts and python-django
def test_stackgen_verifies_it_with_both_halves(project: Path, environment: Environment) -> None:
    verifying.assert_proven(project, environment, "install", "tests")


SERVICE = "services/ml/src/ml"
BREAKS = (
    Break(
        "a version is swapped in that cannot answer",
        f"{SERVICE}/runtime.py",
        "        rehearse(model)\n",
        "",
        "test_rehearsal.py::test_a_service_does_not_start_with_a_version_that_cannot_answer",
    ),
    Break(
        "a model is registered that cannot answer",
        f"{SERVICE}/training/pipeline.py",
        "    rehearse(Model.of(card, session))\n",
        "",
        "test_training.py::test_a_model_that_cannot_answer_its_example_is_not_registered",
    ),
    Break(
        "a batch that fails ends the batcher",
        f"{SERVICE}/batching.py",
        "        except Exception as error:\n            self._fail(batch, error)\n",
        "        except OSError as error:\n            self._fail(batch, error)\n",
        "test_batching.py::test_rows_of_unlike_widths_fail_their_callers_and_the_batcher_goes_on",
    ),
    Break(
        "what fills up the shorter texts of a batch is not counted",
        f"{SERVICE}/batching.py",
        "wide = max(widest, following.width)",
        "wide = following.width",
        "test_batching.py::test_rows_of_any_length_are_batched_by_tokens_with_what_fills_them_up",
    ),
    Break(
        "a model that hangs keeps a service that is told to stop",
        f"{SERVICE}/cli.py",
        "    if any(thread.is_alive() for thread in running):",
        "    if not running:",
        "test_process.py::test_a_model_that_hangs_does_not_keep_a_service_that_is_told_to_stop",
    ),
    Break(
        "how long a request lay unread is not seen",
        f"{SERVICE}/cli.py",
        '        "http": TimedProtocol,\n',
        "",
        "test_arrival.py",
    ),
    Break(
        "a dead batcher is alive",
        f"{SERVICE}/routes/health.py",
        "if not runtime.batcher.alive:",
        "if runtime is None:",
        "test_api.py::test_is_not_alive_once_batches_are_no_longer_worked_on",
    ),
    Break(
        "promotions do not wait for each other",
        f"{SERVICE}/locking.py",
        "fcntl.flock(handle, fcntl.LOCK_EX)",
        "fcntl.flock(handle, fcntl.LOCK_SH)",
        "test_registry.py::test_promotions_at_the_same_time_all_stay",
    ),
    Break(
        "a string is a number",
        f"{SERVICE}/schemas.py",
        'extra="forbid", strict=True',
        'extra="forbid"',
        "test_api.py",
    ),
    Break(
        "a model is served that was made for other columns",
        f"{SERVICE}/model.py",
        "if list(card.inputs.items()) != list(SIGNATURE.named_inputs.items()):",
        "if card.inputs is None:",
        "test_registry.py::test_refuses_a_model_made_for_other_columns",
    ),
    Break(
        "embeddings of another version than the caller insists on are given",
        f"{SERVICE}/routes/embeddings.py",
        "if body.model not in {card.name, card.version}:",
        "if not body.model:",
        "test_embeddings.py::test_a_caller_may_insist_on_a_version_and_words_belong_to_it",
    ),
    Break(
        "embeddings need no token",
        f"{SERVICE}/routes/embeddings.py",
        ", dependencies=[Depends(authenticate)])",
        ")",
        "test_embeddings.py::test_it_stands_behind_the_token_and_keeps_to_deadlines",
    ),
    Break(
        "what fills up a text is counted as a token",
        f"{SERVICE}/batch.py",
        "np.count_nonzero(self.tensors[name])",
        "self.tensors[name].size",
        "test_embeddings.py::test_a_text_and_several_are_answered_in_the_form_of_openai",
    ),
    Break(
        "a fetched version writes outside of its folder",
        f"{SERVICE}/fetching.py",
        "is_plain = len(parts) == 2 and all(NAME.fullmatch(part) for part in parts)",
        "is_plain = len(parts) == 2",
        "test_fetching.py::test_what_is_not_one_whole_version_leaves_nothing_behind",
    ),
    Break(
        "what comes over http needs no hash",
        f"{SERVICE}/fetching.py",
        'if is_proven else {"https", "file"}',
        'if is_proven else {"https", "file", "http"}',
        "test_fetching.py::test_what_anybody_may_have_changed_is_not_even_asked_for",
    ),
    Break(
        "more bytes than declared are taken",
        f"{SERVICE}/fields.py",
        "bytes_schema(min_length=1, max_length=self.most)",
        "bytes_schema(min_length=1)",
        "test_octets.py::test_the_longest_fits_and_is_the_longest_that_is_read",
    ),
    Break(
        "strings and numbers are given to each other's inputs",
        f"{SERVICE}/tensors.py",
        "if (one.type == TEXT) == text]",
        "if one.name]",
        "test_signature.py::test_inputs_of_other_names_share_the_rest_by_kind_in_its_order",
    ),
)


@in_turn(0, 3)
def test_a_break_in_the_service_turns_its_test_red(project: Path, environment: Environment) -> None:
    assert_all_have_a_place(BREAKS, project)
    for broken in a_few(BREAKS):
        command = [".venv/bin/python", "-m", "pytest", "-q", "-x", f"tests/{broken.test}"]
        with broken.within(project):
            ran = processes.sh(command, project / "services/ml", environment, check=False)
        # 1: a test has failed; anything else would be a project that does not even begin.
        assert ran.returncode == 1, f"{broken}: {ran.stdout}"
        assert "1 failed" in ran.stdout, f"{broken}: {ran.stdout}"


GENERATE = "apps/api/src/modules/generate"
BREAKS_OF_ANSWERS = (
    Break(
        "the model works on for somebody who has gone",
        f"{GENERATE}/client.ts",
        "[caller, this.#deadline,",
        "[this.#deadline,",
        "stops it before it has begun",
    ),
    Break(
        "a model that takes questions and says nothing is waited for",
        f"{GENERATE}/client.ts",
        "this.#within(this.#env.GENERATE_FIRST_TOKEN_MS, this.#begin())",
        "this.#begin()",
        "begins and says nothing",
    ),
    Break(
        "comments are tokens",
        f"{GENERATE}/protocol.ts",
        "if (message === HEARTBEAT) continue;",
        "if (message === HEARTBEAT) { yield message; continue; }",
        "which are no tokens",
    ),
    Break(
        "what could not be read is logged",
        f"{GENERATE}/protocol.ts",
        "  } catch {\n    throw badAnswer('a chunk that is no JSON');",
        "  } catch (error) {\n    throw badAnswer(String(error));",
        "no word of a question",
    ),
    Break(
        "an answer that was cut off is free",
        f"{GENERATE}/tally.ts",
        "if (this.#told === undefined && this.#pieces === 0) {",
        "if (this.#told === undefined) {",
        "are estimated where it was cut off",
    ),
    Break(
        "tokens are counted afterwards alone",
        f"{GENERATE}/index.ts",
        "await reserve(request, reply, tally.atMost);",
        "await reserve(request, reply, 0);",
        "also to those who come at once",
    ),
    Break(
        "an answer that breaks off counts as given",
        f"{GENERATE}/measure.ts",
        "          outcome = outcomeOf(error);\n          throw error;",
        "          outcome = 'answered';\n          throw error;",
        "in the middle of an answer",
    ),
)


@in_turn(1, 3)
def test_a_break_in_answers_turns_its_test_red(scratch: Path, environment: Environment) -> None:
    assert_all_have_a_place(BREAKS_OF_ANSWERS, scratch)
    for broken in a_few(BREAKS_OF_ANSWERS):
        with broken.within(scratch):
            command = f"npm test -- test/generate -t '{broken.test}' --testTimeout=30000"
            ran = processes.sh(command, scratch, environment, check=False)
        assert ran.returncode == 1, f"{broken}: {ran.stdout}"
        assert re.search(r"\d+ failed", ran.stdout), f"{broken}: {ran.stdout}"


JOBS = "apps/api/src/modules/jobs/worker.ts"
# What a user of 0.2.0 may well have done by then: a table of their own, with its migration, and a module for it.
OWN_TABLE = """import { pgTable, text } from 'drizzle-orm/pg-core';

export const notes = pgTable('notes', { body: text('body').notNull() });
"""


@in_turn(2, 3)
def test_a_project_of_an_old_release_gets_jobs_and_switches_them_on(
    project: Path, environment: Environment, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    template = repository_of_today(tmp_path / "template").path
    shop = tmp_path / "my-shop"
    data = {"name": "my-shop", "stack": "hybrid-node-python-ml"}
    options: dict[str, Any] = {"defaults": True, "quiet": True}
    copier.run_copy(str(template), shop, data=data, vcs_ref=release_commit(template, "0.2.0"), **options)
    for name, (old, new) in EDITS.items():
        replace(shop / name, old, new)
    lend_packages(project, shop)
    (shop / "apps/api/src/modules/notes").mkdir()
    (shop / "apps/api/src/modules/notes/schema.ts").write_text(OWN_TABLE, encoding="utf-8")
    processes.sh("npm run db:generate -- --name notes", shop, environment)
    journal = (shop / "apps/api/drizzle/meta/_journal.json").read_text(encoding="utf-8")
    assert "0002_notes" in journal
    database = {"DATA_DIR": str(tmp_path / "data")}
    assert "0002_notes" in processes.sh("npm run migrate", shop, environment | database).stdout
    git(shop, "init", "--quiet")
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--message", "Ours")

    copier.run_update(shop, data={"ml_async_jobs": True}, vcs_ref="HEAD", overwrite=True, **options)

    assert (shop / JOBS).exists()
    for name, (_, new) in EDITS.items():
        text = (shop / name).read_text(encoding="utf-8")
        assert new in text, name
        assert "<<<<<<<" not in text, name
    assert (shop / "apps/api/drizzle/meta/_journal.json").read_text(encoding="utf-8") == journal
    processes.sh("npm ci --no-audit --no-fund", shop, environment)
    applied = processes.sh("npm run migrate", shop, environment | database).stdout
    assert "0000_ml_jobs" in applied
    processes.sh("npm run check", shop, environment)
    processes.sh("npm test -- test/jobs test/migrations", shop, environment)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    for switch, status in (({}, 401), ({"ML_JOBS_ENABLED": "false"}, 404)):
        running = environment | database | {"PORT": str(port)} | switch
        with processes.serve(["node", "apps/api/src/server.ts"], shop, running, f"{url}/readyz") as server:
            assert processes.http("GET", f"{url}/api/v1/organizations/acme/jobs").status == status
            assert server.stop() == 0


def release_commit(template: Path, version: str) -> str:
    """Give the commit of a release: the first one on the main line that has its version."""
    for commit in git(template, "rev-list", "--first-parent", "--reverse", "HEAD").splitlines():
        if f'\nversion = "{version}"\n' in git(template, "show", f"{commit}:pyproject.toml"):
            return commit
    pytest.fail(f"{version} was never released")


@pytest.mark.release
def test_jobs_and_streaming_pass_everything_too(
    render: Callable[..., Path], project: Path, environment: Environment, tmp_path: Path
) -> None:
    made = render("hybrid-node-python-ml", ml_task="tensor", ml_async_jobs=True, ml_streaming=True)
    other = linked_copy(project, tmp_path / "options", made)
    install_python(other, environment)
    processes.sh("npm run ml -- train", other, environment)
    for command in ("check", "check:ml", "contract -- --check", "test:ml", "test -- test/ml test/jobs test/openapi"):
        processes.sh(f"npm run {command}", other, environment)
    processes.sh("npm run test:e2e -- chaos", other, environment)


@pytest.mark.full
def test_what_the_template_derives_from_its_code_is_what_the_code_says(
    project: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert set(hybrid_contracts.tasks()) == set(PREDICTION)
    assert list(hybrid_contracts.outdated(project)) == []


# The tensor is the task of `test_jobs_and_streaming_pass_everything_too`.
@in_turn(0, 3)
@pytest.mark.parametrize("task", ["regression", pytest.param("tensor", marks=pytest.mark.release)])
def test_the_other_tasks_train_serve_and_agree_too(
    render: Callable[..., Path], project: Path, environment: Environment, tmp_path: Path, task: str
) -> None:
    made = render("hybrid-node-python-ml", ml_task=task, ci="gitlab", deploy="kubernetes")
    other = linked_copy(project, tmp_path / task, made)
    install_python(other, environment)
    processes.sh("npm run ml -- train", other, environment)
    for command in ("check", "check:ml", "contract -- --check", "test -- test/ml"):
        processes.sh(f"npm run {command}", other, environment)
    assert PREDICTION[task] in (other / "contracts/ml.openapi.json").read_text(encoding="utf-8")
    # Whatever the owner's model takes, and however it is trained: the service's tests stay as they are.
    (width,) = re.findall(r"^FEATURES = \d+$", (other / MODEL).read_text(encoding="utf-8"), re.MULTILINE)
    replace(other / MODEL, width, "FEATURES = 12")
    processes.sh("npm run contract", other, environment)
    steps = other / "services/ml/src/ml/training/steps.py"
    replace(steps, "def load_data(", "def load_data_from_elsewhere(")
    with steps.open("a", encoding="utf-8") as file:
        file.write("\n\nfrom ml.training.elsewhere import load_data  # noqa\n")
    (steps.parent / "elsewhere.py").write_text("def load_data(*_):\n    raise OSError\n", encoding="utf-8")
    processes.sh("npm run test:ml", other, environment)


QUESTIONS = ["Give every column a mean of zero.", "Find the rows that are nearest to a point."]
PASSAGES = [
    "The nearest neighbours of each point, among the rows.",
    "Columns are centred on their mean, which is then zero.",
]


SEARCH = "apps/api/src/modules/search"
BREAKS_OF_SEARCH = (
    Break(
        "vectors of two versions meet",
        f"{SEARCH}/ranking.ts",
        "from search_passages where encoder = ${encoder}",
        "from search_passages where encoder <> ''",
        "a new version never meets the old one",
    ),
    Break(
        "words are looked for in all organizations",
        f"{SEARCH}/ranking.ts",
        "asked where ${ofTenant} and documents.words",
        "asked where documents.words",
        "no request reads through",
    ),
    Break(
        "vectors are stored of what is not there any more",
        f"{SEARCH}/repository.ts",
        "    if (!pending.has(documentId)) continue;\n",
        "",
        "deleted while it is embedded",
    ),
    Break(
        "another version's documents are set back all at once",
        f"{SEARCH}/repository.ts",
        ".limit(SET_BACK_AT_ONCE);",
        ".limit(1_000_000);",
        "a thousand at a time",
    ),
    Break(
        "a fault of the service fails all documents of a request",
        f"{SEARCH}/jobs.ts",
        "error instanceof ProblemError || (error instanceof MlUnavailableError && error.isFault)",
        "error instanceof ProblemError",
        "by failing is given up",
    ),
    Break(
        "a text on which the service ends is tried with the same others for ever",
        f"{SEARCH}/jobs.ts",
        "let isSuspect = run.attempt > 1;",
        "let isSuspect = run.attempt > 99;",
        "by ending keeps it from no other",
    ),
    Break(
        "an outage counts as documents' own failures",
        f"{SEARCH}/jobs.ts",
        "    const { encoder } = await embed(work.client, [PROBE], callerOf(work.run));\n    try {",
        "    const encoder = 'x';\n    try {",
        "a service that fails on everything",
    ),
    Break(
        "a document is tried for ever",
        f"{SEARCH}/repository.ts",
        "before + 1 >= MOST_ATTEMPTS",
        "before < 0",
        "by failing is given up",
    ),
    Break(
        "a document that failed is tried again at once",
        f"{SEARCH}/repository.ts",
        " and (next_attempt_at is null or next_attempt_at <= now())",
        "",
        "by failing is given up",
    ),
    Break(
        "a search that had no vector counts",
        f"{SEARCH}/routes.ts",
        "await giveBack(services.database, organizationId, 1)",
        "await giveBack(services.database, organizationId, 0)",
        "count as predictions",
    ),
    Break(
        "a search by words alone seems to be one by meaning",
        f"{SEARCH}/measure.ts",
        "count({ outcome: results.rankedBy });",
        "count({ outcome: 'meaning_and_words' });",
        "counted by what it was ranked by",
    ),
    Break(
        "documents that are to be embedded again seem to wait since they were added",
        f"{SEARCH}/repository.ts",
        "const AGAIN = { ...AS_NEW, nextAttemptAt:",
        "const AGAIN = { ...AS_NEW, never:",
        "tells for how long",
    ),
    Break(
        "an index as the page has it leaves a small organization with nothing",
        "docs/search.md",
        "hnsw.iterative_scan = strict_order",
        "hnsw.iterative_scan = off",
        "with an index and its iterative scan",
    ),
)


@in_turn(2, 3)
def test_texts_are_trained_on_embedded_and_near_to_their_like(
    render: Callable[..., Path], environment: Environment, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    made = render("hybrid-node-python-ml", ml_task="text")
    other = tmp_path / "text"
    shutil.copytree(made, other)
    service = other / "services/ml"
    # It has a package of its own.
    processes.sh("npm ci && npm ci --prefix tools/contract", other, environment)
    install_python(other, environment)
    first, again = (processes.sh("npm run --silent ml -- train", other, environment).stdout for _ in range(2))
    assert first == again
    for command in ("check", "check:ml", "contract -- --check", "test:ml", "test -- test/ml test/openapi test/search"):
        processes.sh(f"npm run {command}", other, environment)
    running = {**environment, "ML_PORT": str(free_port())}
    url = f"http://127.0.0.1:{running['ML_PORT']}"
    with processes.serve([".venv/bin/ml", "serve"], service, running, f"{url}/readyz"):
        asked, found = embedded(url, QUESTIONS), embedded(url, PASSAGES)
        likeness = [[sum(a * b for a, b in zip(one, two, strict=True)) for two in found] for one in asked]
        assert likeness[0][1] > likeness[0][0] + 0.1
        assert likeness[1][0] > likeness[1][1] + 0.1
        refused = processes.http("POST", f"{url}/v1/embeddings", {"model": "text-embedding", "input": "a " * 257})
        assert (refused.status, refused.json["detail"]) == (422, "Text 0 has 257 words: 256 is the most")
        fuzz(other, url, environment, "--include-path /v1/embeddings")
    if not is_release() and seed() // 3 % 2:  # by turns in runs of everything
        return
    processes.sh("npm run test:e2e -- chaos search", other, environment)
    with backups.own_server(with_pgvector=True) as server:
        on_postgresql = environment | {"TEST_DATABASE_URL": f"postgresql://postgres@{server}/postgres"}
        for command in ("test -- test/search test/migrations", "test:e2e -- search"):
            ran = processes.sh(f"npm run {command}", other, on_postgresql)
            assert "skipped" not in ran.stdout
    assert_all_have_a_place(BREAKS_OF_SEARCH, other)
    for broken in a_few(BREAKS_OF_SEARCH):
        with broken.within(other):
            command = f"npm test -- test/search -t '{broken.test}' --testTimeout=60000"
            ran = processes.sh(command, other, environment, check=False)
        assert ran.returncode == 1, f"{broken}: {ran.stdout}"
        assert re.search(r"\d+ failed", ran.stdout), f"{broken}: {ran.stdout}"


def embedded(url: str, texts: list[str]) -> list[list[float]]:
    answer = processes.http("POST", f"{url}/v1/embeddings", {"model": "text-embedding", "input": texts})
    assert answer.status == 200, answer.body
    return [one["embedding"] for one in answer.json["data"]]


CHURN = Path(__file__).parent / "churn"
OWNERS = {"task.py": MODEL, "steps.py": f"{SERVICE}/training/steps.py", "params.toml": "services/ml/params.toml"}
# What `npm run contract` and `npm run openapi` make of them.
DERIVED = (*hybrid_contracts.OF_A_TASK, hybrid_contracts.API)
CUSTOMER = {
    "months": 7,
    "contracts": 1,
    "calls": 3,
    "charge": 39.5,
    "paid": 136.5,
    "minutes": 420,
    "data": 3.5,
    "age": None,
    "plan": "basic",
    "payment": "card",
    "city": "a city that was never seen",
}


@pytest.mark.release
def test_a_model_of_a_real_table_is_brought_in_its_owners_files_alone(
    scratch: Path, environment: Environment, free_port: Callable[[], int]
) -> None:
    install_python(scratch, environment)
    git(scratch, "init", "--quiet")
    git(scratch, "add", "--all")
    git(scratch, "commit", "--quiet", "--message", "Theirs")
    for name, place in OWNERS.items():
        shutil.copy(CHURN / name, scratch / place)
    for command in ("ml -- train", "contract", "openapi"):
        processes.sh(f"npm run {command}", scratch, environment)
    git(scratch, "add", "--all")
    changed = git(scratch, "diff", "--cached", "--name-only").splitlines()
    assert set(changed) == {*OWNERS.values(), *DERIVED}
    for command in ("check", "check:ml", "test:ml", "test -- test/ml test/jobs/api.test.ts"):
        processes.sh(f"npm run {command}", scratch, environment)

    running = {**environment, "ML_PORT": str(free_port()), "ML_RELOAD_SECONDS": "0.1"}
    url = f"http://127.0.0.1:{running['ML_PORT']}"
    service = scratch / "services/ml"
    with processes.serve([".venv/bin/ml", "serve"], service, running, f"{url}/readyz"):
        assert predicted(url, CUSTOMER, {**CUSTOMER, "charge": 0.5}, by="churn") == [True, False]
        refused = processes.http("POST", f"{url}/v1/predict", {"instances": [{**CUSTOMER, "plan": "gold"}]})
        assert (refused.status, refused.json["errors"][0]["path"]) == (422, "body.instances.0.plan")
        # A file from elsewhere, whose inputs are not named after the columns and whose answers are maps.
        processes.sh([".venv/bin/python", str(CHURN / "elsewhere.py"), "other.onnx"], service, environment)
        processes.sh("npm run ml -- add other.onnx", scratch, environment)
        full = {**CUSTOMER, "age": 40, "discount": 0.5}
        assert predicted(url, {**full, "charge": 0.9}, {**full, "charge": 0.1}, by="other") == [True, False]
    (service / "other.onnx").unlink()
    # The same through the core, which asks for the contract's example.
    processes.sh("npm run test:e2e -- chaos", scratch, environment)


def predicted(url: str, *customers: Mapping[str, object], by: str) -> list[bool]:
    """Tell who of them leaves, once the model of this name is the one in service."""
    deadline = time.monotonic() + 300
    while processes.http("GET", f"{url}/v1/model").json["name"] != by:
        assert time.monotonic() < deadline, f"{by} was never served"
        time.sleep(0.1)
    answer = processes.http("POST", f"{url}/v1/predict", {"instances": customers})
    assert answer.status == 200, answer.body
    return [one["leaves"] for one in answer.json["predictions"]]


@pytest.mark.full
def test_a_version_is_fetched_over_tls_from_a_server_that_is_trusted_and_no_other(
    project: Path, environment: Environment, tmp_path: Path
) -> None:
    service, there = project / "services/ml", tmp_path / "there"
    there.mkdir()
    version, _ = packed(service / "models", there / "version.tar")
    authority = certificates(tmp_path)
    models = {"ML_REGISTRY_DIR": str(tmp_path / "models")}

    def fetch(url: str, **trusting: str) -> tuple[int, list[str]]:
        command = [".venv/bin/ml", "fetch", f"{url}/version.tar"]
        done = processes.sh(command, service, {**environment, **models, **trusting}, check=False)
        return done.returncode, done.stdout.splitlines()

    trusting = {"SSL_CERT_FILE": str(authority)}
    with (
        storage(there, tmp_path / "here.pem") as (here, asked),
        storage(there, tmp_path / "elsewhere.pem") as (elsewhere, asked_elsewhere),
        storage(there) as (open_to_all, _),
        storage(there, tmp_path / "here.pem", moved_to=f"{open_to_all}/version.tar") as (moved, _),
    ):
        for (code, printed), why in (
            (fetch(here), "cannot be read: .* unable to get local issuer certificate"),
            (fetch(elsewhere, **trusting), "cannot be read: .* certificate is not valid for '127.0.0.1'"),
            (fetch(moved, **trusting), "over http needs --sha256"),
        ):
            (line,) = printed
            assert line.startswith("not registered: ")
            assert re.search(why, line), line
            assert code == 1
        # Not even the address was told.
        assert asked == asked_elsewhere == []
        assert [*(tmp_path / "models").iterdir()] == []
        taken = fetch(here, **trusting)
    assert taken[0] == 0, taken
    assert asked == ["/version.tar"]
    assert (tmp_path / "models" / version / "model.onnx").is_file()


@pytest.mark.full
def test_the_image_fetches_its_model_and_trains_none(project: Path, environment: Environment, tmp_path: Path) -> None:
    """The Dockerfile's own command, without an engine: test_images.py builds the image, before a release."""
    service, built = project / "services/ml", tmp_path / "srv"
    version, sha256 = packed(service / "models", tmp_path / "version.tar")
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r"^RUN (?:--mount\S+ \\\n +)+(if .*? fi)$", dockerfile, re.MULTILINE | re.DOTALL)
    secret = tmp_path / "ml_model_url"
    assert "/run/secrets/ml_model_url" in command
    command = command.replace("/run/secrets/ml_model_url", str(secret))

    def build(known: str) -> tuple[int, str]:
        # Without what training needs, it cannot train.
        shutil.rmtree(built, ignore_errors=True)
        built.mkdir()
        (built / ".venv").symlink_to(service / ".venv")
        done = processes.sh(command, built, {**environment, "ML_MODEL_SHA256": known}, check=False)
        return done.returncode, done.stdout

    with storage(tmp_path) as (url, asked):
        secret.write_text(f"{url}/version.tar", encoding="utf-8")
        code, said = build("0" * 64)
        assert (code, f"is {sha256}, not 000" in said) == (1, True), said
        assert [*(built / "models").iterdir()] == []
        code, said = build(sha256)
        assert code == 0, said
        assert (built / "models" / version / "model.onnx").is_file()
        assert asked == ["/version.tar"] * 2
        assert build("")[0] != 0
        assert asked == ["/version.tar"] * 2


@pytest.mark.release
def test_a_model_of_more_than_two_gigabytes_is_added_and_answers(
    project: Path, environment: Environment, tmp_path: Path
) -> None:
    service = project / "services/ml"
    models = tmp_path / "models"
    own = {**environment, "ML_REGISTRY_DIR": str(models)}
    labels = [str(number) for number in range(10)]
    made = [str(service / ".venv/bin/python"), str(Path(__file__).with_name("large_model.py")), "64", str(len(labels))]
    known = json.loads(processes.sh(made, tmp_path, environment).stdout)
    (tmp_path / "rows.jsonl").write_text(json.dumps(known["instance"]), encoding="utf-8")

    def ml(*arguments: str) -> tuple[int, list[str], int]:
        """Run a command, and give how it ended, what it printed, and the megabytes that it took at most."""
        command = [str(service / ".venv/bin/python"), "-c", MEASURED, str(service / ".venv/bin/ml"), *arguments]
        done = processes.sh(command, service, own, check=False)
        *printed, kilobytes = done.stdout.splitlines()
        return done.returncode, printed, int(kilobytes) // 1024

    try:
        added = ml("add", str(tmp_path / "large.onnx"), "--labels", *labels)
        (version,) = (path.parent.name for path in models.glob("*/model.json"))
        assert (models / version / "weights.bin").stat().st_size > 2**31
        predicted = ml("predict", str(tmp_path / "rows.jsonl"))
        with (models / version / "weights.bin").open("r+b") as weights:
            weights.seek(-1, os.SEEK_END)
            weights.write(b"x")
        damaged = ml("promote", version)
    finally:
        shutil.rmtree(models, ignore_errors=True)
    assert added[0] == 0, added
    assert predicted[0] == 0, predicted
    answer = json.loads(predicted[1][-1])
    likeliest = max(known["outputs"])
    assert answer["label"] == labels[known["outputs"].index(likeliest)]
    assert answer["confidence"] == pytest.approx(likeliest, abs=1e-4)
    assert damaged[0] == 1
    assert "weights.bin is missing or damaged" in damaged[1][-1]
    assert max(megabytes for _, _, megabytes in (added, predicted, damaged)) < 1024, (added, predicted, damaged)


MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@pytest.mark.full
def test_images_are_declared_in_the_task_and_held_to_it_by_both_halves(scratch: Path, environment: Environment) -> None:
    install_python(scratch, environment)
    shutil.copy(scratch / "services/ml/tests/of_images.py", scratch / MODEL)
    for command in ("contract", "openapi", "check", "test -- test/ml/contract.test.ts test/ml/predictions.test.ts"):
        processes.sh(f"npm run {command}", scratch, environment)
    offered = (scratch / "packages/contracts/src/predictions.ts").read_text(encoding="utf-8")
    assert "z.base64().min(4).max(68)" in offered


@pytest.mark.release
def test_a_backup_of_both_halves_is_restored_as_its_page_says(
    project: Path, environment: Environment, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    volume, restored = tmp_path / "volume", tmp_path / "restored"
    shutil.copytree(project / "services/ml/models", volume)
    # A version that only the volume has, and that is not served.
    own = {**environment, "ML_REGISTRY_DIR": str(volume)}
    parameters = (project / "services/ml/params.toml").read_text(encoding="utf-8")
    assert "seed = 20" in parameters
    (tmp_path / "params.toml").write_text(parameters.replace("seed = 20", "seed = 12"), encoding="utf-8")
    processes.sh(f"npm run ml -- train --no-promote --params {tmp_path / 'params.toml'}", project, own)
    listed = registered(processes.sh("npm run ml -- models", project, own).stdout)
    assert sorted(line.endswith(" production") for line in listed) == [False, True]
    with backups.own_server() as server:
        (roles,) = backups.blocks(project / "docs/deploy.md", "sql", "Database roles")
        backups.psql(server, roles)
        token = {
            "AUTH_SECRET": "a" * 32,
            "ML_SERVICE_TOKEN": "t" * 32,
            "ML_PORT": str(free_port()),
            "PORT": str(free_port()),
        }
        token |= {"ML_URL": f"http://127.0.0.1:{token['ML_PORT']}", "OVERLOAD_EVENT_LOOP_DELAY_MS": "0"}

        def settings(database: str, models: Path) -> dict[str, str]:
            addresses = [backups.address(server, role, database) for role in ("my_shop_api", backups.OWNER)]
            told = {"DATABASE_URL": addresses[0], "MIGRATION_DATABASE_URL": addresses[1]}
            return {**environment, **token, **told, "ML_REGISTRY_DIR": str(models)}

        def migrate(database: str) -> None:
            processes.sh("npm run migrate", project, settings(database, volume))

        migrate("my_shop")
        browser = Browser(f"http://localhost:{token['PORT']}")
        with both_halves(project, settings("my_shop", volume)):
            organization = sign_up(browser).removesuffix("/projects")
            before = predict(browser, organization)
        backups.proven(project, server, environment, tmp_path, migrate)
        _, _, keep, bring_back = backups.blocks(project / "docs/backup.md", "sh")
        named = {"RESTORED_REGISTRY_DIR": str(restored)}
        processes.sh(["bash", "-ec", keep], tmp_path, own)
        shutil.rmtree(volume)
        (tmp_path / "models.tar").rename(project / "models.tar")
        try:
            brought = registered(processes.sh(["bash", "-ec", bring_back], project, {**environment, **named}).stdout)
        finally:
            (project / "models.tar").unlink()
        assert brought == listed
        # The same session, from the other database, and the same model, from the other folder.
        with both_halves(project, settings("my_shop_restored", restored)):
            assert predict(browser, organization) == before
            usage = browser("GET", f"{organization}/predictions/usage").json
    # Two months, where one has just ended.
    assert sum(month["predictions"] for month in [usage, *usage["earlier"]]) == 2, usage


def registered(said: str) -> list[str]:
    """Give the lines of `ml models` without what npm says."""
    return [line.strip() for line in said.splitlines() if '{"' in line]


@contextmanager
def both_halves(project: Path, settings: Environment) -> Iterator[None]:
    """Run the service and the API, and see both end well."""
    model, api = ([".venv/bin/ml", "serve"], project / "services/ml"), (["node", "apps/api/src/server.ts"], project)
    with (
        processes.serve(*model, settings, f"{settings['ML_URL']}/readyz") as service,
        processes.serve(*api, settings, f"http://localhost:{settings['PORT']}/readyz") as server,
    ):
        yield
        assert (server.stop(), service.stop()) == (0, 0)


def predict(browser: Browser, organization: str) -> object:
    """Ask for a prediction, and give all that is said of it."""
    answer = browser("POST", f"{organization}/predictions", {"instances": [[index % 16 for index in range(64)]]})
    assert answer.status == 200, answer.body
    return answer.json


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("classification", marks=in_turn(1, 3)),
        pytest.param("text", marks=pytest.mark.release),
    ],
)
def test_torch_trains_the_same_way_and_is_not_served_with(
    render: Callable[..., Path], project: Path, environment: Environment, tmp_path: Path, task: str
) -> None:
    made = render("hybrid-node-python-ml", ml_training="torch", ml_task=task, ci="gitlab")
    other = linked_copy(project, tmp_path / "torch", made)
    try:
        install_python(other, environment)
        processes.sh("npm run ml -- train", other, environment)
        for command in ("check:ml", "contract -- --check", "test:ml"):
            processes.sh(f"npm run {command}", other, environment)
        served = (other / "services/ml/requirements.txt").read_text(encoding="utf-8")
        assert "\nonnxruntime==" in served
        assert "\ntorch==" not in served
    finally:
        # Linked from uv's cache where that is on the same disk, copied where it is not: 5 GB.
        shutil.rmtree(other / "services/ml/.venv", ignore_errors=True)


@pytest.fixture(scope="module")
def streaming(
    render: Callable[..., Path], project: Path, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project that said yes to streams when it was asked."""
    made = render("hybrid-node-python-ml", ml_streaming=True)
    other = linked_copy(project, tmp_path_factory.mktemp("streaming") / "my-shop", made)
    install_python(other, environment)
    processes.sh("npm run ml -- train", other, environment)
    return other


@pytest.mark.full
def test_streams_flow_through_both_halves_and_end_where_nobody_reads(streaming: Path, environment: Environment) -> None:
    commands = (
        "check",
        "check:ml",
        "contract -- --check",
        "test:ml -- tests/test_stream.py",
        "test -- ml-stream config",
    )
    for command in (*commands, "test:e2e -- streaming"):
        processes.sh(f"npm run {command}", streaming, environment)


@pytest.mark.full
@pytest.mark.parametrize("half", ["services/ml/src/ml/streaming.py", "packages/contracts/src/prediction-events.ts"])
def test_a_field_of_an_event_renamed_in_one_half_fails_the_types(
    streaming: Path, environment: Environment, half: str
) -> None:
    text = (streaming / half).read_text(encoding="utf-8")
    replace(streaming / half, "index", "position")
    processes.sh("npm run contract", streaming, environment)
    refused = processes.sh("npx tsc --project apps/api", streaming, environment, check=False)
    (streaming / half).write_text(text, encoding="utf-8")
    processes.sh("npm run contract", streaming, environment)
    assert refused.returncode != 0
    assert "modules/ml-stream/events.ts" in refused.stdout


@pytest.mark.full
@pytest.mark.parametrize(
    ("question", "answer", "touched"), [("ml_streaming", True, range(4, 5)), ("ml_training", "torch", range(10, 40))]
)
def test_a_released_project_takes_an_option_with_its_edits_kept(
    tmp_path: Path, question: str, answer: object, touched: range
) -> None:
    template = repository_of_today(tmp_path / "template")
    template.release("99.0.0")
    released = git(template.path, "log", "--format=%H", "--grep", "^Release 0.2.0$", "--max-count=1")
    project = tmp_path / "my-shop"
    data = {"name": "my-shop", "stack": "hybrid-node-python-ml"}
    options: dict[str, Any] = {"defaults": True, "quiet": True}
    copier.run_copy(str(template.path), project, data=data, vcs_ref=released, **options)
    for name, (old, new) in EDITS.items():
        if name != "apps/api/src/modules/index.ts":
            replace(project / name, old, new)
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Ours")
    copier.run_update(project, data={question: answer}, overwrite=True, vcs_ref="HEAD", **options)
    plain, fresh = tmp_path / "plain" / "my-shop", tmp_path / "fresh" / "my-shop"
    copier.run_copy(str(template.path), fresh, data=data | {question: answer}, vcs_ref="HEAD", **options)
    copier.run_copy(str(template.path), plain, data=data, vcs_ref="HEAD", **options)
    assert set(files(project)) == set(files(fresh))
    changed = {name for name in files(fresh) if not same(fresh / name, plain / name)}
    assert len(changed) in touched, sorted(changed)
    for name in files(fresh):
        text, expected = ((folder / name).read_text(encoding="utf-8") for folder in (project, fresh))
        assert "<<<<<<<" not in text, name
        if name in EDITS and name != "apps/api/src/modules/index.ts":
            assert EDITS[name][1] in text
        elif name != ".copier-answers.yml":
            assert text == expected, name


def same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()


@pytest.mark.full
def test_names_and_widths_stand_once_and_callers_are_told_of_a_change(scratch: Path, environment: Environment) -> None:
    install_python(scratch, environment)
    replace(scratch / MODEL, "confidence", "certainty")
    replace(scratch / MODEL, "FEATURES = 64", "FEATURES = 63")
    use = scratch / "apps/api/src/modules/ml/index.ts"
    replace(
        use,
        "return reply.code(200)",
        "request.log.debug({ seen: answer.predictions[0]?.confidence });\n          return reply.code(200)",
    )
    stale = processes.sh("npm run contract -- --check", scratch, environment, check=False)
    assert stale.returncode != 0
    for name in ("contracts/ml.openapi.json", "modules/ml/contract.gen.ts", "contracts/src/predictions.ts"):
        assert f"{name} is out of date" in stale.stdout
    processes.sh("npm run contract", scratch, environment)
    refused = processes.sh("npx tsc --project apps/api", scratch, environment, check=False)
    assert refused.returncode != 0
    assert "modules/ml/index.ts" in refused.stdout
    assert "confidence" in refused.stdout
    replace(use, "?.confidence", "?.certainty")
    untold = processes.sh("npm run openapi -- --check", scratch, environment, check=False)
    assert untold.returncode != 0
    processes.sh("npm run openapi", scratch, environment)
    processes.sh("npm run check", scratch, environment)
    processes.sh("npm test -- test/ml/contract.test.ts", scratch, environment)


@pytest.mark.full
def test_a_field_renamed_in_the_api_fails_the_types(scratch: Path, environment: Environment) -> None:
    replace(scratch / "packages/contracts/src/predictions.ts", "confidence", "certainty")
    refused = processes.sh("npx tsc --project apps/api", scratch, environment, check=False)
    assert refused.returncode != 0
    assert "certainty" in refused.stdout


@pytest.mark.full
def test_random_requests_find_no_server_error_and_no_broken_promise(
    streaming: Path, environment: Environment, free_port: Callable[[], int]
) -> None:
    port = free_port()
    command = [str(streaming / "services/ml/.venv/bin/ml"), "serve"]
    running = {**environment, "ML_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    with processes.serve(command, streaming / "services/ml", running, f"{url}/readyz") as server:
        fuzz(streaming, url, environment)
        assert server.stop() == 0
    server.log.unlink()


def fuzz(project: Path, url: str, environment: Environment, options: str = "") -> None:
    """Send random requests to the service, and what its contract says is wrong."""
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    # Callers who give up at once are told so with a 504: these wait long enough.
    processes.sh(
        "uv run --no-project --quiet --with schemathesis==4.32.5 schemathesis run ../../contracts/ml.openapi.json"
        f" --url {url} --header 'x-timeout-ms: 60000' --max-examples 15 --checks {checks} {options}"
        " --generation-deterministic --phases coverage,fuzzing > fuzz.log 2>&1 || (cut -c1-300 fuzz.log; exit 1)",
        project / "services/ml",
        environment,
    )
    (project / "services/ml/fuzz.log").unlink()
