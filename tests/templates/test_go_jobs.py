"""The go template's `jobs`: its operational files keep every rule, and its variants of a file differ only by jobs."""

import difflib
from pathlib import Path

import operations_agreement as agreement
import operations_kubernetes
import operations_policies as policies
import pytest
import yaml
from conftest import OVERLAY
from operations_render import DOCKERFILES, NAME, TEMPLATES, Project, copy_template, render
from operations_tools import compose, findings, go_tool, kubernetes_validate, run, secrets_of, yamllint

pytestmark = pytest.mark.full
PAIRS = {
    ("with_jobs", "without_jobs"),
    ("with_jobs", "serves_example_without_jobs"),
    ("example_jobs", "example_without_jobs"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("jobs")
    answers = {"stack": "go", "deploy": "kubernetes", "ci": "none", "license": "mit"}
    made = render(copy_template(folder / "template"), folder / NAME, **answers, jobs=True)
    return Project(made, **answers)


@pytest.fixture(scope="module")
def manifests(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = run([go_tool("kustomize"), "build", project.path / OVERLAY])
    assert built.returncode == 0, built.stderr
    path = tmp_path_factory.mktemp("manifests") / "jobs.yaml"
    path.write_text(built.stdout, encoding="utf-8")
    return path


def test_manifests_with_workers_keep_every_rule(manifests: Path, project: Project) -> None:
    assert findings(kubernetes_validate([manifests])) == ""
    assert findings(yamllint(project.files("*.yaml", "deploy/**/*.yaml"))) == ""
    documents = list(yaml.safe_load_all(manifests.read_text(encoding="utf-8")))
    assert "\n".join(operations_kubernetes.manifests(documents, NAME)) == ""
    deployments = {each["metadata"]["name"] for each in documents if each["kind"] == "Deployment"}
    assert deployments == {"api", "worker"}
    (settings,) = (each["data"] for each in documents if each["kind"] == "ConfigMap")
    assert settings["JOBS_IN_SERVE"] == "false"
    (policy,) = (each["spec"] for each in documents if each["kind"] == "NetworkPolicy")
    assert "worker" in policy["podSelector"]["matchExpressions"][0]["values"]


def test_the_compose_file_runs_a_worker_and_keeps_every_rule(project: Project) -> None:
    path = project.path / "compose.yaml"
    text = path.read_text(encoding="utf-8")
    assert findings(compose(path), environment=secrets_of(path)) == ""
    assert list(policies.compose(text, NAME)) == []
    services = yaml.safe_load(text)["services"]
    assert services["worker"]["command"] == ["worker"]
    assert services["api"]["environment"]["JOBS_IN_SERVE"] == "false"


def test_ports_and_settings_are_those_of_the_image_and_the_example(project: Project, manifests: Path) -> None:
    assert agreement.manifest_ports(manifests) <= agreement.exposed_ports(project.files(*DOCKERFILES))
    explained = agreement.explained_settings(project.path / ".env.example")
    assert {"JOBS_IN_SERVE", "JOB_WORKERS"} <= explained
    assert agreement.compose_settings(project.path / "compose.yaml") <= explained
    assert agreement.config_settings(project.files("deploy/**/*.env")) <= explained


def variants() -> list[tuple[Path, Path]]:
    """Pair what is rendered at the same place without jobs and with them."""
    found = []
    for path in sorted((TEMPLATES / "go/project").rglob("*jobs*")):
        for condition, other in PAIRS:
            plain = path.with_name(path.name.replace(f"[=% if {condition} %=]", f"[=% if {other} %=]"))
            if plain != path and plain.is_file():
                found.append((plain, path))
    return found


def test_the_variants_of_a_file_are_found() -> None:
    names = {path.name.partition("%=]")[2].partition("[")[0] for _, path in variants()}
    assert names == {"background.go", "engine.go", "size_test.go"}


@pytest.mark.parametrize(("plain", "jobs"), variants(), ids=lambda path: path.name)
def test_variants_of_a_file_differ_only_by_what_jobs_add(plain: Path, jobs: Path) -> None:
    if "background" in jobs.name or "size_test" in jobs.name:
        return  # these files hold the difference and nothing else
    lines = [path.read_text(encoding="utf-8").splitlines() for path in (plain, jobs)]
    dropped = [line for line in difflib.ndiff(*lines) if line.startswith("- ")]
    # With jobs the monitor's store hands its alerts to them.
    assert all("Monitor" in line for line in dropped), dropped
