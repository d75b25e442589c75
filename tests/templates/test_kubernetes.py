"""Every overlay and component meets a real Kubernetes API server: taken as it is, with a second release on top.

The operators whose objects the components make are there by their definitions alone, but KServe, whose InferenceService
is looked at as the Deployment that it makes. See `kubernetes_server` for what is not there.
"""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_server
import pytest
import yaml
from grounds import template
from kubernetes_server import Cluster, kustomize
from operations_components import plain
from operations_render import STACKS, copy_template
from operations_render import render as render_files
from releases import oldest_middle_newest, released, stacks_of

from stackgen import render

pytestmark = pytest.mark.release
OVERLAYS = "deploy/kustomize/overlays"
MONITORING = "../../../../monitoring"
SCRAPING = f"{MONITORING}/scraping"
SECOND = "registry.example.com/shop@sha256:" + "2" * 64
JOBS = {"hybrid-node-python-ml": {"ml_async_jobs": True}, "go": {"jobs": True}}
GATEWAY, SECRETS = ("../../components/gateway",), ("../../components/external-secrets",)
# Which file of a project, what in it becomes what, with which components, and what the server says then.
BREAKS = [
    ("deploy/kustomize/components/gateway/httproute.yaml", "hostnames:", "hosts:", GATEWAY, "spec.hosts"),
    ("deploy/kustomize/components/gateway/httproute.yaml", "- name: gateway", "- name: 7", GATEWAY, "must be of type"),
    (
        "deploy/kustomize/components/external-secrets/api-secrets.yaml",
        "  secretStoreRef:",
        "  store:",
        SECRETS,
        "store",
    ),
    ("monitoring/scraping/podmonitor.yaml", "podMetricsEndpoints:", "endpoints:", (MONITORING,), "spec.endpoints"),
    ("deploy/kustomize/base/service.yaml", "targetPort: http", "targetPort: HTTP", (), "targetPort"),
    ("deploy/kustomize/base/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", (), "runAsNonRoot"),
    ("deploy/kustomize/base/deployment.yaml", "cpu: 100m", "cpu: much", (), "quantities"),
]
# When each release came to have manifests does not matter: what has none is passed over.
UPDATED = [
    (version, stack)
    for version in oldest_middle_newest(list(released()))
    for stack in STACKS
    if stack in stacks_of(version)
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with kubernetes_server.running() as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_template(tmp_path_factory.mktemp("template") / "template")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("releases"))


def apply(cluster: Cluster, overlay: Path) -> None:
    """Apply an overlay with the command of the project's docs."""
    done = cluster.kubectl("apply", "--kustomize", overlay)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr


def take(overlay: Path, *components: str) -> None:
    """Let an overlay take components."""
    path = overlay / "kustomization.yaml"
    kept = yaml.safe_load(path.read_text(encoding="utf-8"))
    kept["components"] = list(components)
    path.write_text(yaml.safe_dump(kept), encoding="utf-8")


def pods(cluster: Cluster, namespace: str) -> Iterator[dict[str, Any]]:
    """Give the pods that the controllers would make."""
    for item in cluster.objects(namespace, "deployments,cronjobs"):
        spec = item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]
        name = item["metadata"]["name"]
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": {**spec["template"]["metadata"], "name": name}} | {
            "spec": spec["template"]["spec"]
        }


def admitted(cluster: Cluster, namespace: str, pod: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    return cluster.kubectl("--namespace", namespace, "create", "--dry-run=server", "--filename=-", given=pod)


def components_of(project: Path) -> list[tuple[str, ...]]:
    """Give nothing, each component by itself, and all of them; KServe's cannot be with the GPU's of the same pods."""
    every = sorted(f"../../components/{path.name}" for path in (project / "deploy/kustomize/components").iterdir())
    every.append(MONITORING)
    kserve = "../../components/kserve"
    return [(), (SCRAPING,), *((one,) for one in every if one != kserve), tuple(one for one in every if one != kserve)]


@pytest.mark.parametrize("overlay", ["production", "staging"])
@pytest.mark.parametrize("stack", STACKS)
def test_an_overlay_is_taken_with_each_component_and_its_pods_are_admitted(
    cluster: Cluster, files: Path, tmp_path: Path, stack: str, overlay: str
) -> None:
    name = f"{stack[:6].rstrip('-')}-all"
    project = render_files(
        files, tmp_path / "project", stack=stack, name=name, deploy="kubernetes", **JOBS.get(stack, {})
    )
    place = project / OVERLAYS / overlay
    namespace = name if overlay == "production" else f"{name}-staging"
    for components in components_of(project):
        take(place, *components)
        apply(cluster, place)
        made = list(pods(cluster, namespace))
        assert {"api", "migrate"} & {pod["metadata"]["name"] for pod in made}, made
        for pod in made:
            done = admitted(cluster, namespace, pod)
            assert done.returncode == 0, (components, pod["metadata"]["name"], done.stderr)
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}}
    refused = admitted(cluster, namespace, {**bare, "spec": {"containers": [{"name": "bare", "image": "bare"}]}})
    assert 'violates PodSecurity "restricted:latest"' in refused.stderr


@pytest.mark.parametrize(("file", "old", "new", "components", "complaint"), BREAKS)
def test_a_mistake_is_refused(
    cluster: Cluster,
    files: Path,
    tmp_path: Path,
    file: str,
    old: str,
    new: str,
    components: tuple[str, ...],
    complaint: str,
) -> None:
    name = f"mistake-{tmp_path.name[-20:].strip('_').replace('_', '-').lower()}"
    project = render_files(files, tmp_path / "project", stack="node-ts", name=name, deploy="kubernetes")
    overlay = project / OVERLAYS / "production"
    text = (project / file).read_text(encoding="utf-8")
    assert old in text
    (project / file).write_text(text.replace(old, new), encoding="utf-8")
    take(overlay, *components)
    said = [cluster.kubectl("apply", "--kustomize", overlay)]
    if said[0].returncode == 0:
        said = [admitted(cluster, name, pod) for pod in pods(cluster, name)]
    assert any(complaint in one.stderr for one in said), said
    assert any(one.returncode for one in said), said


def test_what_kserve_would_make_is_taken(cluster: Cluster, files: Path, tmp_path: Path) -> None:
    stack = "hybrid-node-python-ml"
    project = render_files(files, tmp_path / "project", stack=stack, name="kserve", deploy="kubernetes")
    overlay = project / OVERLAYS / "production"
    take(overlay, "../../components/kserve")
    built = cluster.kubectl("kustomize", overlay)
    assert built.returncode == 0, built.stderr
    documents = [plain(document) for document in yaml.safe_load_all(built.stdout)]
    done = cluster.kubectl("apply", "--filename=-", given={"apiVersion": "v1", "kind": "List", "items": documents})
    assert done.returncode == 0, done.stderr
    for pod in pods(cluster, "kserve"):
        assert admitted(cluster, "kserve", pod).returncode == 0


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_release_goes_on_top_and_is_taken_back(
    cluster: Cluster, files: Path, tmp_path: Path, stack: str
) -> None:
    name = f"{stack[:6].rstrip('-')}-twice"
    project = render_files(
        files, tmp_path / "project", stack=stack, name=name, deploy="kubernetes", **JOBS.get(stack, {})
    )
    overlay = project / OVERLAYS / "production"
    first = (overlay / "kustomization.yaml").read_text(encoding="utf-8")
    apply(cluster, overlay)
    assert migrations(cluster, project, name, "Complete") == 0
    kustomize(overlay, "edit", "set", "image", f"app={SECOND}")
    with (overlay / "config.env").open("a", encoding="utf-8") as settings:
        settings.write("LOG_LEVEL=debug\n")
    apply(cluster, overlay)
    assert SECOND in images(cluster, name)
    assert migrations(cluster, project, name, "Failed") == 1
    (overlay / "kustomization.yaml").write_text(first, encoding="utf-8")
    apply(cluster, overlay)
    assert SECOND not in images(cluster, name)


@pytest.mark.parametrize("stack", STACKS)
def test_after_a_change_of_secrets_the_command_of_the_page_rolls_every_pod(
    cluster: Cluster, files: Path, tmp_path: Path, stack: str
) -> None:
    name = f"{stack[:6].rstrip('-')}-secrets"
    project = render_files(
        files, tmp_path / "project", stack=stack, name=name, deploy="kubernetes", **JOBS.get(stack, {})
    )
    apply(cluster, project / OVERLAYS / "production")
    page = (project / "docs/kubernetes.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"\*\*Secrets\.\*\*.*`kubectl (.+)`", page)
    done = cluster.kubectl(*command.split())
    assert done.returncode == 0, done.stderr
    templates = [item["spec"]["template"]["metadata"] for item in cluster.objects(name, "deployments")]
    assert templates
    assert all("kubectl.kubernetes.io/restartedAt" in each["annotations"] for each in templates)


def images(cluster: Cluster, namespace: str) -> set[str]:
    return {container["image"] for pod in pods(cluster, namespace) for container in pod["spec"]["containers"]}


def migrations(cluster: Cluster, project: Path, namespace: str, end: str) -> int:
    """Run the script of the docs, and say of its Job what a controller would; give the exit code."""
    before = {job["metadata"]["name"] for job in cluster.objects(namespace, "jobs")}
    script = [*("sh", str(project / "deploy/kustomize/migrate.sh")), namespace]
    path = f"{cluster.bin}:{os.environ['PATH']}"
    with subprocess.Popen(script, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, text=True) as process:
        stopper = threading.Timer(600, process.kill)
        stopper.start()
        try:
            (job,) = new_jobs(cluster, namespace, before, process)
            conclude(cluster, namespace, job, end)
            process.communicate()
        finally:
            stopper.cancel()
    return process.returncode


def new_jobs(cluster: Cluster, namespace: str, before: set[str], process: "subprocess.Popen[str]") -> list[str]:
    while process.poll() is None:
        made = {job["metadata"]["name"] for job in cluster.objects(namespace, "jobs")} - before
        if made:
            return list(made)
    pytest.fail("the script has made no Job")


def conclude(cluster: Cluster, namespace: str, job: str, end: str) -> None:
    first = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[end]
    at = "2026-01-01T00:00:00Z"
    conditions = [
        {"type": kind, "status": "True", "reason": "Tested", "lastProbeTime": at, "lastTransitionTime": at}
        for kind in (first, end)
    ]
    status: dict[str, Any] = {"startTime": at, "conditions": conditions}
    if end == "Complete":
        status |= {"completionTime": at, "succeeded": 1}
    patch = yaml.safe_dump({"status": status})
    done = cluster.kubectl(
        "--namespace", namespace, "patch", "job", job, "--subresource=status", "--type=merge", "--patch", patch
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("version", "stack"), UPDATED)
def test_what_an_old_release_has_put_into_the_cluster_is_updated(
    cluster: Cluster, releases: Path, files: Path, tmp_path: Path, version: str, stack: str
) -> None:
    name = f"{stack[:6].rstrip('-')}-{version.replace('.', '-')}"
    answers: dict[str, object] = {"stack": stack, "name": name, "deploy": "kubernetes"}
    render.make(str(releases), f"v{version}", tmp_path / "old", answers)
    old = tmp_path / "old" / OVERLAYS / "production"
    first = cluster.kubectl("apply", "--kustomize", old)
    assert first.returncode == 0, first.stderr
    apply(cluster, render_files(files, tmp_path / "new", **answers) / OVERLAYS / "production")
