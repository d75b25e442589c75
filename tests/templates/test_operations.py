"""Every operational file that a project can be given is put through the field's validators and our own rules.

Files are rendered for each stack, deployment, CI and licence; each distinct file is looked at once. Each rule is also
seen to fail: `test_a_broken_file_is_reported` breaks a good file in one place and expects the complaint.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import operations_kubernetes
import operations_policies as policies
import pytest
import yaml
from operations_breaks import OUR_RULES, POD_RULES, Break, ToolBreak, broken
from operations_render import NAME, STACKS, Project, distinct, render_all
from operations_tools import compose_config, findings, go_tool, python_tool, run

DOCKERFILES = ("**/Dockerfile",)
WORKFLOWS = (".github/workflows/*.yml",)
YAML_FILES = ("*.yml", "*.yaml", ".*.yml", ".*.yaml", ".github/**/*.yml", "deploy/**/*.yaml")
OVERLAY = "deploy/kustomize/overlays/production"
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.gitlab-ci": (".gitlab-ci.yml",),
    "vendor.compose-spec": ("compose.yaml",),
    "vendor.renovate": ("renovate.json",),
}
APACHE_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"

every_stack = pytest.mark.parametrize("stack", STACKS)


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> list[Project]:
    return render_all(tmp_path_factory.mktemp("operations"))


@pytest.fixture(scope="session")
def manifests(projects: list[Project], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each stack's production overlay, as Kustomize puts it together."""
    folder = tmp_path_factory.mktemp("manifests")
    built = {}
    for project in _one_of_each_stack(projects, deploy="kubernetes"):
        result = run([go_tool("kustomize"), "build", project.path / OVERLAY])
        assert result.returncode == 0, f"{project}: {result.stderr}"
        built[project.stack] = folder / f"{project.stack}.yaml"
        built[project.stack].write_text(result.stdout, encoding="utf-8")
    return built


def _one_of_each_stack(projects: Iterable[Project], **answers: str) -> list[Project]:
    chosen: dict[str, Project] = {}
    for project in projects:
        if all(getattr(project, key) == value for key, value in answers.items()):
            chosen.setdefault(project.stack, project)
    return list(chosen.values())


def _complaints(paths: Iterable[Path], look: Callable[[str], Iterable[str]]) -> str:
    return "\n".join(f"{path}: {problem}" for path in paths for problem in look(path.read_text(encoding="utf-8")))


# --- the field's validators -------------------------------------------------------------------------------------------


def test_hadolint_is_content_with_every_dockerfile(projects: list[Project]) -> None:
    files = distinct(projects, *DOCKERFILES)
    assert len(files) >= len(STACKS)
    assert findings([python_tool("hadolint"), "--failure-threshold", "style", *files]) == ""


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_follow_their_published_schema(projects: list[Project], schema: str) -> None:
    files = distinct(projects, *SCHEMAS[schema])
    assert files
    assert findings([python_tool("check-jsonschema"), "--builtin-schema", schema, *files]) == ""


def test_zizmor_finds_no_weakness_in_any_workflow(projects: list[Project]) -> None:
    assert findings(_zizmor(distinct(projects, *WORKFLOWS))) == ""


def test_actionlint_is_content_with_every_workflow(projects: list[Project]) -> None:
    assert findings(_actionlint(distinct(projects, *WORKFLOWS))) == ""


def test_yamllint_finds_no_mistake_in_any_yaml_file(projects: list[Project]) -> None:
    assert findings(_yamllint(distinct(projects, *YAML_FILES))) == ""


def test_kubernetes_accepts_every_manifest_with_no_unknown_field(manifests: dict[str, Path]) -> None:
    assert sorted(manifests) == STACKS
    assert findings(_kubernetes_validate(manifests.values())) == ""


def test_compose_files_refuse_to_start_without_their_secrets(projects: list[Project]) -> None:
    for path in distinct(projects, "compose.yaml"):
        refusal = findings([compose_config(), path], environment={})
        for name in policies.required_variables(path.read_text(encoding="utf-8")):
            assert f"required variable {name} is missing a value" in refusal, path


def test_compose_files_need_nothing_but_their_secrets(projects: list[Project]) -> None:
    for path in distinct(projects, "compose.yaml"):
        assert findings(_compose(path), environment=_secrets_of(path)) == ""


def _compose(path: Path) -> list[str | Path]:
    return [compose_config(), path]


def _secrets_of(path: Path) -> dict[str, str]:
    return dict.fromkeys(policies.required_variables(path.read_text(encoding="utf-8")), "0123456789abcdef" * 4)


def _zizmor(files: Iterable[Path]) -> list[str | Path]:
    # self-repository asks for `$/` in place of `./`, which neither the schema nor actionlint knows.
    return [python_tool("zizmor"), "--offline", "--no-progress", "--config", _here("zizmor.yml"), *files]


def _actionlint(files: Iterable[Path]) -> list[str | Path]:
    return [go_tool("actionlint"), "-shellcheck=", "-pyflakes=", *files]


def _yamllint(files: Iterable[Path]) -> list[str | Path]:
    return [python_tool("yamllint"), "--strict", "--config-file", _here("yamllint.yml"), *files]


def _kubernetes_validate(files: Iterable[Path]) -> list[str | Path]:
    return [python_tool("kubernetes-validate"), "--strict", "--quiet", *files]


def _schema(name: str, path: Path) -> list[str | Path]:
    return [python_tool("check-jsonschema"), "--builtin-schema", f"vendor.{name}", path]


def _here(name: str) -> Path:
    return Path(__file__).with_name(name)


# --- our own rules ----------------------------------------------------------------------------------------------------


def test_workflows_have_the_least_rights_and_run_only_what_is_pinned(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, *WORKFLOWS), policies.workflow) == ""


def test_gitlab_pipelines_end_in_time_and_run_named_versions(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, ".gitlab-ci.yml"), policies.gitlab) == ""


def test_images_are_small_run_without_root_and_tell_their_health(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, *DOCKERFILES), policies.dockerfile) == ""


def test_history_and_secrets_never_reach_the_image_builder(projects: list[Project]) -> None:
    files = distinct(projects, "**/.dockerignore")
    assert len(files) >= len(STACKS)
    assert _complaints(files, policies.dockerignore) == ""


def test_compose_projects_are_their_own_and_closed_to_the_network(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, "compose.yaml"), lambda text: policies.compose(text, NAME)) == ""


def test_renovate_is_told_only_what_it_understands_and_pins_what_runs(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, "renovate.json"), policies.renovate) == ""


def test_one_tool_alone_updates_dependencies(projects: list[Project]) -> None:
    for project in projects:
        assert project.files("renovate.json"), project
        assert not project.files(".github/dependabot.y*ml"), project


@every_stack
def test_pods_have_no_rights_to_spare_and_survive_a_lost_node(manifests: dict[str, Path], stack: str) -> None:
    documents = list(yaml.safe_load_all(manifests[stack].read_text(encoding="utf-8")))
    assert "\n".join(operations_kubernetes.manifests(documents, NAME)) == ""


def test_no_operational_file_holds_a_secret(projects: list[Project]) -> None:
    files = distinct(projects, *YAML_FILES, *DOCKERFILES, "**/*.env", ".env.example", ".devcontainer/*")
    assert _complaints(files, policies.secrets) == ""


def test_only_the_chosen_ci_and_deployment_are_in_the_project(projects: list[Project]) -> None:
    for project in projects:
        assert bool(project.files(".github/workflows/ci.yml")) == (project.ci == "github"), project
        assert bool(project.files(".github/workflows/release.yml")) == (project.ci == "github"), project
        assert bool(project.files(".gitlab-ci.yml")) == (project.ci == "gitlab"), project
        assert (project.path / "deploy").is_dir() == (project.deploy == "kubernetes"), project


def test_every_project_says_how_to_deploy_update_and_report_a_weakness(projects: list[Project]) -> None:
    for project in projects:
        for name in ("SECURITY.md", "docs/deploy.md", "docs/updating.md", "docs/decisions/0001-stack.md"):
            assert (project.path / name).is_file(), f"{project}: {name} is missing"


def test_the_licence_file_is_the_one_that_was_chosen(projects: list[Project]) -> None:
    for project in projects:
        text = (project.path / "LICENSE").read_text(encoding="utf-8")
        if project.license == "apache-2.0":
            assert hashlib.sha256(text.encode()).hexdigest() == APACHE_SHA256, "not the genuine text"
        else:
            assert f"The {NAME} team" in text
            assert ("MIT License" in text) == (project.license == "mit")
        assert (project.path / "NOTICE").exists() == (project.license == "apache-2.0")


def test_links_between_the_documents_lead_somewhere(projects: list[Project]) -> None:
    broken = [
        f"{project}: {path.relative_to(project.path)} {problem}"
        for project in projects
        for path in project.files("*.md", "docs/**/*.md")
        for problem in policies.links(path, project.path)
    ]
    assert broken == []


# --- each rule is seen to fail ----------------------------------------------------------------------------------------

TOOLS = [
    ToolBreak("Dockerfile", "WORKDIR /srv", "WORKDIR srv", lambda path: [python_tool("hadolint"), path], "DL3000"),
    ToolBreak(
        ".github/workflows/ci.yml",
        "    steps:",
        "    stepps:",
        lambda path: _schema("github-workflows", path),
        "stepps",
    ),
    ToolBreak(".gitlab-ci.yml", "    - npm test", "    - a: b: c", lambda path: _yamllint([path]), "syntax error"),
    ToolBreak(".gitlab-ci.yml", "\nbuild-image:", "\nimage:", lambda path: _schema("gitlab-ci", path), "$.image"),
    ToolBreak("compose.yaml", "interval:", "intervall:", lambda path: _schema("compose-spec", path), "intervall"),
    ToolBreak(
        "renovate.json",
        '"schedule": [',
        '"schedule": 1, "labels": [',
        lambda path: _schema("renovate", path),
        "schedule",
    ),
    ToolBreak(".github/workflows/ci.yml", " # v7.0.1", "", lambda path: _zizmor([_unpinned(path)]), "unpinned-uses"),
    ToolBreak(
        ".github/workflows/ci.yml", "always()", "alway()", lambda path: _actionlint([path]), "undefined function"
    ),
    ToolBreak("compose.yaml", "      database:\n", "      elsewhere:\n", _compose, "elsewhere"),
]


@pytest.fixture(scope="session")
def good(projects: list[Project]) -> dict[str, Path]:
    """Each operational file of the node-ts stack, by its place in the project."""
    files = distinct([project for project in projects if project.stack == "node-ts"], *YAML_FILES, "*", ".dockerignore")
    return {path.relative_to(_root(path, projects)).as_posix(): path for path in files}


def _root(path: Path, projects: list[Project]) -> Path:
    return next(project.path for project in projects if project.path in path.parents)


@pytest.mark.parametrize("case", OUR_RULES, ids=str)
def test_a_broken_file_is_reported(good: dict[str, Path], case: Break) -> None:
    text = broken(good[case.file].read_text(encoding="utf-8"), case.old, case.new)
    assert case.complaint in "\n".join(case.look(text))


@pytest.mark.parametrize(("old", "new", "complaint"), POD_RULES)
def test_a_broken_manifest_is_reported(manifests: dict[str, Path], old: str, new: str, complaint: str) -> None:
    text = manifests["node-ts"].read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(broken(text, old, new)))
    assert complaint in "\n".join(operations_kubernetes.manifests(documents, NAME))


@pytest.mark.parametrize("case", TOOLS, ids=str)
def test_a_validator_reports_a_broken_file(good: dict[str, Path], tmp_path: Path, case: ToolBreak) -> None:
    path = tmp_path / case.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(broken(good[case.file].read_text(encoding="utf-8"), case.old, case.new), encoding="utf-8")
    assert case.complaint in findings(case.command(path), environment=_secrets_of(path))


def test_kubernetes_reports_an_unknown_field(manifests: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    text = manifests["node-ts"].read_text(encoding="utf-8")
    path.write_text(broken(text, "readinessProbe:", "readynessProbe:"), encoding="utf-8")
    assert "readynessProbe" in findings(_kubernetes_validate([path]))


def test_a_dead_link_is_reported(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("[there](README.md), [gone](docs/gone.md), [away](https://example.com/)\n", encoding="utf-8")
    assert list(policies.links(page, tmp_path)) == ["links to docs/gone.md, which is not there"]


def _unpinned(path: Path) -> Path:
    path.write_text(re.sub(r"@[0-9a-f]{40}", "@v7", path.read_text(encoding="utf-8")), encoding="utf-8")
    return path
