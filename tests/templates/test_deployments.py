"""One Prometheus may watch several deployments, told apart by `namespace`: none hides what another one suffers from.

The alerts and the dashboards are asked by Prometheus's own engine, of made-up metrics.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import monitoring
import pytest
import yaml
from operations_render import TEMPLATES
from operations_tools import go_program

Rule = dict[str, Any]
Series = dict[str, str]

GROUPS = {
    name: group
    for name, group in yaml.safe_load(Path(__file__).with_name("deployments.yml").read_text(encoding="utf-8")).items()
    if "/" in name
}
FILES = sorted(path for path in TEMPLATES.glob("*/project/*monitoring*/*") if not path.is_symlink())
ALERTS = [path for path in FILES if "alerts" in path.name]
DASHBOARDS = [path for path in FILES if path.name.endswith("json") or ".json[" in path.name]
PRODUCTION, STAGING = "shop", "shop-staging"
# The series of deployments.yml are that long, in minutes; a deployment that is gone has been so for less than a day.
NOW = 900
GONE = "1x60 _x1939"


def name_of(path: Path) -> str:
    (part,) = re.findall(r"(?:alerts|dashboard)[\w-]*", path.name)
    return f"{path.relative_to(TEMPLATES).parts[0]}/{part}"


def rules(path: Path) -> list[Rule]:
    groups = yaml.safe_load(monitoring.whole(path))["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def deployment(namespace: str | None, series: Series) -> list[str]:
    """Give the series as Prometheus has them once it has scraped a deployment."""
    place = [] if namespace is None else [f'namespace="{namespace}"']
    lines = []
    for name, values in series.items():
        metric, _, own = name.rstrip("}").partition("{")
        labels = ",".join([part for part in [own] if part] + place + ['instance="one"'])
        lines.append(f"{metric}{{{labels}}} {values.replace('gone', GONE)}")
    return lines


def ask(series: list[str], questions: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    result = subprocess.run(
        [go_program("promql_query")],
        input=json.dumps({"series": series, "questions": questions}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    answers: list[list[dict[str, Any]]] = json.loads(result.stdout)
    return answers


def firing(path: Path, series: list[str], now: int = NOW) -> dict[str, list[tuple[str | None, str]]]:
    """Give the alerts that fire: for each its namespace, and its summary."""
    minutes = {rule["alert"]: pending(rule) for rule in rules(path)}
    questions = [
        {
            "expression": rule["expr"],
            "text": rule["annotations"]["summary"],
            "from": now - minutes[rule["alert"]],
            "to": now,
        }
        for rule in rules(path)
    ]
    answers = ask(series, questions)
    return {
        name: [(one["labels"].get("namespace"), one["text"]) for one in there]
        for name, there in zip(minutes, answers, strict=True)
        if there
    }


def pending(rule: Rule) -> int:
    """Give the minutes that a condition has to last before the alert fires."""
    number, unit = re.fullmatch(r"(\d+)([mh])", rule.get("for", "0m")).groups()  # type: ignore[union-attr]
    return int(number) * {"m": 1, "h": 60}[unit]


def cases() -> list[Any]:
    return [
        pytest.param(path, alert, id=f"{name_of(path)}-{alert}")
        for path in ALERTS
        for alert in merged(GROUPS[name_of(path)]["broken"])
    ]


def of(path: Path, alert: str) -> tuple[Series, Series]:
    group = GROUPS[name_of(path)]
    well = merged(group["well"])
    return well, {**well, **merged(group["broken"])[alert]}


@pytest.mark.parametrize("path", ALERTS, ids=name_of)
def test_every_alert_is_tried(path: Path) -> None:
    assert {rule["alert"] for rule in rules(path)} == set(merged(GROUPS[name_of(path)]["broken"]))


@pytest.mark.full
@pytest.mark.parametrize("path", ALERTS, ids=name_of)
def test_nothing_fires_while_both_deployments_are_well(path: Path) -> None:
    well = merged(GROUPS[name_of(path)]["well"])
    # A program of somebody else may count its requests by the same name.
    other = deployment("else", {"http_requests_in_flight": "1x1999"})
    assert firing(path, deployment(PRODUCTION, well) + deployment(STAGING, well) + other) == {}


@pytest.mark.full
@pytest.mark.parametrize(("path", "alert"), cases())
@pytest.mark.parametrize(("sick", "healthy"), [(PRODUCTION, STAGING), (STAGING, PRODUCTION)])
def test_an_alert_fires_for_the_deployment_that_is_broken_and_names_it(
    path: Path, alert: str, sick: str, healthy: str
) -> None:
    well, broken = of(path, alert)
    # What is well has a hundred times the traffic.
    busy = {name: re.sub(r"0\+(\d+)x", lambda found: f"0+{found[1]}00x", values) for name, values in well.items()}
    fired = firing(path, deployment(sick, broken) + deployment(healthy, busy))
    assert alert in fired
    assert {namespace for alerts in fired.values() for namespace, _ in alerts} == {sick}
    assert all(summary.startswith(f"{sick}: ") for alerts in fired.values() for _, summary in alerts)


@pytest.mark.full
@pytest.mark.parametrize(("path", "alert"), cases())
def test_an_alert_fires_where_no_label_tells_deployments_apart(path: Path, alert: str) -> None:
    _, broken = of(path, alert)
    ((namespace, summary),) = firing(path, deployment(None, broken))[alert]
    assert namespace is None
    assert summary[0].isupper()


@pytest.mark.full
@pytest.mark.parametrize(
    "path", [path for path in ALERTS if not re.search("-jobs|-generate|-search", path.name)], ids=name_of
)
def test_a_deployment_that_never_was_there_or_is_gone_for_long_is_missed_where_there_is_no_other(path: Path) -> None:
    gone = dict.fromkeys(merged(GROUPS[name_of(path)]["well"]), "gone")
    (alert,) = {"ApiGone", "ServiceGone"} & {rule["alert"] for rule in rules(path)}
    for series, now in (([], NOW), (deployment(PRODUCTION, gone), 1900)):
        assert [namespace for namespace, _ in firing(path, series, now)[alert]] == [None]


@pytest.mark.full
@pytest.mark.parametrize("path", DASHBOARDS, ids=name_of)
def test_a_dashboard_shows_the_deployment_that_is_asked_for_and_each_for_itself(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    (variable,) = (one for one in board["templating"]["list"] if one["name"] == "namespace")
    assert variable["allValue"] == ".*"
    assert variable["current"]["value"] == ["$__all"]
    targets = [target for panel in board["panels"] for target in panel["targets"]]
    assert all(target["legendFormat"].startswith("{{namespace}} ") for target in targets)
    expressions = [target["expr"] for target in targets]
    both = [*every(expressions, PRODUCTION), *every(expressions, STAGING)]
    for chosen, seen in ((PRODUCTION, {PRODUCTION}), (".*", {PRODUCTION, STAGING})):
        for expression, there in zip(expressions, shown(both, expressions, chosen), strict=True):
            assert {one["labels"].get("namespace") for one in there} == seen, expression
    for expression, there in zip(expressions, shown(every(expressions, None), expressions, ".*"), strict=True):
        assert {one["labels"].get("namespace") for one in there} == {None}, expression


def shown(series: list[str], expressions: list[str], chosen: str) -> list[list[dict[str, Any]]]:
    asked = [expression.replace("$namespace", chosen) for expression in expressions]
    return ask(series, [{"expression": one, "text": "", "from": NOW, "to": NOW} for one in asked])


def every(expressions: list[str], namespace: str | None) -> list[str]:
    """Give a series of each metric that is asked for, with all the labels that anything is told apart by."""
    metrics = {name for one in expressions for name in re.findall(r"\b[a-z][a-z\d_]*(?=\{)", one)}
    labels = 'le="+Inf",status="500",state="waiting",outcome="done",name="some"'
    return deployment(namespace, {f"{name}{{{labels}}}": "0+1x1999" for name in sorted(metrics)})
