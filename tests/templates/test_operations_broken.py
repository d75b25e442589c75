"""Each rule about operational files is seen to fail: a good file is broken in one place, and the complaint is due."""

import re
from collections.abc import Callable
from pathlib import Path

import operations_kubernetes
import operations_policies as policies
import pytest
import yaml
from operations_breaks import OUR_RULES, POD_RULES, Break, ToolBreak, broken
from operations_render import NAME
from operations_tools import (
    actionlint,
    compose,
    findings,
    kubernetes_validate,
    python_tool,
    schema,
    secrets_of,
    yamllint,
    zizmor,
)

pytestmark = pytest.mark.full
TOOLS = [
    ToolBreak("Dockerfile", "WORKDIR /srv", "WORKDIR srv", lambda path: [python_tool("hadolint"), path], "DL3000"),
    ToolBreak(
        ".github/workflows/ci.yml",
        "    steps:",
        "    stepps:",
        lambda path: schema("github-workflows", path),
        "stepps",
    ),
    ToolBreak(".gitlab-ci.yml", "    - npm test", "    - a: b: c", lambda path: yamllint([path]), "syntax error"),
    ToolBreak(".gitlab-ci.yml", "\nbuild-image:", "\nimage:", lambda path: schema("gitlab-ci", path), "$.image"),
    ToolBreak("compose.yaml", "interval:", "intervall:", lambda path: schema("compose-spec", path), "intervall"),
    ToolBreak(
        "renovate.json",
        '"schedule": [',
        '"schedule": 1, "labels": [',
        lambda path: schema("renovate", path),
        "schedule",
    ),
    ToolBreak(".github/workflows/ci.yml", " # v7.0.1", "", lambda path: zizmor([_unpinned(path)]), "unpinned-uses"),
    ToolBreak(".github/workflows/ci.yml", "always()", "alway()", lambda path: actionlint([path]), "undefined function"),
    ToolBreak("compose.yaml", "      database:\n", "      elsewhere:\n", compose, "elsewhere"),
]


@pytest.mark.parametrize("case", OUR_RULES, ids=str)
def test_a_broken_file_is_reported(good: dict[str, Path], case: Break) -> None:
    text = broken(good[case.file].read_text(encoding="utf-8"), case.old, case.new)
    assert case.complaint in "\n".join(case.look(text))


@pytest.mark.parametrize(("old", "new", "complaint"), POD_RULES)
def test_a_broken_manifest_is_reported(manifest_of: Callable[[str], Path], old: str, new: str, complaint: str) -> None:
    text = manifest_of("node-ts").read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(broken(text, old, new)))
    assert complaint in "\n".join(operations_kubernetes.manifests(documents, NAME))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("startupProbe:\n          exec", "x-probe:\n          exec", "startupProbe is missing"),
        ("fsGroupChangePolicy: OnRootMismatch", "fsGroupChangePolicy: Always", "changes the owner of every file"),
        ("livenessProbe:\n          exec", "x-probe:\n          exec", "livenessProbe is missing"),
        ("kind: PodDisruptionBudget\nmetadata:\n  labels:\n    app.kubernetes.io/name: worker", None, "no PodDisr"),
    ],
)
def test_a_broken_worker_is_reported(manifest_of: Callable[[str], Path], old: str, new: str, complaint: str) -> None:
    text = manifest_of("python-django").read_text(encoding="utf-8")
    new = new or old.replace("PodDisruptionBudget", "Other")
    documents = list(yaml.safe_load_all(broken(text, old, new)))
    found = [problem for problem in operations_kubernetes.manifests(documents, NAME) if "worker" in problem]
    assert complaint in "\n".join(found)


def test_a_job_that_a_second_release_could_not_change_is_reported(manifest_of: Callable[[str], Path]) -> None:
    documents = list(yaml.safe_load_all(manifest_of("node-ts").read_text(encoding="utf-8")))
    (cron,) = (document for document in documents if document["kind"] == "CronJob")
    documents.append({**cron, "kind": "Job", "spec": cron["spec"]["jobTemplate"]["spec"]})
    assert "Job migrate: cannot be applied twice" in list(operations_kubernetes.manifests(documents, NAME))


@pytest.mark.parametrize("case", TOOLS, ids=str)
def test_a_validator_reports_a_broken_file(good: dict[str, Path], tmp_path: Path, case: ToolBreak) -> None:
    path = tmp_path / case.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(broken(good[case.file].read_text(encoding="utf-8"), case.old, case.new), encoding="utf-8")
    assert case.complaint in findings(case.command(path), environment=secrets_of(path))


def test_kubernetes_reports_an_unknown_field(manifest_of: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    text = manifest_of("node-ts").read_text(encoding="utf-8")
    path.write_text(broken(text, "readinessProbe:", "readynessProbe:"), encoding="utf-8")
    assert "readynessProbe" in findings(kubernetes_validate([path]))


def test_a_dead_link_is_reported(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("[there](README.md), [gone](docs/gone.md), [away](https://example.com/)\n", encoding="utf-8")
    assert list(policies.links(page, tmp_path)) == ["links to docs/gone.md, which is not there"]


def _unpinned(path: Path) -> Path:
    path.write_text(re.sub(r"@[0-9a-f]{40}", "@v7", path.read_text(encoding="utf-8")), encoding="utf-8")
    return path
