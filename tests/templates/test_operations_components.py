"""The optional components of hybrid projects render, validate, and keep our rules; each check is seen to fail."""

import shutil
from pathlib import Path

import pytest
from operations_breaks import broken
from operations_components import COMPONENTS, build, complaints
from operations_render import copy_template, render

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
