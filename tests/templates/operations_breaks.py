"""Ways to break a good operational file, each with the complaint that one of our own rules has to make about it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import operations_policies as policies
from operations_render import NAME


class Break(NamedTuple):
    """A file, the rule of ours that looks at it, one change, and the complaint that is due."""

    file: str
    look: Callable[[str], Iterable[str]]
    old: str
    new: str
    complaint: str

    def __str__(self) -> str:
        return f"{self.file}: {self.complaint}"


class ToolBreak(NamedTuple):
    """The same for a validator: `command` gives its command line for the broken file."""

    file: str
    old: str
    new: str
    command: Callable[[Path], list[str | Path]]
    complaint: str

    def __str__(self) -> str:
        return f"{self.file}: {self.complaint}"


def broken(text: str, old: str, new: str) -> str:
    """Give the text with one thing broken; a text that no longer holds the thing is an error."""
    assert old in text, f"nothing to break: {old!r} is gone"
    return text.replace(old, new)


def _compose(text: str) -> Iterable[str]:
    return policies.compose(text, NAME)


OUR_RULES = [
    Break(
        ".github/workflows/ci.yml",
        policies.workflow,
        "permissions: {}",
        "permissions: read-all",
        "no permissions at all",
    ),
    Break(".github/workflows/ci.yml", policies.workflow, "concurrency:", "env:", "concurrency is missing"),
    Break(
        ".github/workflows/ci.yml", policies.workflow, "  pull_request:", "  pull_request_target:", "a stranger's code"
    ),
    Break(".github/workflows/ci.yml", policies.workflow, "    timeout-minutes:", "    x-minutes:", "has no time limit"),
    Break(
        ".github/workflows/ci.yml", policies.workflow, "ubuntu-24.04", "ubuntu-latest", "whatever is the latest runner"
    ),
    Break(
        ".github/workflows/ci.yml",
        policies.workflow,
        "persist-credentials: false",
        "fetch-depth: 1",
        "leaves the token",
    ),
    Break(".github/workflows/ci.yml", policies.workflow, "contents: read", "contents: write", "may write contents"),
    Break(".github/workflows/ci.yml", policies.workflow, " # v7.0.1", "", "not pinned by commit"),
    Break(
        ".github/workflows/ci.yml",
        policies.workflow,
        "run: npm test",
        "run: echo ${{ github.ref }}",
        "an expression into",
    ),
    Break(
        ".github/workflows/release.yml",
        policies.workflow,
        "        if: ${{ !github.event.repository.private }}\n",
        "",
        "attests in a private repository",
    ),
    Break(
        ".github/workflows/release.yml",
        policies.workflow,
        "        run: printf",
        "        run: goreleaser release && printf",
        "signs without a key",
    ),
    Break(".github/workflows/release.yml", policies.workflow, "          sbom: true\n", "", "without what is in it"),
    Break(".gitlab-ci.yml", policies.gitlab, "--sbom=true ", "", "without what is in it"),
    Break(".gitlab-ci.yml", policies.gitlab, "  timeout:", "  x-timeout:", "no time limit"),
    Break(".gitlab-ci.yml", policies.gitlab, "workflow:", ".workflow:", "run everything twice"),
    Break(".gitlab-ci.yml", policies.gitlab, "postgres:18-trixie", "postgres", "has no version"),
    Break(".gitlab-ci.yml", policies.gitlab, "    - npm ci", "    - [python3 -m venv x, npm ci]", "cannot make an env"),
    Break("Dockerfile", policies.dockerfile, "USER 10001:10001", "USER node", "numeric user other than root"),
    Break("Dockerfile", policies.dockerfile, "USER 10001:10001", "USER 0", "numeric user other than root"),
    Break("Dockerfile", policies.dockerfile, "HEALTHCHECK", "# HEALTHCHECK", "no HEALTHCHECK"),
    Break("Dockerfile", policies.dockerfile, '\nCMD ["node", ', "\nCMD node ", "exec form is missing"),
    Break(
        "Dockerfile", policies.dockerfile, "--chmod=755 apps/api/ ", "apps/api/ ", "able to read it: COPY apps/api/ "
    ),
    Break("Dockerfile", policies.dockerfile, "--chmod=755 package.", "package.", "read it: COPY package.json"),
    Break("Dockerfile", policies.dockerfile, "node:24-trixie-slim", "node:latest", "has no version"),
    Break("Dockerfile", policies.dockerfile, "ENV NODE_ENV", "ENV API_TOKEN=x NODE_ENV", "kept in a layer"),
    Break(".dockerignore", policies.dockerignore, "**/.env\n", "", "still send its .env"),
    Break(".dockerignore", policies.dockerignore, "*\n", "\n", ".git would be sent"),
    Break("compose.yaml", _compose, f'name: "{NAME}"', "x-name: 1", "no name of its own"),
    Break("compose.yaml", _compose, "127.0.0.1:3000:", "3000:", "open to the network"),
    Break("compose.yaml", _compose, "postgres:18-trixie", "postgres", "has no version"),
    Break("compose.yaml", _compose, "service_healthy", "service_started", "does not wait"),
    Break("compose.yaml", _compose, "restart: unless-stopped", "tty: false", "after a crash"),
    Break("compose.yaml", _compose, "POSTGRES_PASSWORD:?", "X:-", "without a password"),
    Break("compose.yaml", _compose, "    stop_grace", "    healthcheck: {disable: true}\n    x", "has no health"),
    Break("renovate.json", policies.renovate, '"packageRules"', '"packageRuless"', "knows no packageRuless"),
    Break("renovate.json", policies.renovate, '    "docker:pinDigests",\n', "", "is not pinned"),
    Break("compose.yaml", policies.secrets, "POSTGRES_USER: app", "POSTGRES_PASSWORD: hunter2", "a literal password"),
    Break("compose.yaml", policies.secrets, "POSTGRES_USER: app", "KEY: AKIA" + "A" * 16, "looks like a secret"),
]

POD_RULES = [
    ("runAsNonRoot: true", "runAsNonRoot: false", "may run as root"),
    ("runAsUser: 10001", "fsGroupChangePolicy: Always", "may run as root"),
    ("runAsUser: 10001", "runAsUser: 1000", "may exist on the node"),
    ("imagePullPolicy: Always", "tty: false", "without asking the registry"),
    ("type: RuntimeDefault", "type: Unconfined", "any system call"),
    ("automountServiceAccountToken: false", "hostIPC: false", "a token for the cluster's API"),
    ("allowPrivilegeEscalation: false", "privileged: false", "may gain privileges"),
    ("- ALL", "- NET_RAW", "keeps capabilities"),
    ("readOnlyRootFilesystem: true", "privileged: false", "may write into its image"),
    ("mountPath: /tmp", "mountPath: /var/tmp", "temporary files"),
    ("memory: 512Mi", "ephemeral-storage: 1Gi", "does not state its limits"),
    (":0.1.0", ":latest", "not one release"),
    ("startupProbe:", "x-probe:", "startupProbe is missing"),
    ("path: /livez", "path: /readyz", "whenever the database is away"),
    ("preStop:", "postStart:", "requests are still sent"),
    ("kind: NetworkPolicy", "kind: Other", "no NetworkPolicy"),
    ("kind: PodDisruptionBudget", "kind: Other", "no PodDisruptionBudget"),
    ("kind: HorizontalPodAutoscaler", "kind: Other", "is alone"),
    ("  revisionHistoryLimit: 5", "  replicas: 3", "undo the autoscaler"),
    ("targetPort: http", "targetPort: web", "no container has the port"),
    (f"namespace: {NAME}", "namespace: other", "not in the project's namespace"),
    ("enforce: restricted", "enforce: baseline", "restricted standard"),
    ("kind: CronJob", "kind: Other", "nothing applies the migrations"),
    ("suspend: true", "suspend: false", "runs by the clock"),
    ("activeDeadlineSeconds: 900", "parallelism: 1", "may never end"),
    ("kind: ConfigMap", "kind: Secret", "a secret is in the repository"),
]
