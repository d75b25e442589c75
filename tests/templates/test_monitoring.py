"""Dashboards are what the program makes of their panels, and each alert has its section in the runbook."""

import json
import re
from pathlib import Path

import monitoring
import pytest
import yaml
from operations_kubernetes import selects
from operations_render import TEMPLATES, copy_template, render
from operations_tools import findings, go_tool, run, yamllint

ALERTS = sorted(path for path in TEMPLATES.glob("*/project/*monitoring*/*alerts*.yaml*") if not path.is_symlink())


def ident(path: Path) -> str:
    return path.relative_to(TEMPLATES).parts[0]


KINDS = [{"stack": stack} for stack in sorted({ident(path) for path in ALERTS})]
KINDS += [{"stack": "hybrid-node-python-ml", "ml_task": "text"}]


@pytest.mark.parametrize("path", ALERTS, ids=ident)
def test_each_alert_has_a_section_in_the_runbook_and_each_section_an_alert(path: Path) -> None:
    (project,) = (parent for parent in path.parents if parent.name == "project")
    (part,) = re.findall(r"alerts([\w-]*)\.yaml", path.name)
    name = f"runbook{part}.md"
    (runbook,) = project.glob(f"docs/*{name}*")
    sections = set(re.findall(r"^## (\w+)$", runbook.read_text(encoding="utf-8"), re.MULTILINE))
    groups = yaml.safe_load(monitoring.whole(path))["spec"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["alert"] for rule in rules} == sections
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/{name}#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"].endswith(".")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_template(tmp_path_factory.mktemp("monitoring") / "template")


@pytest.mark.full
@pytest.mark.parametrize("answers", KINDS, ids=lambda answers: " ".join(answers.values()))
@pytest.mark.parametrize("overlay_name", ["production", "staging"])
def test_the_component_fits_the_overlay_and_scrapes_ports_that_pods_have(
    template: Path, tmp_path: Path, answers: dict[str, str], overlay_name: str
) -> None:
    project = render(template, tmp_path / "project", deploy="kubernetes", jobs=True, **answers)
    overlay = project / "deploy/kustomize/overlays" / overlay_name
    told = {
        "production": (project / "monitoring/kustomization.yaml").read_text(encoding="utf-8"),
        "staging": (project / "docs/kubernetes-components.md").read_text(encoding="utf-8").partition("## Staging")[2],
    }
    (line,) = re.findall(r"`(components: \[\S+\])`", told[overlay_name])
    with (overlay / "kustomization.yaml").open("a", encoding="utf-8") as kustomization:
        kustomization.write(f"{line}\n")
    result = run([go_tool("kustomize"), "build", overlay])
    assert result.returncode == 0, result.stderr
    documents = list(yaml.safe_load_all(result.stdout))
    monitors = [one["spec"] for one in documents if one["kind"] == "PodMonitor"]
    assert monitors
    for monitor in monitors:
        pods = [one["spec"]["template"] for one in documents if one["kind"] == "Deployment"]
        scraped = [pod for pod in pods if selects(monitor["selector"], pod["metadata"]["labels"])]
        ports = [{port["name"] for port in pod["spec"]["containers"][0]["ports"]} for pod in scraped]
        assert ports
        assert all({end["port"] for end in monitor["podMetricsEndpoints"]} <= each for each in ports)
    # Both stand in one cluster: what looks at every namespace is there once.
    dashboards = [one for one in documents if one["metadata"].get("labels", {}).get("grafana_dashboard") == "1"]
    shown = {file.name for file in (project / "monitoring").glob("*.json")}
    rules = {one["metadata"]["name"] for one in documents if one["kind"] == "PrometheusRule"}
    if overlay_name == "staging":
        assert (dashboards, rules) == ([], set())
    else:
        assert [set(one["data"]) for one in dashboards] == [shown]
        assert len(rules) == len(list((project / "monitoring").glob("alerts*.yaml")))
    assert findings(yamllint(sorted((project / "monitoring").rglob("*.yaml")))) == ""


def test_there_are_alerts() -> None:
    assert {"go", "node-ts", "python-django", "hybrid-node-python-ml"} <= {ident(path) for path in ALERTS}


@pytest.mark.parametrize("asked_for", ["up_total", "http_requests_total"])
def test_what_no_process_offers_is_seen(tmp_path: Path, asked_for: str) -> None:
    rule = {"alert": "Some", "expr": f'sum by (le) (rate({asked_for}{{code="a_b"}}[5m])) > seen_bucket'}
    alerts = {"spec": {"groups": [{"rules": [rule]}]}}
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(alerts), encoding="utf-8")
    (tmp_path / "dashboard.json").write_text('{"panels": []}', encoding="utf-8")
    scrape = "# HELP seen How often.\n# TYPE seen histogram\nseen_count 1\n"
    assert monitoring.asked(tmp_path) - monitoring.offered(scrape) == {asked_for}


def test_dashboards_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TEMPLATES.parent / "tools"))
    import dashboards

    assert dashboards.main(["--check"]) == 0
    for place in dashboards.DASHBOARDS:
        panels = json.loads((TEMPLATES / place).read_text(encoding="utf-8"))["panels"]
        assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
