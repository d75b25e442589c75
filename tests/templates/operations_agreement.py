"""What operational files have to agree on: ports, settings, files and scripts."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from operations_kubernetes import selects
from operations_tools import environments_of

DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "smtp": 587, "smtps": 465}
NAMES = 53
NAME_LABEL = "app.kubernetes.io/name"
# Where what collects metrics and traces runs, as the pages have it.
MONITORING = {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
# Set for PostgreSQL's own image, or by the image's author.
NOT_OURS = re.compile(r"POSTGRES_(USER|DB)|PGDATA")


def exposed_ports(dockerfiles: Iterable[Path]) -> set[int]:
    """Give the ports that images expose."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in dockerfiles)
    return {int(port) for line in re.findall(r"^EXPOSE (.+)$", text, re.MULTILINE) for port in line.split()}


def compose_ports(path: Path) -> set[int]:
    """Give the ports inside the containers that a compose file publishes."""
    services = yaml.safe_load(path.read_text(encoding="utf-8"))["services"].values()
    return {int(str(port).rpartition(":")[2]) for service in services for port in service.get("ports", [])}


def manifest_ports(path: Path) -> set[int]:
    """Give the ports that Kubernetes sends requests to, and those that the settings name."""
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    pods = [document["spec"]["template"]["spec"] for document in documents if document["kind"] == "Deployment"]
    containers = [container for pod in pods for container in pod["containers"]]
    settings = [document["data"] for document in documents if document["kind"] == "ConfigMap"]
    ports = {port["containerPort"] for container in containers for port in container.get("ports", [])}
    return ports | {int(data["PORT"]) for data in settings if "PORT" in data}


def documented_ports(paths: Iterable[Path]) -> set[int]:
    """Give the ports of the addresses that are documented, by their schemes where they say none."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    addresses = re.findall(rf"\b({'|'.join(DEFAULT_PORTS)})://(?:[\w.:-]+@)?[\w.-]*(?::(\d+))?", text)
    return {int(port or DEFAULT_PORTS[scheme]) for scheme, port in addresses}


def admitted_ports(path: Path, app: str) -> set[int]:
    """Give the ports that an app's pods may reach, and those of its own that are open to other namespaces."""
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    policies = [
        document["spec"]
        for document in documents
        if document["kind"] == "NetworkPolicy" and selects(document["spec"]["podSelector"], {NAME_LABEL: app})
    ]
    (deployment,) = (one for one in documents if one["kind"] == "Deployment" and one["metadata"]["name"] == app)
    containers = deployment["spec"]["template"]["spec"]["containers"]
    own = {port["name"]: port["containerPort"] for container in containers for port in container.get("ports", [])}
    rules = [
        rule
        for policy in policies
        for rule in [*policy.get("egress", []), *filter(_from_outside, policy.get("ingress", []))]
    ]
    return {own.get(port["port"], port["port"]) for rule in rules for port in rule["ports"]}


def _from_outside(rule: Mapping[str, Any]) -> bool:
    return "from" not in rule or any(peer.get("namespaceSelector") == MONITORING for peer in rule["from"])


def open_ports(path: Path, app: str) -> set[int]:
    """Give the ports of an app's pods that anybody may reach."""
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    (deployment,) = (one for one in documents if one["kind"] == "Deployment" and one["metadata"]["name"] == app)
    containers = deployment["spec"]["template"]["spec"]["containers"]
    own = {port["name"]: port["containerPort"] for container in containers for port in container.get("ports", [])}
    rules = [
        rule
        for document in documents
        if document["kind"] == "NetworkPolicy" and selects(document["spec"]["podSelector"], {NAME_LABEL: app})
        for rule in document["spec"].get("ingress", [])
        if "from" not in rule
    ]
    return {own.get(port["port"], port["port"]) for rule in rules for port in rule["ports"]}


def scraped_ports(path: Path) -> dict[str, int]:
    """Give the port of each deployment whose pods ask to be scraped."""
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    pods = {one["metadata"]["name"]: one["spec"]["template"] for one in documents if one["kind"] == "Deployment"}
    notes = {name: pod["metadata"].get("annotations", {}) for name, pod in pods.items()}
    return {name: int(note["prometheus.io/port"]) for name, note in notes.items() if "prometheus.io/port" in note}


def asked_for_another(compose: Path, dockerfile: Path) -> list[str]:
    """Give the services that run a command of their own, but are asked for the port that the image's command opens."""
    asked = re.findall(r"^HEALTHCHECK (?:.*\\\n)*.*", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    services = yaml.safe_load(compose.read_text(encoding="utf-8"))["services"]
    return [
        name
        for name, service in services.items()
        if "http" in "".join(asked)
        and service.get("build") == "."
        and "command" in service
        and not service.get("healthcheck")
    ]


def explained_settings(path: Path) -> set[str]:
    """Give the settings that .env.example explains, commented out or not."""
    return set(re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=", path.read_text(encoding="utf-8"), re.MULTILINE))


def lost_settings(project: Path, service: str, example: Path) -> set[str]:
    """Give the settings that an example explains, and that the service does not take from a `.env` beside it."""
    for path in {example, project / ".env.example"}:
        lines = (f"{name}=said-in-{path.parent.name}\n" for name in sorted(explained_settings(path)))
        path.with_name(".env").write_text("".join(lines), encoding="utf-8")
    given = environments_of(project / "compose.yaml")[service]
    return {name for name in explained_settings(example) if given.get(name) != f"said-in-{example.parent.name}"}


def image_settings(dockerfile: Path) -> dict[str, str]:
    """Give the variables that an image sets."""
    blocks = re.findall(r"^ENV (?:.*\\\n)*.*", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(re.findall(r"\b([A-Z_]+)=(\S*)", "".join(blocks)))


def config_settings(paths: Iterable[Path]) -> set[str]:
    """Give the settings that the overlays' files make."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return set(re.findall(r"^([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))


def trusted_networks(paths: Iterable[Path]) -> list[str]:
    """Give the networks of a cluster's size in the overlays' settings: any pod in one could forge what a proxy says."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return re.findall(r"^\w+=\S*/(?:\d|1\d)$", text, re.MULTILINE)


def compose_settings(path: Path) -> set[str]:
    """Give the settings that a compose file hands to containers or takes from the environment."""
    text = path.read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"].values()
    handed = {name for service in services for name in service.get("environment", {})}
    taken = set(re.findall(r"\$\{(\w+)", text))
    return {name for name in handed | taken if not NOT_OURS.fullmatch(name)}


def missing_files(paths: Iterable[Path], rendered: Path, template: Path) -> list[str]:
    """Give what the rendered files copy into an image or run, but neither the template nor their own folder has."""
    return [
        f"{path.name}: {named}"
        for path in paths
        for named in _named_files(path)
        if not _is_there(named, template) and not _is_there(named, template / path.relative_to(rendered).parent)
    ]


def _is_there(named: str, folder: Path) -> bool:
    if any(folder.glob(named)) or any(folder.glob(f"{named}.jinja")):
        return True
    place = folder / named
    return place.parent.is_dir() and any(f"%=]{place.name}[=%" in entry.name for entry in place.parent.iterdir())


def _named_files(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", text, re.MULTILINE)
    run = re.findall(r"(?<![\w./-])(?:[\w-]+/)+[\w-]+\.(?:ts|mjs|py)\b", text)
    return [*(source for sources in copied for source in sources.split()), *run]


def missing_scripts(paths: Iterable[Path], project: Path) -> list[str]:
    """Give the npm scripts that the files run, but package.json does not have."""
    manifest = project / "package.json"
    scripts = json.loads(manifest.read_text(encoding="utf-8"))["scripts"] if manifest.exists() else {}
    return [
        f"{path.name}: npm run {script}"
        for path in paths
        for script in re.findall(r"npm (?:run )?(test|(?<=run )[\w:-]+)", path.read_text(encoding="utf-8"))
        if script not in scripts
    ]


def pythons(dockerfiles: Iterable[Path], pipelines: Iterable[Path]) -> tuple[set[str], set[str]]:
    """Give the Pythons of the images, and those that the pipelines' jobs with uv take; the runner's own is `runner`."""
    image = re.compile(r"python:(\d+\.\d+)")
    ours = set(image.findall("".join(path.read_text(encoding="utf-8") for path in dockerfiles)))
    theirs: set[str] = set()
    for path in pipelines:
        text = path.read_text(encoding="utf-8")
        theirs |= set(image.findall(text))
        for job in (yaml.safe_load(text).get("jobs") or {}).values():
            steps = job.get("steps", [])
            if any("uv==" in step.get("run", "") for step in steps):
                chosen = [step["with"]["python-version"] for step in steps if "setup-python@" in step.get("uses", "")]
                theirs |= {*chosen} or {"runner"}
    return ours, theirs


# A version at the end of a command or a setting; what an action is pinned to has a manager of Renovate's own.
PIN = re.compile(r"[\w./-]+(?:==\d[\w.]*|@v\d[\w.]*)|\b\w+_VERSION: \d[\w.]*")


def unwatched_pins(project: Path, files: Iterable[Path]) -> list[str]:
    """Give the tools that are pinned in commands, and which no custom manager of Renovate finds, or more than one."""
    renovate = json.loads((project / "renovate.json").read_text(encoding="utf-8"))
    managers = renovate.get("customManagers", [])
    found = []
    for path in files:
        name = path.relative_to(project).as_posix()
        expressions = [
            expression.replace("(?<", "(?P<")
            for manager in managers
            if any(re.search(pattern.strip("/"), name) for pattern in manager["managerFilePatterns"])
            for expression in manager["matchStrings"]
        ]
        for line in path.read_text(encoding="utf-8").splitlines():
            for pin in PIN.findall(line) if "uses:" not in line else ():
                seen = [match for each in expressions for match in re.finditer(each, line) if match[0].endswith(pin)]
                if len(seen) != 1 or not pin.endswith(seen[0]["currentValue"]):
                    found.append(f"{name}: {pin}")
    return found


def renovate_does(project: Path, **what: str) -> dict[str, object]:
    """Give what Renovate is told to do with a dependency: the last rule that fits it has its say, key by key."""
    settings = json.loads((project / "renovate.json").read_text(encoding="utf-8"))
    does = {"enabled": True, "minimumReleaseAge": settings["minimumReleaseAge"]}
    for rule in settings["packageRules"]:
        asked = {key.removeprefix("match"): patterns for key, patterns in rule.items() if key.startswith("match")}
        if all(_is_asked_for(what.get(key, ""), patterns) for key, patterns in asked.items()):
            does |= {key: value for key, value in rule.items() if not key.startswith("match")}
    return does


def _is_asked_for(value: str, patterns: list[str]) -> bool:
    refused, wanted = ([each for each in patterns if each.startswith("!") is no] for no in (True, False))
    fits = not wanted or any(_expression(each).search(value) for each in wanted)
    return fits and not any(_expression(each[1:]).search(value) for each in refused)


def _expression(pattern: str) -> re.Pattern[str]:
    """Read an expression between slashes, or a pattern of names, as Renovate does."""
    if pattern.startswith("/"):
        return re.compile(pattern[1:-1])
    parts = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "{": "(", "}": ")", ",": "|"}
    words = re.findall(r"\*\*/|\*\*|[*{},]|[^*{},]+", pattern)
    return re.compile("".join([r"\A", *(parts.get(word, re.escape(word)) for word in words), r"\Z"]))


def own_images(project: Path) -> tuple[list[str], list[str]]:
    """Give the images that only this project makes, and those of them that Renovate would look for."""
    files = [project / "compose.yaml", *(project / "deploy").rglob("overlays/*/kustomization.yaml")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files if path.is_file())
    images = [name for name in re.findall(r"(?:image|newName): \"?([\w./-]+)", text) if project_name(project) in name]
    rules = json.loads((project / "renovate.json").read_text(encoding="utf-8"))["packageRules"]
    left = [
        pattern.strip("/")
        for rule in rules
        if rule.get("enabled") is False
        and rule.get("matchDatasources") == ["docker"]
        and "matchUpdateTypes" not in rule
        for pattern in rule["matchPackageNames"]
    ]
    return images, [image for image in images if not any(re.search(pattern, image) for pattern in left)]


def project_name(project: Path) -> str:
    """Give the name of a project, as its compose file has it."""
    name: str = yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))["name"]
    return name
