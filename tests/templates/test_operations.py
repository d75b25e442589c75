"""Every operational file that a project can be given is put through the field's validators and our own rules.

Files are rendered for each stack, deployment, CI and licence; each distinct file is looked at once.
`test_operations_broken.py` sees each of these tests fail.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import operations_kubernetes
import operations_policies as policies
import pytest
import yaml
from operations_render import (
    DOCKERFILES,
    NAME,
    STACKS,
    WORKFLOWS,
    YAML_FILES,
    Project,
    copy_template,
    distinct,
    one_of_each_stack,
    render,
)
from operations_tools import (
    actionlint,
    compose,
    compose_config,
    findings,
    kubernetes_validate,
    python_tool,
    schema,
    secrets_of,
    yamllint,
    zizmor,
)

SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "gitlab-ci": (".gitlab-ci.yml", ".gitlab/*.yml"),
    "compose-spec": ("compose.yaml",),
    "renovate": ("renovate.json",),
}
APACHE_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"

every_stack = pytest.mark.parametrize("stack", STACKS)


def _complaints(paths: Iterable[Path], look: Callable[[str], Iterable[str]]) -> str:
    return "\n".join(f"{path}: {problem}" for path in paths for problem in look(path.read_text(encoding="utf-8")))


# --- the field's validators -------------------------------------------------------------------------------------------


def test_hadolint_is_content_with_every_dockerfile(projects: list[Project]) -> None:
    assert all(project.files("Dockerfile") for project in projects)
    files = distinct(projects, *DOCKERFILES)
    assert findings([python_tool("hadolint"), "--failure-threshold", "style", *files]) == ""


@pytest.mark.parametrize("name", SCHEMAS)
def test_files_follow_their_published_schema(projects: list[Project], name: str) -> None:
    files = distinct(projects, *SCHEMAS[name])
    assert files
    assert findings(schema(name, *files)) == ""


def test_zizmor_finds_no_weakness_in_any_workflow(projects: list[Project]) -> None:
    assert findings(zizmor(distinct(projects, *WORKFLOWS))) == ""


@pytest.mark.full
def test_actionlint_is_content_with_every_workflow(projects: list[Project]) -> None:
    assert findings(actionlint(distinct(projects, *WORKFLOWS))) == ""


def test_yamllint_finds_no_mistake_in_any_yaml_file(projects: list[Project]) -> None:
    assert findings(yamllint(distinct(projects, *YAML_FILES))) == ""


@pytest.mark.full
def test_kubernetes_accepts_every_manifest_with_no_unknown_field(manifest_of: Callable[[str], Path]) -> None:
    assert findings(kubernetes_validate(map(manifest_of, STACKS))) == ""


@pytest.mark.full
def test_compose_files_refuse_to_start_without_their_secrets(projects: list[Project]) -> None:
    for path in distinct(projects, "compose.yaml"):
        refusal = findings([compose_config(), path], environment={})
        for name in policies.required_variables(path.read_text(encoding="utf-8")):
            assert f"required variable {name} is missing a value" in refusal, path


@pytest.mark.full
def test_compose_files_need_nothing_but_their_secrets(projects: list[Project]) -> None:
    for path in distinct(projects, "compose.yaml"):
        assert findings(compose(path), environment=secrets_of(path)) == ""


def test_the_documented_trial_run_sets_what_compose_files_insist_on(projects: list[Project]) -> None:
    for project in one_of_each_stack(projects):
        page = (project.path / "docs" / "deploy.md").read_text(encoding="utf-8")
        needed = policies.required_variables((project.path / "compose.yaml").read_text(encoding="utf-8"))
        assert {name for name in needed if f'echo "{name}=' not in page} == set(), project


# --- our own rules ----------------------------------------------------------------------------------------------------


def test_workflows_have_the_least_rights_and_run_only_what_is_pinned(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, *WORKFLOWS), policies.workflow) == ""


def test_the_pipelines_of_a_tool_alone_keep_the_same_rules(tmp_path: Path) -> None:
    template = copy_template(tmp_path / "template")
    github, gitlab = (render(template, tmp_path / ci, stack="go", kind="cli", ci=ci) for ci in ("github", "gitlab"))
    workflows = sorted(github.glob(WORKFLOWS[0]))
    assert {"ci.yml", "release.yml"} <= {path.name for path in workflows}
    assert _complaints(workflows, policies.workflow) == ""
    assert _complaints([gitlab / ".gitlab-ci.yml"], policies.gitlab) == ""
    assert findings(zizmor(workflows)) == ""
    assert findings(schema("github-workflows", *workflows)) == ""
    assert findings(schema("gitlab-ci", gitlab / ".gitlab-ci.yml")) == ""


def test_gitlab_pipelines_end_in_time_and_run_named_versions(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, ".gitlab-ci.yml"), policies.gitlab) == ""


def test_images_are_small_run_without_root_and_tell_their_health(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, *DOCKERFILES), policies.dockerfile) == ""


def test_history_and_secrets_never_reach_the_image_builder(projects: list[Project]) -> None:
    assert all(project.files(".dockerignore") for project in projects)
    assert _complaints(distinct(projects, "**/.dockerignore"), policies.dockerignore) == ""


def test_compose_projects_are_their_own_and_closed_to_the_network(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, "compose.yaml"), lambda text: policies.compose(text, NAME)) == ""


def test_renovate_is_told_only_what_it_understands_and_pins_what_runs(projects: list[Project]) -> None:
    assert _complaints(distinct(projects, "renovate.json"), policies.renovate) == ""


def test_one_tool_alone_updates_dependencies(projects: list[Project]) -> None:
    for project in projects:
        assert project.files("renovate.json"), project
        assert not project.files(".github/dependabot.y*ml"), project


@pytest.mark.full
@every_stack
def test_pods_have_no_rights_to_spare_and_survive_a_lost_node(manifest_of: Callable[[str], Path], stack: str) -> None:
    documents = list(yaml.safe_load_all(manifest_of(stack).read_text(encoding="utf-8")))
    assert "\n".join(operations_kubernetes.manifests(documents, NAME)) == ""


def test_no_operational_file_holds_a_secret(projects: list[Project]) -> None:
    files = distinct(projects, *YAML_FILES, *DOCKERFILES, "**/*.env", ".env.example", ".devcontainer/*")
    assert _complaints(files, policies.secrets) == ""


def test_only_the_chosen_ci_and_deployment_are_in_the_project(projects: list[Project]) -> None:
    for project in projects:
        assert bool(project.files(".github/workflows/ci.yml")) == (project.ci == "github"), project
        assert bool(project.files(".github/workflows/release.yml")) == (project.ci == "github"), project
        assert bool(project.files(".github/workflows/template-update.yml")) == (project.ci == "github"), project
        assert len(project.files(".gitlab-ci.yml", ".gitlab/template-update.yml")) == 2 * (project.ci == "gitlab"), (
            project
        )
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
