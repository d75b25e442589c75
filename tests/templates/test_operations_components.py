"""Optional components and staging render, validate, and keep our rules; each check is seen to fail."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import operations_shared as shared
import pytest
import yaml
from operations_breaks import broken
from operations_components import COMPONENTS, build, complaints
from operations_render import NAME, STACKS, copy_template, render

pytestmark = pytest.mark.full
STACK = "hybrid-node-python-ml"
BREAKS = [
    ("gpu", "gpu/deployment.yaml", "name: ml\nspec", "name: mll\nspec", "error: "),
    ("gpu", "gpu/deployment.yaml", "tolerations:", "tolerationz:", "tolerationz"),
    ("gpu", "gpu/deployment.yaml", "memory: 4Gi\n              nvidia.com/gpu: 1", "memory: 4Gi", "one GPU"),
    ("gpu", "gpu/deployment.yaml", "CUDAExecutionProvider,CPU", "CPU", "not what the model runs on"),
    ("gpu", "gpu/deployment.yaml", "          env:", "          env:\n            - $patch: replace", "taken away"),
    ("job-workers", "job-workers/deployment.yaml", "worker.ts", "migrate.ts", "does not run the worker"),
    ("job-workers", "job-workers/deployment.yaml", "image: app", "image: other:1", "not one release"),
    ("job-workers", "job-workers/deployment.yaml", "replicas: 2", "replicas: 1", "is alone"),
    ("job-workers", "job-workers/deployment.yaml", "name: api-secrets", "name: other", "release and settings"),
    ("job-workers", "job-workers/deployment.yaml", "path: /livez", "path: /readyz", "database is away"),
    ("job-workers", "job-workers/kustomization.yaml", "ML_JOBS_WORKER=false", "ML_JOBS_WORKER=true", "without jobs"),
    ("job-workers", "job-workers/kustomization.yaml", "behavior: merge", "behavior: replace", "what they were"),
    ("job-workers", "job-workers/kustomization.yaml", "name: job-worker", "name: api", "by those who need it"),
    ("job-workers", "job-workers/networkpolicy.yaml", "name: ml", "name: api", "cannot reach the service"),
    ("job-workers", "job-workers/networkpolicy.yaml", "port: 587", "port: 25", "such as mail"),
    ("kserve", "kserve/inferenceservice.yaml", "httpGet:", "httpGett:", "httpGett"),
    ("kserve", "kserve/inferenceservice.yaml", "mountPath: /tmp", "mountPath: /var/tmp", "temporary files"),
    ("kserve", "kserve/inferenceservice.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"),
    ("kserve", "kserve/inferenceservice.yaml", "name: kserve-container", "name: ml", "of its own name"),
    ("kserve", "kserve/inferenceservice.yaml", "Mode: Standard", "Mode: Knative", "would need Knative"),
    ("kserve", "kserve/inferenceservice.yaml", "maxReplicas: 20", "maxReplicas: 2", "cannot be scaled"),
    ("kserve", "kserve/inferenceservice.yaml", "    image: ml\n", "    image: other:latest\n", "not one release"),
    ("kserve", "kserve/kustomization.yaml", "kind: HorizontalPodAutoscaler", "kind: Other", "error: "),
    ("kserve", "kserve/kustomization.yaml", "resources:\n  - inferenceservice.yaml\n", "", "nothing runs the service"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("components")
    template = copy_template(folder / "template")
    return render(template, folder / "project", stack=STACK, deploy="kubernetes", ml_async_jobs=True)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_fits_the_overlay_and_keeps_every_rule(project: Path, tmp_path: Path, component: str) -> None:
    assert complaints(build(project, component, tmp_path), component, tmp_path) == ""


@pytest.mark.parametrize(("component", "file", "old", "new", "complaint"), BREAKS)
def test_a_broken_component_is_reported(
    project: Path, tmp_path: Path, component: str, file: str, old: str, new: str, complaint: str
) -> None:
    shutil.copytree(project / "deploy", tmp_path / "project/deploy")
    path = tmp_path / "project/deploy/kustomize/components" / file
    path.write_text(broken(path.read_text(encoding="utf-8"), old, new), encoding="utf-8")
    assert complaint in complaints(build(tmp_path / "project", component, tmp_path), component, tmp_path)


EXTERNAL, STAGING = "components/external-secrets", "overlays/staging"
BREAKS_OF_ALL = [
    ("components/ingress/ingress.yaml", "name: http\n", "name: web\n", "no service has the port that /"),
    (
        f"../../{shared.PAGE}",
        "      - {op: replace, path: /spec/tls/0/hosts/0, value: api.example.com}\n",
        "",
        "has no certificate",
    ),
    ("components/ingress/ingress.yaml", "  rules:\n", "  rulez:\n", "error: "),
    ("components/gateway/httproute.yaml", "port: 80\n", "port: 3000\n", "no service has the port that it leads to"),
    ("components/gateway/httproute.yaml", "      namespace: gateway\n", "", "among the application's own"),
    ("components/gateway/httproute.yaml", "k8s.io/v1\n", "k8s.io/v1alpha2\n", "its operator has"),
    (
        f"{EXTERNAL}/api-secrets.yaml",
        "target:\n    name: api-secrets",
        "target:\n    name: api",
        "nobody keeps api-secrets",
    ),
    (f"{EXTERNAL}/api-secrets.yaml", "kind: SecretStore", "kind: ClusterSecretStore", "other namespaces read too"),
    (f"{EXTERNAL}/kustomization.yaml", "  - migrate-secrets.yaml\n", "", "nobody keeps migrate-secrets"),
    (
        f"{STAGING}/kustomization.yaml",
        'namespace: "my-shop-staging"',
        "namespace: my-shop",
        "is not in the project's namespace",
    ),
    (f"{STAGING}/kustomization.yaml", "  - namespace.yaml\n", "", "Namespace  is in one of them alone"),
    (f"{STAGING}/kustomization.yaml", "newTag: 0.1.0", "newTag: 0.2.0", "runs other images"),
    (f"{STAGING}/config.env", "TRUST_PROXY=1\n", "", "has other settings"),
    (f"{STAGING}/kustomization.yaml", "/spec/minReplicas", "/spec/replicas/min", "error: "),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_template(tmp_path_factory.mktemp("shared") / "template")


@pytest.fixture(scope="module")
def node_ts(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("shared") / "project", stack="node-ts", deploy="kubernetes")


@dataclass(frozen=True)
class Environments:
    """Manifests of production, of production with every component of the page, and of staging."""

    production: str
    with_all: str
    staging: str

    def complaints(self) -> str:
        """Tell what is wrong with them."""
        found = [shared.complaints(self.with_all, NAME), shared.complaints(self.staging, f"{NAME}-staging")]
        if not any(found):
            both = (list(yaml.safe_load_all(text)) for text in (self.production, self.staging))
            found += shared.differences(*both)
        return "\n".join(filter(None, found))


def environments(project: Path, folder: Path) -> Environments:
    production, staging = (shared.build(project, name, folder / "plain") for name in ("production", "staging"))
    with_all = shared.build(project, "production", folder / "all", shared.documented(project))
    return Environments(production, with_all, staging)


def test_every_stack_has_the_components_and_the_staging_that_its_page_tells_of(template: Path, tmp_path: Path) -> None:
    built = []
    for stack in STACKS:
        project = render(template, tmp_path / stack, stack=stack, deploy="kubernetes")
        of_all = {path.name for path in (project / "deploy/kustomize/components").iterdir()} - {*COMPONENTS}
        assert {f"../../components/{name}" for name in of_all} == {*shared.documented(project)["components"]}, stack
        built.append(environments(project, tmp_path / f"{stack}-built"))
    assert [each.complaints() for each in built] == [""] * len(STACKS)
    texts = [text for each in built for text in (each.with_all, each.staging)]
    assert shared.refused(*texts, folder=tmp_path) == ""
    assert "'pathType' is a required property" in shared.refused(
        texts[0].replace("pathType", "pathTypo"), folder=tmp_path
    )


@pytest.mark.parametrize(("file", "old", "new", "complaint"), BREAKS_OF_ALL)
def test_what_is_broken_in_them_is_reported(
    node_ts: Path, tmp_path: Path, file: str, old: str, new: str, complaint: str
) -> None:
    project = tmp_path / "project"
    for folder in ("deploy", "docs"):
        shutil.copytree(node_ts / folder, project / folder)
    path = project / "deploy/kustomize" / file
    path.write_text(broken(path.read_text(encoding="utf-8"), old, new), encoding="utf-8")
    assert complaint in environments(project, tmp_path).complaints()
