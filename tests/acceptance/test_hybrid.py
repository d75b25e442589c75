"""A generated hybrid-node-python-ml project: what it shares with node-ts, its set-up, contract, chaos and updates."""

import difflib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import copier
import processes
import pytest
from museum import git, repository_of_today

Environment = Mapping[str, str]
ROOT = Path(__file__).parents[2]
NODE = ROOT / "templates/node-ts/project"
HYBRID = ROOT / "templates/hybrid-node-python-ml/project"
PREDICTION = {"classification": "confidence", "regression": "value", "tensor": "embedding"}
MODEL = "services/ml/src/ml/task.py"


@pytest.fixture(scope="module")
def environment(tools: Environment) -> dict[str, str]:
    """The environment of commands: uv uses the Python that runs the tests."""
    return {**tools, "UV_PYTHON_DOWNLOADS": "never"}


@pytest.fixture(scope="module")
def project(render: Callable[..., Path], environment: Environment) -> Path:
    """A fresh project, set up as its README says."""
    made = render("hybrid-node-python-ml", description='The "shop" brain')
    processes.sh("npm run setup", made, environment)
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
    for folder in ("node_modules", "apps/api/node_modules", "tools/contract/node_modules"):
        if (project / folder).exists():
            shutil.copytree(project / folder, to / folder, symlinks=True, copy_function=os.link)
    return to


def install_python(other: Path, environment: Environment) -> None:
    """Give a project a Python environment of its own; uv takes the packages from its cache."""
    processes.sh("uv sync --quiet --extra otel", other / "services/ml", environment)


def test_everything_of_node_ts_is_there_at_the_same_path() -> None:
    for path in NODE.rglob("*"):
        relative = path.relative_to(NODE)
        if relative.as_posix() != "apps/api/openapi.json":
            assert (HYBRID / relative).exists(), relative


def test_files_of_its_own_keep_what_node_ts_has_in_them() -> None:
    """A file that both stacks have is a link, or it holds nearly every line of node-ts's, in the same order."""
    for path in HYBRID.rglob("*"):
        twin = NODE / path.relative_to(HYBRID)
        if path.is_file() and twin.is_file() and path.resolve() != twin.resolve():
            ours, theirs = (file.read_text(encoding="utf-8").splitlines() for file in (path, twin))
            missing = [line for line in difflib.ndiff(theirs, ours) if line.startswith("- ")]
            assert len(missing) <= 5, (path, missing)


EDITS = {
    "README.md": ("## Try it", "Ours.\n\n## Try it"),
    "apps/api/src/modules/projects/etag.ts": ("import", "// ours\nimport"),
    ".env.example": ("#HOST=127.0.0.1", "#HOST=127.0.0.2"),
    "package.json": ('"format":', '"ours": "true",\n    "format":'),
    "apps/api/src/modules/index.ts": ("/** Everything", "// ours\n\n/** Everything"),
}


def test_a_node_ts_project_becomes_hybrid_with_its_edits_kept(tmp_path: Path) -> None:
    template = repository_of_today(tmp_path / "template").path
    project, fresh = tmp_path / "my-shop", tmp_path / "fresh" / "my-shop"
    common = {"name": "my-shop", "deploy": "kubernetes"}
    hybrid = {"stack": "hybrid-node-python-ml"}
    options: dict[str, Any] = {"vcs_ref": "HEAD", "defaults": True, "quiet": True}
    copier.run_copy(str(template), project, data={**common, "stack": "node-ts"}, **options)
    copier.run_copy(str(template), fresh, data=common | hybrid, **options)
    for name, (old, new) in EDITS.items():
        replace(project / name, old, new)
    (project / "apps/api/src/modules/ours.ts").write_text("export const ours = 1;\n", encoding="utf-8")
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Ours")

    copier.run_update(project, data=hybrid, overwrite=True, **options)

    git(project, "add", "--all")
    changes = [line.split("\t") for line in git(project, "diff", "--cached", "--name-status").splitlines()]
    assert {status for status, _ in changes} == {"A", "M"}
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


def test_it_is_born_green(project: Path, environment: Environment) -> None:
    for command in ("check", "check:ml", "contract -- --check", "test:ml", "test -- test/ml test/openapi"):
        processes.sh(f"npm run {command}", project, environment)
    changed = processes.sh("git status --porcelain", project, environment).stdout
    untracked = {"package-lock.json", "tools/contract/package-lock.json", "services/ml/uv.lock"}
    assert {line.removeprefix("?? ") for line in changed.splitlines()} == untracked


def test_both_halves_survive_chaos_and_stop_together(project: Path, environment: Environment) -> None:
    processes.sh("npm run test:e2e", project, environment)


@pytest.mark.parametrize("task", ["regression", "tensor"])
def test_the_other_tasks_train_serve_and_agree_too(
    render: Callable[..., Path], project: Path, environment: Environment, tmp_path: Path, task: str
) -> None:
    made = render("hybrid-node-python-ml", ml_task=task, ci="gitlab", deploy="kubernetes")
    other = linked_copy(project, tmp_path / task, made)
    install_python(other, environment)
    processes.sh("npm run ml -- train", other, environment)
    for command in ("check", "check:ml", "contract -- --check", "test:ml", "test -- test/ml"):
        processes.sh(f"npm run {command}", other, environment)
    assert PREDICTION[task] in (other / "contracts/ml.openapi.json").read_text(encoding="utf-8")


def test_a_field_renamed_in_python_fails_the_contract_and_then_the_types(
    scratch: Path, environment: Environment
) -> None:
    install_python(scratch, environment)
    replace(scratch / MODEL, "confidence", "certainty")
    stale = processes.sh("npm run contract -- --check", scratch, environment, check=False)
    assert stale.returncode != 0
    assert "contracts/ml.openapi.json is out of date" in stale.stdout
    processes.sh("npm run contract", scratch, environment)
    refused = processes.sh("npx tsc --project apps/api", scratch, environment, check=False)
    assert refused.returncode != 0
    assert "modules/ml/" in refused.stdout
    assert "confidence" in refused.stdout


def test_a_field_renamed_in_the_api_fails_the_types(scratch: Path, environment: Environment) -> None:
    replace(scratch / "packages/contracts/src/predictions.ts", "confidence", "certainty")
    refused = processes.sh("npx tsc --project apps/api", scratch, environment, check=False)
    assert refused.returncode != 0
    assert "certainty" in refused.stdout


def test_random_requests_find_no_server_error_and_no_broken_promise(
    project: Path, environment: Environment, free_port: Callable[[], int]
) -> None:
    port = free_port()
    command = [str(project / "services/ml/.venv/bin/ml"), "serve"]
    running = {**environment, "ML_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    with processes.serve(command, project / "services/ml", running, f"{url}/readyz") as server:
        # Callers who give up at once are told so with a 504: these wait long enough.
        processes.sh(
            "uv run --no-project --quiet --with schemathesis==4.32.5 schemathesis run ../../contracts/ml.openapi.json"
            f" --url {url} --header 'x-timeout-ms: 60000' --max-examples 15 --checks {checks}"
            " --generation-deterministic --phases coverage,fuzzing > fuzz.log 2>&1 || (cut -c1-300 fuzz.log; exit 1)",
            project / "services/ml",
            environment,
            timeout=180,
        )
        (project / "services/ml/fuzz.log").unlink()
        assert server.stop() == 0
    server.log.unlink()
