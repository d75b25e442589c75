"""Image, compose file, manifests, pipelines and documents speak of the same ports, settings, files and scripts."""

import shutil
from collections.abc import Callable
from pathlib import Path

import operations_agreement as agreement
import pytest
from operations_breaks import broken
from operations_render import DOCKERFILES, STACKS, TEMPLATES, WORKFLOWS, YAML_FILES, Project, one_of_each_stack

from stackgen import policies

every_stack = pytest.mark.parametrize("stack", STACKS)


@pytest.mark.full
@every_stack
def test_images_compose_files_and_manifests_mean_the_same_ports(
    projects_of: Callable[[str], list[Project]], manifest_of: Callable[[str], Path], stack: str
) -> None:
    (project,) = one_of_each_stack(projects_of(stack))
    exposed = agreement.exposed_ports(project.files(*DOCKERFILES))
    assert agreement.compose_ports(project.path / "compose.yaml") <= exposed
    assert agreement.manifest_ports(manifest_of(stack)) <= exposed


@pytest.mark.full
@every_stack
def test_the_network_lets_through_what_the_documentation_tells_to_use(
    projects_of: Callable[[str], list[Project]], manifest_of: Callable[[str], Path], stack: str
) -> None:
    (project,) = one_of_each_stack(projects_of(stack), deploy="kubernetes")
    manifest = manifest_of(stack)
    told = {"api": project.files(".env.example", "docs/deploy.md", "docs/kubernetes.md", "docs/*-on-kubernetes.md")}
    told["ml"] = project.files("services/ml/.env.example")
    for app, pages in told.items():
        if pages:
            assert agreement.documented_ports(pages) <= agreement.admitted_ports(manifest, app), app
    for app, port in agreement.scraped_ports(manifest).items():
        assert port in agreement.admitted_ports(manifest, app), f"Prometheus cannot reach {app}"
        assert port not in agreement.open_ports(manifest, app), f"anybody can read the metrics of {app}"


def test_each_kind_of_address_has_its_port(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "smtps://user:password@host, `smtp://…:2525`, http://localhost:4318. postgresql://u:p@host:6432/d", "utf-8"
    )
    assert agreement.documented_ports([page]) == {465, 587, 4318, 6432}


@pytest.mark.full
@pytest.mark.parametrize("stack", ["python-django", "hybrid-node-python-ml"])
def test_pipelines_test_the_python_that_the_images_have(
    projects_of: Callable[[str], list[Project]], stack: str
) -> None:
    for project in projects_of(stack):
        ours, theirs = agreement.pythons(project.files(*DOCKERFILES), project.files(*WORKFLOWS, ".gitlab-ci.yml"))
        assert len(ours) == 1, project
        assert theirs <= ours, project
        assert theirs == ours or project.ci != "github", project


PINNING = (*DOCKERFILES, ".github/workflows/*.yml", ".gitlab-ci.yml", "Makefile", ".devcontainer/*.json")


@pytest.mark.full
@every_stack
def test_renovate_finds_every_tool_that_is_pinned_and_looks_for_no_image_of_our_own(
    projects_of: Callable[[str], list[Project]], stack: str
) -> None:
    for project in projects_of(stack):
        assert agreement.unwatched_pins(project.path, project.files(*PINNING)) == [], project
        images, sought = agreement.own_images(project.path)
        assert (bool(images), sought) == (True, []), project


@every_stack
def test_renovate_groups_what_the_template_pins_apart_from_what_is_the_owners(
    projects_of: Callable[[str], list[Project]], stack: str
) -> None:
    for project in projects_of(stack):
        pinned = [path.relative_to(project.path).as_posix() for path in project.files(*PINNING, "compose.yaml")]
        assert len(pinned) >= 3, project
        for name in [*pinned, "package.json", "go.mod", "pyproject.toml", "deploy/kustomize/overlays/local/x.yaml"]:
            group = agreement.renovate_does(project.path, FileNames=name, UpdateTypes="minor")["groupName"]
            assert group == ("images, actions and tools" if name in pinned else "all non-major dependencies"), name
            assert policies.is_maintained(name) == (name in {*pinned} - {"Makefile"})


ADDRESSES = ("https://example.com/t.git", "git+ssh://git@example.com/t", "git@example.com:acme/t.git", "git://a/t")
PLACES = ("~/.local/share/stackgen/templates.bundle", "/srv/templates", "../t", "C:\\templates", "templates@2/t.bundle")


@every_stack
def test_renovate_updates_from_a_template_that_has_an_address_and_leaves_any_other(
    projects_of: Callable[[str], list[Project]], stack: str
) -> None:
    for project in projects_of(stack):
        for origin in (*ADDRESSES, *PLACES):
            does = agreement.renovate_does(
                project.path, Managers="copier", Datasources="git-tags", DepNames=origin, UpdateTypes="minor"
            )
            assert does["enabled"] is (origin in ADDRESSES), origin
            # Git has no dates for its tags: what waits for days would wait for ever.
            assert (does["groupName"], does["minimumReleaseAge"]) == ("template", None)


@every_stack
def test_each_container_is_asked_for_the_health_of_what_it_runs(
    projects_of: Callable[[str], list[Project]], stack: str, tmp_path: Path
) -> None:
    (project,) = one_of_each_stack(projects_of(stack))
    compose = (project.path / "compose.yaml").read_text(encoding="utf-8")
    assert agreement.asked_for_another(project.path / "compose.yaml", project.path / "Dockerfile") == []
    if stack == "python-django":
        unasked = tmp_path / "compose.yaml"
        unasked.write_text(broken(compose, "      test: [CMD, python, -m", "    x-test: [CMD, python"), "utf-8")
        assert agreement.asked_for_another(unasked, project.path / "Dockerfile") == ["worker"]


@every_stack
def test_deployment_files_use_only_settings_that_the_example_explains(
    projects_of: Callable[[str], list[Project]], stack: str
) -> None:
    (project,) = one_of_each_stack(projects_of(stack), deploy="kubernetes")
    explained = set().union(*map(agreement.explained_settings, project.files("**/.env.example")))
    assert agreement.compose_settings(project.path / "compose.yaml") <= explained
    assert agreement.config_settings(project.files("deploy/**/*.env")) <= explained
    assert agreement.trusted_networks(project.files("deploy/**/*.env")) == []


# What holds in the containers whatever a .env that was made for development says.
FIXED = {
    "go": {"api": {"HOST", "PORT", "ADMIN_PORT", "DATABASE_URL", "REQUIRE_DATABASE_URL"}},
    "node-ts": {"api": {"NODE_ENV", "HOST", "PORT", "DATABASE_URL", "MIGRATION_DATABASE_URL"}},
    "python-django": {
        "api": {"DEBUG", "HOST", "PORT", "DATABASE_URL", "REQUIRE_DATABASE_URL", "DATA_DIR", "STATIC_ROOT"}
    },
    "hybrid-node-python-ml": {
        "api": {"NODE_ENV", "HOST", "PORT", "DATABASE_URL", "MIGRATION_DATABASE_URL", "ML_URL"},
        "services/ml": {"ML_HOST", "ML_PORT", "ML_SERVICE_TOKEN", "LOG_LEVEL"},
    },
}


@pytest.mark.full
@every_stack
def test_what_env_says_reaches_the_containers(
    projects_of: Callable[[str], list[Project]], stack: str, tmp_path: Path
) -> None:
    (project,) = one_of_each_stack(projects_of(stack))
    for place, fixed in FIXED[stack].items():
        copy = tmp_path / f"{Path(place).name}-project"
        shutil.copytree(project.path, copy)
        folder = copy if place == "api" else copy / place
        assert agreement.lost_settings(copy, Path(place).name, folder / ".env.example") == fixed
        explained = agreement.explained_settings(folder / ".env.example")
        assert {*agreement.image_settings(folder / "Dockerfile")} & explained <= fixed


# Wherever an image is run, and whatever it is told there: not for development, nor with a database in the container.
OF_THE_IMAGE = {
    "go": {"REQUIRE_DATABASE_URL": "true"},
    "node-ts": {"NODE_ENV": "production"},
    "hybrid-node-python-ml": {"NODE_ENV": "production"},
    "python-django": {"REQUIRE_DATABASE_URL": "true"},
}


@every_stack
def test_an_image_is_for_production_by_itself(projects_of: Callable[[str], list[Project]], stack: str) -> None:
    for project in projects_of(stack):
        given = agreement.image_settings(project.path / "Dockerfile")
        assert given.items() >= OF_THE_IMAGE[stack].items()
        assert "DEBUG" not in given


@every_stack
def test_deployment_files_name_only_files_and_scripts_that_exist(
    projects_of: Callable[[str], list[Project]], stack: str
) -> None:
    (project,) = one_of_each_stack(projects_of(stack), deploy="kubernetes", ci="github")
    files = project.files(*DOCKERFILES, *YAML_FILES, "docs/deploy.md", "docs/kubernetes.md")
    assert agreement.missing_files(files, project.path, TEMPLATES / stack / "project") == []
    assert agreement.missing_scripts(files, project.path) == []


def test_a_file_or_script_that_is_gone_is_reported(tmp_path: Path) -> None:
    page = tmp_path / "Dockerfile"
    page.write_text(
        'COPY gone/ .\nCOPY Docker* .\nRUN npm run gone && npm test\nCMD ["node", "src/gone.ts"]\n', "utf-8"
    )
    (tmp_path / "package.json").write_text('{"scripts": {"test": "true"}}', encoding="utf-8")
    assert agreement.missing_files([page], tmp_path, tmp_path) == ["Dockerfile: gone/", "Dockerfile: src/gone.ts"]
    assert agreement.missing_scripts([page], tmp_path) == ["Dockerfile: npm run gone"]


def test_a_port_or_setting_of_its_own_is_noticed(good: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    text = good["compose.yaml"].read_text(encoding="utf-8")
    path.write_text(
        broken(broken(text, ":3000:3000", ":3000:4000"), "AUTH_SECRET: ", "AUTH_SECERT: "), encoding="utf-8"
    )
    assert agreement.compose_ports(path) == {4000}
    unknown = agreement.compose_settings(path) - agreement.explained_settings(good[".env.example"])
    assert unknown == {"AUTH_SECERT"}
