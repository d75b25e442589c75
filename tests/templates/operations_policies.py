"""What no off-the-shelf validator asks of an operational file. Each function gives the problems it sees, in words."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

PINNED = re.compile(r"uses: *[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
RENOVATE_KEYS = {
    "$schema", "description", "extends", "groupName", "labels", "lockFileMaintenance", "minimumReleaseAge",
    "packageRules", "prConcurrentLimit", "rangeStrategy", "schedule", "vulnerabilityAlerts",
    "enabled", "matchDatasources", "matchDepNames", "matchDepTypes", "matchFileNames", "matchManagers",
    "matchPackageNames", "matchUpdateTypes",
    "allowedVersions", "customManagers", "customType", "datasourceTemplate", "depNameTemplate", "matchStrings",
    "enabledManagers", "ignorePaths", "managerFilePatterns", "pip-compile",
}  # fmt: skip
SECRET = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|sk_live_[0-9A-Za-z]{16,}|xox[abp]-[\w-]{10,}"
)
LITERAL_PASSWORD = re.compile(r"^\s*-?\s*[\w]*(PASSWORD|SECRET|TOKEN)[\w]*\s*[:=][ \t]*[\"']?[^\s\"'$#{]", re.MULTILINE)


def workflow(text: str) -> Iterator[str]:
    """Look at a GitHub workflow."""
    document = yaml.safe_load(text)
    triggers = document.get("on", document.get(True))
    if document.get("permissions") != {}:
        yield "the workflow does not begin with no permissions at all"
    if "concurrency" not in document:
        yield "two runs for the same commit are not kept apart: concurrency is missing"
    if {"pull_request_target", "workflow_run"} & set(triggers):
        yield "a trigger runs a stranger's code with this repository's rights"
    for line in text.splitlines():
        if "uses:" in line and "uses: ./" not in line and not PINNED.search(line):
            yield f"an action is not pinned by commit with its version beside it: {line.strip()}"
    for name, job in document["jobs"].items():
        yield from (f"job {name}: {problem}" for problem in _job(job, triggers))


def _job(job: Mapping[str, Any], triggers: Any) -> Iterator[str]:
    if "permissions" not in job:
        yield "does not say which permissions it needs"
    writes = [key for key, value in (job.get("permissions") or {}).items() if value == "write"]
    if writes and ("pull_request" in triggers or set(triggers) != {"push"}):
        yield f"may write {', '.join(writes)} in a workflow that does more than react to pushes"
    if "uses" in job:
        return
    if "timeout-minutes" not in job:
        yield "has no time limit"
    if str(job["runs-on"]).endswith("-latest"):
        yield "runs on whatever is the latest runner"
    for step in job["steps"]:
        if "${{" in step.get("run", ""):
            yield "puts an expression into a shell command instead of a variable"
        yield from _told_to_the_public(step)
        published = step.get("with", {}) if "docker/build-push-action@" in str(step.get("uses")) else {}
        if published.get("push") and not (published.get("sbom") and published.get("provenance") == "mode=max"):
            yield "publishes an image without what is in it, and what it was made of"
        checks_out = str(step.get("uses", "")).startswith("actions/checkout@")
        if checks_out and step.get("with", {}).get("persist-credentials") is not False:
            yield "leaves the token in the checkout"


def _told_to_the_public(step: Mapping[str, Any]) -> Iterator[str]:
    attests = str(step.get("uses", "")).startswith("actions/attest")
    if attests and "!github.event.repository.private" not in str(step.get("if", "")):
        yield "attests in a private repository, which GitHub refuses when all else is published"
    signs = "goreleaser release" in step.get("run", "")
    if signs and "repository.private && 'sign'" not in str(step.get("env", {})):
        yield "signs without a key in a private repository, which writes its name into a public log"


def gitlab(text: str) -> Iterator[str]:
    """Look at a GitLab pipeline."""
    document = yaml.safe_load(text)
    if "timeout" not in document.get("default", {}):
        yield "jobs have no time limit"
    if "workflow" not in document:
        yield "a branch with a merge request would run everything twice"
    for image in re.findall(r"^\s*(?:image|- name): (\S+)", text, re.MULTILINE):
        yield from _image(image)
    for name, job in document.items():
        if isinstance(job, dict):
            yield from (f"job {name}: {problem}" for problem in _environment_of_python(job, document))
            for line in job.get("script", []):
                if "buildx build --push" in line and not {"--sbom=true", "--provenance=mode=max"} <= set(line.split()):
                    yield f"job {name}: publishes an image without what is in it, and what it was made of"
    yield from secrets(text)


def _environment_of_python(job: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    job = {**document.get(job.get("extends", ""), {}), **job}
    commands = yaml.safe_dump([job.get("before_script", []), job.get("script", [])], width=1000)
    # Debian's Python comes without it, and so do images that only have Python beside what they are for.
    if "-m venv" in commands and not str(job.get("image")).startswith("python:") and "python3-venv" not in commands:
        yield "its Python cannot make an environment: python3-venv is not installed"


def dockerfile(text: str) -> Iterator[str]:
    """Look at a Dockerfile."""
    joined = re.sub(r"\\\n", " ", text)
    lines = [line.split(None, 1) for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    instructions = [(word[0].upper(), word[1] if len(word) > 1 else "") for word in lines]
    stages = [value for key, value in instructions if key == "FROM"]
    aliases = {match[1] for stage in stages if (match := re.search(r" AS (\S+)", stage, re.IGNORECASE))}
    if len(stages) < 2:
        yield "is not multi-stage, so build tools would end up in the image"
    for stage in stages:
        base = next(part for part in stage.split() if not part.startswith("--"))
        if base not in aliases | {"scratch"}:
            yield from _image(base)
    last = instructions[max(index for index, (key, _) in enumerate(instructions) if key == "FROM") :]
    final = dict(last)
    if not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", final.get("USER", "")):
        yield "does not end with a numeric user other than root"
    if not re.search(r"CMD \[", final.get("HEALTHCHECK", "")):
        yield "has no HEALTHCHECK in exec form"
    if not any(final.get(key, "").startswith("[") for key in ("CMD", "ENTRYPOINT")):
        yield "does not start the process itself: CMD or ENTRYPOINT in exec form is missing"
    yield from _read_by_nobody_else(instructions)
    for key, value in instructions:
        if key in {"ARG", "ENV"} and re.search(r"PASSWORD|SECRET|TOKEN|KEY\b", value.upper()):
            yield f"a secret would be kept in a layer: {key} {value}"


def _read_by_nobody_else(instructions: list[tuple[str, str]]) -> Iterator[str]:
    """Look for files of the checkout in the image: who checks out with a strict umask makes them root's alone."""
    stage, folder = "", PurePosixPath("/")
    folders: dict[str, PurePosixPath] = {}
    put: list[tuple[str, str, PurePosixPath]] = []
    taken: list[tuple[str, PurePosixPath]] = []
    for key, value in instructions:
        if key == "FROM":
            base, _, stage = value.partition(" AS ")
            folder = folders.get(base, PurePosixPath("/"))
        elif key == "WORKDIR":
            folder = folders[stage] = PurePosixPath(value)
        elif key == "COPY":
            *flags, target = value.split()
            origin = re.search(r"--from=(\S+)", value)
            if origin and not stage:
                taken.append((origin[1], PurePosixPath(flags[-1])))
            elif not origin and "--chmod=" not in value:
                put.append((stage, value, folder / target))
    for stage, value, place in put:
        inside = [each for origin, each in taken if origin == stage and (place.is_relative_to(each) or each == place)]
        if inside or not stage:
            yield f"the image's user may not be able to read it: COPY {value}"


def dockerignore(text: str) -> Iterator[str]:
    """Look at a .dockerignore."""
    lines = set(text.splitlines())
    for name in (".git", ".env"):
        if not {"*", name, f"**/{name}"} & lines:
            yield f"{name} would be sent to the builder"
    if "*" in lines and not {".env", "**/.env"} & lines:
        yield "an allowed folder could still send its .env"


def compose(text: str, name: str) -> Iterator[str]:
    """Look at a compose file."""
    document = yaml.safe_load(text)
    if document.get("name") != name:
        yield "has no name of its own, so `down` in a copy could remove another project's containers"
    one_shot = {
        needed
        for service in document["services"].values()
        for needed, how in _conditions(service)
        if how == "service_completed_successfully"
    }
    for service_name, service in document["services"].items():
        yield from (f"service {service_name}: {problem}" for problem in _service(service, service_name in one_shot))
    if "POSTGRES_PASSWORD" not in required_variables(text):
        yield "the database may start without a password"
    yield from secrets(text)


def required_variables(text: str) -> set[str]:
    """Give the variables without which a compose file refuses to start."""
    return set(re.findall(r"\$\{(\w+):\?", text))


def _conditions(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    needed = service.get("depends_on", {})
    if isinstance(needed, list):
        needed = {name: {} for name in needed}
    yield from ((name, (how or {}).get("condition", "")) for name, how in needed.items())


def _service(service: Mapping[str, Any], one_shot: bool) -> Iterator[str]:
    for port in service.get("ports", []):
        if not str(port).startswith("127.0.0.1:"):
            yield f"port {port} is open to the network"
    if "build" not in service:
        yield from _image(service["image"])
        if "healthcheck" not in service:
            yield "nobody can tell when it is ready: healthcheck is missing"
    if not one_shot:
        yield from _lasting(service)
    for name, how in _conditions(service):
        if how not in {"service_healthy", "service_completed_successfully"}:
            yield f"does not wait until {name} is ready"


def _lasting(service: Mapping[str, Any]) -> Iterator[str]:
    if service.get("restart") != "unless-stopped":
        yield "stays down after a crash: restart is missing"
    check = service.get("healthcheck", {})
    if check.get("disable") or check.get("test") in (["NONE"], "NONE"):
        yield "has no health: `up --wait` fails on it, as the runners' Compose 2.38 does"


def renovate(text: str) -> Iterator[str]:
    """Look at renovate.json, whose schema accepts any key."""
    document = json.loads(text)
    yield from (f"Renovate knows no {key}" for key in sorted(_keys(document) - RENOVATE_KEYS))
    for preset in ("docker:pinDigests", "helpers:pinGitHubActionDigestsToSemver"):
        if preset not in document["extends"]:
            yield f"{preset} is missing, so what runs is not pinned"


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    return set()


def secrets(text: str) -> Iterator[str]:
    """Look for a secret in any file."""
    yield from (f"looks like a secret: {match[0]}" for match in SECRET.finditer(text))
    for match in LITERAL_PASSWORD.finditer(text):
        yield f"holds a literal password: {match[0].strip()}"


def links(path: Path, root: Path) -> Iterator[str]:
    """Look at the relative links of a Markdown file."""
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        base = root if target.startswith("/") else path.parent
        if not (base / target.lstrip("/")).exists():
            yield f"links to {target}, which is not there"


def _image(image: str) -> Iterator[str]:
    tag = image.partition("@")[0].rpartition(":")[2] if ":" in image else ""
    if not tag or tag == "latest":
        yield f"image {image} has no version"
