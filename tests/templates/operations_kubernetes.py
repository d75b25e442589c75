"""What no off-the-shelf validator asks of a set of Kubernetes manifests, as problems in words."""

from collections.abc import Iterator, Mapping
from typing import Any

WORKLOADS = ("Deployment", "Job", "CronJob", "StatefulSet", "DaemonSet")
LOWEST_USER = 10_000
LIFE = ("startupProbe", "livenessProbe")

Manifest = Mapping[str, Any]


def manifests(documents: list[Manifest], name: str) -> Iterator[str]:
    """Look at everything that an overlay puts into the cluster."""
    for document in documents:
        label = f"{document['kind']} {document['metadata']['name']}"
        yield from (f"{label}: {problem}" for problem in _any_object(document, name))
        if document["kind"] in WORKLOADS:
            yield from (f"{label}: {problem}" for problem in _workload(document))
        if document["kind"] == "CronJob" and document["metadata"]["name"] == "migrate":
            yield from (f"{label}: {problem}" for problem in _migrations(document["spec"]))
        if document["kind"] == "Deployment":
            yield from (f"{label}: {problem}" for problem in _deployment(document, documents))
        if document["kind"] == "Service":
            yield from (f"{label}: {problem}" for problem in _service(document, documents))
    yield from (f"Job {job['metadata']['name']}: cannot be applied twice" for job in _of_kind(documents, "Job"))
    if "migrate" not in [cron["metadata"]["name"] for cron in _of_kind(documents, "CronJob")]:
        yield "nothing applies the migrations: a CronJob to make Jobs from is missing"


def _of_kind(documents: list[Manifest], kind: str) -> list[Manifest]:
    return [document for document in documents if document["kind"] == kind]


def _any_object(document: Manifest, name: str) -> Iterator[str]:
    metadata = document["metadata"]
    if document["kind"] != "Namespace" and metadata.get("namespace") != name:
        yield "is not in the project's namespace"
    if document["kind"] == "Secret":
        yield "a secret is in the repository"
    if document["kind"] == "Namespace" and metadata["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "does not hold pods to the restricted standard"


def _pod(document: Manifest) -> Manifest:
    spec = document["spec"]["jobTemplate"]["spec"] if document["kind"] == "CronJob" else document["spec"]
    template: Manifest = spec["template"]
    return template


def _workload(document: Manifest) -> Iterator[str]:
    pod = _pod(document)["spec"]
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "may run as root, or as a user without a number"
    elif context["runAsUser"] < LOWEST_USER:
        yield "runs as a user that may exist on the node"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "may make any system call"
    if pod.get("automountServiceAccountToken") is not False:
        yield "is given a token for the cluster's API"
    kept = any("persistentVolumeClaim" in volume for volume in pod["volumes"])
    if kept and context.get("fsGroupChangePolicy") != "OnRootMismatch":
        yield "changes the owner of every file that is kept, at every start"
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        yield from (f"container {container['name']}: {problem}" for problem in _container(container))


def _container(container: Manifest) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write into its image"
    if container.get("imagePullPolicy") != "Always":
        yield "could start an image that is cached on the node without asking the registry"
    if "/tmp" not in [mount["mountPath"] for mount in container.get("volumeMounts", [])]:  # noqa: S108 - in a container
        yield "has nowhere to put temporary files"
    resources = container.get("resources", {})
    for kind in ("requests", "limits"):
        if not {"cpu", "memory"} <= set(resources.get(kind, {})):
            yield f"does not state its {kind}"
    image = container["image"]
    if "/" not in image or image.endswith(":latest") or not ("@sha256:" in image or ":" in image.rpartition("/")[2]):
        yield f"image {image} is not one release in a registry"


def _migrations(spec: Manifest) -> Iterator[str]:
    if spec.get("suspend") is not True:
        yield "runs by the clock, and not when a release does"
    if "activeDeadlineSeconds" not in spec["jobTemplate"]["spec"]:
        yield "may never end, and who waits for it neither"


def _deployment(document: Manifest, documents: list[Manifest]) -> Iterator[str]:
    template = _pod(document)
    labels = template["metadata"]["labels"]
    if not any(selects(policy["spec"]["podSelector"], labels) for policy in _of_kind(documents, "NetworkPolicy")):
        yield "no NetworkPolicy selects it"
    for container in template["spec"]["containers"]:
        yield from _probed(container)
        if any(service["spec"]["selector"].items() <= labels.items() for service in _of_kind(documents, "Service")):
            yield from _served(container, template["spec"].get("terminationGracePeriodSeconds", 30))
    yield from _availability(document, documents, labels)


def _probed(container: Manifest) -> Iterator[str]:
    # What no one connects to is ready once it has started.
    for probe in ("startupProbe", "livenessProbe", "readinessProbe") if "ports" in container else LIFE:
        if probe not in container:
            yield f"{probe} is missing"
    if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/readyz":
        yield "would be killed whenever the database is away"


def _served(container: Manifest, grace: int) -> Iterator[str]:
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if not 0 < pause < grace:
        yield "is stopped while requests are still sent to it"


def _availability(document: Manifest, documents: list[Manifest], labels: Mapping[str, str]) -> Iterator[str]:
    if not any(selects(budget["spec"]["selector"], labels) for budget in _of_kind(documents, "PodDisruptionBudget")):
        yield "no PodDisruptionBudget selects it"
    name, replicas = document["metadata"]["name"], document["spec"].get("replicas")
    scaled = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in _of_kind(documents, "HorizontalPodAutoscaler")]
    if name in scaled and replicas is not None:
        yield "each apply would undo the autoscaler"
    if name not in scaled and (replicas or 1) < 2:
        yield "is alone: neither two replicas nor an autoscaler"


def _service(document: Manifest, documents: list[Manifest]) -> Iterator[str]:
    selected = [
        _pod(deployment)
        for deployment in _of_kind(documents, "Deployment")
        if selects({"matchLabels": document["spec"]["selector"]}, _pod(deployment)["metadata"]["labels"])
    ]
    if len(selected) != 1:
        yield f"sends requests to {len(selected)} deployments"
    ports = [
        port["name"]
        for pod in selected
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    ]
    for port in document["spec"]["ports"]:
        if port["targetPort"] not in ports:
            yield f"no container has the port {port['targetPort']}"


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Tell whether a selector takes pods with these labels."""
    exact = selector.get("matchLabels", {})
    one_of = [rule for rule in selector.get("matchExpressions", []) if rule["operator"] == "In"]
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        labels.get(rule["key"]) in rule["values"] for rule in one_of
    )
