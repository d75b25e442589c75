"""The components and the overlay that all stacks have, taken as docs/kubernetes-components.md says."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import operations_kubernetes
import yaml
from operations_tools import findings, go_tool, kubernetes_validate, run

PAGE = "docs/kubernetes-components.md"
# In place of the page's host name: where the component's own is left, a patch has missed it.
HOST = "shop.example.org"
# Kinds that an operator brings: the API's schema has none of them.
OF_OPERATORS = {
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "ExternalSecret": "external-secrets.io/v1",
}

Manifest = Mapping[str, Any]


def documented(project: Path) -> dict[str, Any]:
    """Give what all of the page's examples together put into an overlay, for another host."""
    page = (project / PAGE).read_text(encoding="utf-8").replace("api.example.com", HOST)
    asked: dict[str, Any] = {"components": [], "patches": []}
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        for key, values in yaml.safe_load(block).items():
            asked[key] += values
    return asked


def build(project: Path, overlay: str, folder: Path, additions: Mapping[str, Any] | None = None) -> str:
    """Give an overlay's manifests, with something added to it; what cannot be built is an error."""
    shutil.copytree(project / "deploy", folder / "deploy", dirs_exist_ok=True)
    file = folder / "deploy/kustomize/overlays" / overlay / "kustomization.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key, values in (additions or {}).items():
        content[key] = [*content.get(key, []), *values]
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    result = run([go_tool("kustomize"), "build", file.parent])
    return result.stdout if result.returncode == 0 else f"error: {result.stderr}"


def complaints(text: str, name: str) -> str:
    """Tell what the rules for every overlay have against manifests."""
    if text.startswith("error: "):
        return text
    documents = list(yaml.safe_load_all(text))
    return "\n".join([*operations_kubernetes.manifests(documents, name), *components(documents)])


def refused(*texts: str, folder: Path) -> str:
    """Tell what the API's schema has against manifests."""
    paths = [folder / f"manifests-{number}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        known = [one for one in yaml.safe_load_all(text) if one["kind"] not in OF_OPERATORS]
        path.write_text(yaml.safe_dump_all(known), encoding="utf-8")
    return findings(kubernetes_validate(paths))


def components(documents: list[Manifest]) -> Iterator[str]:
    """Tell what is wrong with what the components have brought."""
    for document in documents:
        expected = OF_OPERATORS.get(document["kind"], document["apiVersion"])
        if document["apiVersion"] != expected:
            yield f"{document['kind']}: its operator has {expected}"
    for ingress in _of_kind(documents, "Ingress"):
        yield from (f"Ingress: {problem}" for problem in _ingress(ingress, documents))
    for route in _of_kind(documents, "HTTPRoute"):
        yield from (f"HTTPRoute: {problem}" for problem in _route(route, documents))
    kept = {one["spec"]["target"]["name"]: one for one in _of_kind(documents, "ExternalSecret")}
    if kept:
        yield from (f"ExternalSecret: {problem}" for problem in _secrets(kept, documents))


def _of_kind(documents: list[Manifest], kind: str) -> list[Manifest]:
    return [document for document in documents if document["kind"] == kind]


def _ports(documents: list[Manifest], service: str) -> list[Manifest]:
    return [
        port
        for document in _of_kind(documents, "Service")
        if document["metadata"]["name"] == service
        for port in document["spec"]["ports"]
    ]


def _ingress(ingress: Manifest, documents: list[Manifest]) -> Iterator[str]:
    secured = {host for tls in ingress["spec"].get("tls", []) for host in tls["hosts"]}
    for rule in ingress["spec"]["rules"]:
        if rule["host"] != HOST:
            yield f"answers for {rule['host']}, whatever the overlay says"
        if rule["host"] not in secured:
            yield f"{rule['host']} has no certificate"
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            if service["port"].get("name") not in [port["name"] for port in _ports(documents, service["name"])]:
                yield f"no service has the port that {path['path']} leads to"


def _route(route: Manifest, documents: list[Manifest]) -> Iterator[str]:
    if route["spec"]["hostnames"] != [HOST]:
        yield f"answers for {route['spec']['hostnames']}, whatever the overlay says"
    if not all("namespace" in parent for parent in route["spec"]["parentRefs"]):
        yield "looks for the Gateway among the application's own objects"
    for rule in route["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            if backend["port"] not in [port["port"] for port in _ports(documents, backend["name"])]:
                yield "no service has the port that it leads to"


def _secrets(kept: Mapping[str, Manifest], documents: list[Manifest]) -> Iterator[str]:
    asked = {name for document in documents for name in _secrets_of(document)}
    yield from (f"nobody keeps {name}" for name in sorted(asked - {*kept}))
    yield from (f"no pod reads {name}" for name in sorted({*kept} - asked))
    for name, secret in kept.items():
        if secret["spec"]["secretStoreRef"] != {"kind": "SecretStore", "name": "secrets"}:
            yield f"{name} is from a store that other namespaces read too"
        if not secret["spec"]["dataFrom"]:
            yield f"{name} holds nothing"


def _secrets_of(value: Any) -> Iterator[str]:
    """Give the secrets that pods are told to read, whether or not they could do without."""
    if isinstance(value, list):
        for each in value:
            yield from _secrets_of(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in ("secretRef", "secretKeyRef"):
                yield each["name"]
            else:
                yield from _secrets_of(each)


def differences(production: list[Manifest], staging: list[Manifest]) -> Iterator[str]:
    """Tell what staging would not show of production."""
    ours, theirs = ({f"{one['kind']} {_plain_name(one)}": one for one in each} for each in (production, staging))
    yield from (f"{label} is in one of them alone" for label in sorted({*ours} ^ {*theirs}))
    for label in {*ours} & {*theirs}:
        if label.startswith("ConfigMap ") and {*ours[label]["data"]} != {*theirs[label]["data"]}:
            yield f"{label} has other settings"
        if label.startswith(("Deployment ", "CronJob ")) and _images(ours[label]) != _images(theirs[label]):
            yield f"{label} runs other images"


def _plain_name(document: Manifest) -> str:
    """Give a name without what is made of its content, and a namespace under one name everywhere."""
    name: str = document["metadata"]["name"]
    return {"ConfigMap": name.rpartition("-")[0], "Namespace": ""}.get(document["kind"], name)


def _images(value: Any) -> list[str]:
    return re.findall(r"image: (\S+)", yaml.safe_dump(value))
