"""The hybrid's optional Kustomize components, put into the production overlay as its documentation says."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import operations_kubernetes
import yaml
from operations_render import NAME
from operations_tools import findings, go_tool, kubernetes_validate, run

COMPONENTS = ("gpu", "job-workers", "kserve")
GPU = "nvidia.com/gpu"
LABEL = "app.kubernetes.io/name"
# What KServe adds to a pod's specification in an InferenceService's predictor.
OF_KSERVE = {"labels", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}

Manifest = Mapping[str, Any]


def build(project: Path, component: str, folder: Path) -> str:
    """Give the manifests of the production overlay with one component; a component that does not fit is an error."""
    shutil.copytree(project / "deploy", folder / "deploy")
    overlay = folder / "deploy/kustomize/overlays/production"
    with (overlay / "kustomization.yaml").open("a", encoding="utf-8") as kustomization:
        kustomization.write(f"components: [../../components/{component}]\n")
    result = run([go_tool("kustomize"), "build", overlay])
    return result.stdout if result.returncode == 0 else f"error: {result.stderr}"


def complaints(text: str, component: str, folder: Path) -> str:
    """Tell what Kubernetes and our own rules have against the manifests; nothing when they are content."""
    if text.startswith("error: "):
        return text
    documents = [plain(document) for document in yaml.safe_load_all(text)]
    path = folder / "manifests.yaml"
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    looks = LOOKS[component](list(yaml.safe_load_all(text)))
    found = [findings(kubernetes_validate([path])), *operations_kubernetes.manifests(documents, NAME), *looks]
    return "\n".join(filter(None, found))


def plain(document: Manifest) -> Manifest:
    """Give the Deployment that KServe makes of an InferenceService, which the rules for pods then hold for."""
    if document["kind"] != "InferenceService":
        return document
    predictor = document["spec"]["predictor"]
    pod = {key: value for key, value in predictor.items() if key not in OF_KSERVE}
    labels = predictor["labels"]
    spec = {
        "replicas": predictor["minReplicas"],
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": document["metadata"], "spec": spec}


def _gpu(documents: list[Manifest]) -> Iterator[str]:
    container = _container(_the(documents, "Deployment"))
    if container["resources"]["limits"].get(GPU) != 1 or container["resources"]["requests"].get(GPU) != 1:
        yield "each pod has to ask for one GPU"
    providers = {variable["name"]: variable.get("value", "") for variable in container["env"]}
    if not providers.get("ML_PROVIDERS", "").startswith("CUDAExecutionProvider,"):
        yield "the GPU is not what the model runs on"
    if not {"ML_SERVICE_TOKEN"} <= set(providers):
        yield "the component has taken away what the deployment had"


def _kserve(documents: list[Manifest]) -> Iterator[str]:
    kinds = {document["kind"] for document in documents if document["metadata"]["name"] == "ml"}
    if kinds & {"Deployment", "HorizontalPodAutoscaler"}:
        yield "two would run and scale the service"
    services = [document for document in documents if document["kind"] == "InferenceService"]
    for service in services:
        yield from _inference_service(service)
    if not services:
        yield "nothing runs the service"


def _inference_service(service: Manifest) -> Iterator[str]:
    if service["metadata"]["annotations"].get("serving.kserve.io/deploymentMode") != "Standard":
        yield "would need Knative"
    predictor = service["spec"]["predictor"]
    if predictor["containers"][0]["name"] != "kserve-container":
        yield "KServe looks for a container of its own name"
    if not predictor["minReplicas"] < predictor["maxReplicas"]:
        yield "cannot be scaled"


def _job_workers(documents: list[Manifest]) -> Iterator[str]:
    worker, api = (_the(documents, "Deployment", name) for name in ("job-worker", "api"))
    if _container(worker)["command"] != ["node", "apps/api/src/commands/worker.ts"]:
        yield "does not run the worker"
    if (
        _container(worker)["image"] != _container(api)["image"]
        or _container(worker)["envFrom"] != _container(api)["envFrom"]
    ):
        yield "is not of the API's release and settings"
    config = next(one for one in documents if one["kind"] == "ConfigMap")["data"]
    if config.get("ML_JOBS_WORKER") != "false" or "ML_URL" not in config or "PUBLIC_URL" not in config:
        yield "the API's settings are not what they were, without jobs"
    allowed = _the(documents, "NetworkPolicy")["spec"]["ingress"][0]["from"]
    if [peer["podSelector"]["matchLabels"][LABEL] for peer in allowed] != ["api", "job-worker"]:
        yield "the service may be reached by others, or not by those who need it"
    peers = [
        peer for rule in _the(documents, "NetworkPolicy", "job-worker")["spec"]["egress"] for peer in rule.get("to", [])
    ]
    if {"podSelector": {"matchLabels": {LABEL: "ml"}}} not in peers:
        yield "the workers cannot reach the service"
    if _outward(documents, "job-worker") != _outward(documents, "api"):
        yield "the workers cannot do what the API leaves to them, such as mail"


def _outward(documents: list[Manifest], name: str) -> list[object]:
    """Give the rules by which pods reach what is not in the cluster."""
    rules = _the(documents, "NetworkPolicy", name)["spec"]["egress"]
    return [rule for rule in rules if any("ipBlock" in peer for peer in rule.get("to", []))]


LOOKS: Mapping[str, Callable[[list[Manifest]], Iterator[str]]] = {
    "gpu": _gpu,
    "job-workers": _job_workers,
    "kserve": _kserve,
}


def _the(documents: list[Manifest], kind: str, name: str = "ml") -> Manifest:
    return next(one for one in documents if one["kind"] == kind and one["metadata"]["name"] == name)


def _container(deployment: Manifest) -> Manifest:
    container: Manifest = deployment["spec"]["template"]["spec"]["containers"][0]
    return container
