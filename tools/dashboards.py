"""Writes the Grafana dashboard of every stack from the panels below.

    uv run tools/dashboards.py          # after a change of a panel
    uv run tools/dashboards.py --check  # tells whether they are up to date

What Grafana exports has hundreds of lines for each panel, and almost all of them are its defaults.
"""

import json
import re
import sys
from pathlib import Path

TEMPLATES = Path(__file__).parents[1] / "templates"
# A row of Grafana's grid has 24 columns.
WIDTH, HEIGHT, COLUMNS = 8, 8, 3

# Stands in each expression for the deployments that are chosen. A label that is not there is empty, which "All"
# takes too; as expressions keep `namespace`, each deployment has lines of its own.
CHOSEN = 'namespace=~"$namespace"'

Panel = tuple[str, str, list[tuple[str, str]]]


def slowest(metric: str, window: str, *labels: str) -> str:
    """Give the expression for the slowest hundredth of what a histogram has seen."""
    kept = ", ".join(["namespace", "le", *labels])
    return f"histogram_quantile(0.99, sum by ({kept}) (rate({metric}_bucket{{CHOSEN}}[{window}])))"


FAILING = (
    'sum by (namespace) (rate(http_request_duration_seconds_count{CHOSEN,status=~"5.."}[5m]))'
    " / sum by (namespace) (rate(http_request_duration_seconds_count{CHOSEN}[5m]))"
)
REQUESTS: list[Panel] = [
    (
        "Requests, by status",
        "reqps",
        [("sum by (namespace, status) (rate(http_request_duration_seconds_count{CHOSEN}[5m]))", "{{status}}")],
    ),
    (
        "Share of requests that fail",
        "percentunit",
        [(FAILING, "5xx")],
    ),
    (
        "Slowest hundredth, by route",
        "s",
        [(slowest("http_request_duration_seconds", "5m", "route"), "{{route}}")],
    ),
]
CONNECTIONS: Panel = (
    "Connections to the database",
    "short",
    [
        ("sum by (namespace) (database_connections{CHOSEN})", "in use"),
        ("sum by (namespace) (database_connections_max{CHOSEN})", "possible"),
    ],
)
PROCESS: list[Panel] = [
    ("CPU", "short", [("rate(process_cpu_seconds_total{CHOSEN}[5m])", "{{pod}}{{instance}}")]),
    ("Memory", "bytes", [("process_resident_memory_bytes{CHOSEN}", "{{pod}}{{instance}}")]),
]
JOBS: list[Panel] = [
    ("Jobs, by outcome", "ops", [("sum by (namespace, outcome) (rate(jobs_total{CHOSEN}[5m]))", "{{outcome}}")]),
    (
        "Slowest hundredth of jobs, by kind",
        "s",
        [(slowest("job_duration_seconds", "15m", "kind"), "{{kind}}")],
    ),
]
WAITING_CALLERS: Panel = (
    CONNECTIONS[0],
    CONNECTIONS[1],
    [*CONNECTIONS[2], ("sum by (namespace) (database_connections_waiting{CHOSEN})", "callers waiting")],
)
QUEUE: list[Panel] = [
    ("Oldest job that is due", "s", [("max by (namespace, kind) (queue_oldest_waiting_seconds{CHOSEN})", "{{kind}}")]),
    ("Jobs that wait", "short", [('max by (namespace, kind) (queue_jobs{CHOSEN,state="waiting"})', "{{kind}}")]),
    (
        "Jobs that have failed for good",
        "short",
        [("max by (namespace, kind) (queue_dead_letters{CHOSEN})", "{{kind}}")],
    ),
    *JOBS,
]
NODE: list[Panel] = [
    *REQUESTS,
    ("Event loop: the latest hundredth", "s", [("nodejs_eventloop_lag_p99_seconds{CHOSEN}", "{{pod}}{{instance}}")]),
    WAITING_CALLERS,
    (
        "Requests turned away",
        "reqps",
        [("sum by (namespace, reason) (rate(http_requests_shed_total{CHOSEN}[5m]))", "{{reason}}")],
    ),
    *QUEUE,
    ("Mails", "ops", [("sum by (namespace, outcome) (rate(mails_total{CHOSEN}[15m]))", "{{outcome}}")]),
    ("Webhooks", "ops", [("sum by (namespace, outcome) (rate(webhook_deliveries_total{CHOSEN}[15m]))", "{{outcome}}")]),
    ("Open streams", "short", [("sum by (namespace) (live_streams_open{CHOSEN})", "streams")]),
    *PROCESS,
]
GO_ALONE: list[Panel] = [
    *REQUESTS,
    ("Requests under way", "short", [("sum by (namespace) (http_requests_in_flight{CHOSEN})", "requests")]),
    CONNECTIONS,
]
GO: list[Panel] = [
    *GO_ALONE,
    ("Alerts, by outcome", "ops", [("sum by (namespace, outcome) (rate(alerts_total{CHOSEN}[15m]))", "{{outcome}}")]),
    (
        "Probes, by result",
        "ops",
        [("sum by (namespace, healthy) (rate(probe_duration_seconds_count{CHOSEN}[5m]))", "healthy: {{healthy}}")],
    ),
    (
        "Slowest hundredth of probes",
        "s",
        [(slowest("probe_duration_seconds", "15m"), "probes")],
    ),
    (
        "Targets that are down",
        "short",
        [("sum by (namespace) (max by (namespace, name) (target_up{CHOSEN}) == bool 0)", "targets")],
    ),
    *PROCESS,
]
DJANGO: list[Panel] = [
    *REQUESTS,
    (
        "Threads",
        "short",
        [
            ("sum by (namespace) (http_requests_in_flight{CHOSEN})", "busy with a request"),
            ("sum by (namespace) (http_requests_max{CHOSEN})", "possible"),
        ],
    ),
    (
        "Large requests that wait for a thread",
        "short",
        [("sum by (namespace) (http_requests_waiting{CHOSEN})", "requests")],
    ),
    WAITING_CALLERS,
    *QUEUE,
]
DATASETS: list[Panel] = [
    ("Data sets, by state", "short", [("max by (namespace, state) (datasets{CHOSEN})", "{{state}}")]),
    ("Files of data sets", "bytes", [("max by (namespace) (datasets_bytes{CHOSEN})", "files")]),
]
ML: list[Panel] = [
    (
        "Predictions, by status",
        "reqps",
        [("sum by (namespace, status) (rate(ml_http_request_duration_seconds_count{CHOSEN}[5m]))", "{{status}}")],
    ),
    (
        "Slowest hundredth, by route",
        "s",
        [(slowest("ml_http_request_duration_seconds", "5m", "route"), "{{route}}")],
    ),
    (
        "Refused, by reason",
        "reqps",
        [("sum by (namespace, reason) (rate(ml_refused_total{CHOSEN}[5m]))", "{{reason}}")],
    ),
    ("Rows that wait for a batch", "short", [("sum by (namespace) (ml_queue_rows{CHOSEN})", "rows")]),
    (
        "Slowest hundredth of batches",
        "s",
        [(slowest("ml_batch_duration_seconds", "5m"), "batches")],
    ),
    (
        "How far requests are from the training data",
        "short",
        [("max by (namespace, signal) (ml_drift_psi{CHOSEN})", "{{signal}}")],
    ),
    (
        "Model in service",
        "short",
        [("sum by (namespace, name, version) (ml_model_info{CHOSEN})", "{{name}} {{version}}")],
    ),
]
GENERATE: list[Panel] = [
    (
        "Answers, by outcome",
        "ops",
        [("sum by (namespace, outcome) (rate(generate_requests_total{CHOSEN}[5m]))", "{{outcome}}")],
    ),
    (
        "Slowest hundredth until the first token",
        "s",
        [(slowest("generate_first_token_seconds", "15m"), "answers")],
    ),
    (
        "Slowest hundredth of whole answers",
        "s",
        [(slowest("generate_answer_seconds", "15m"), "answers")],
    ),
    (
        "Tokens a second",
        "short",
        [("sum by (namespace, kind) (rate(generate_tokens_total{CHOSEN}[5m]))", "{{kind}}")],
    ),
    (
        "Processes, by their circuit's state",
        "short",
        [("sum by (namespace, state) (generate_circuit{CHOSEN})", "{{state}}")],
    ),
]
SEARCH: list[Panel] = [
    (
        "Searches, by outcome",
        "ops",
        [("sum by (namespace, outcome) (rate(search_requests_total{CHOSEN}[5m]))", "{{outcome}}")],
    ),
    (
        "Slowest hundredth of searches, by outcome",
        "s",
        [(slowest("search_duration_seconds", "15m", "outcome"), "{{outcome}}")],
    ),
    ("Documents, by state", "short", [("max by (namespace, state) (search_documents{CHOSEN})", "{{state}}")]),
    (
        "Oldest document that waits to be embedded",
        "s",
        [("max by (namespace) (search_oldest_waiting_seconds{CHOSEN})", "documents")],
    ),
]
DJANGO_MONITORING = "python-django/project/monitoring"
GO_MONITORING = "go/project/[=% if serves %=]monitoring[=% endif %=]"
DASHBOARDS: dict[str, tuple[str, list[Panel]]] = {
    "node-ts/project/monitoring/dashboard.json": ("API", NODE),
    f"{GO_MONITORING}/[=% if serves_example %=]dashboard.json[=% endif %=]": ("Monitor", GO),
    f"{GO_MONITORING}/[=% if without_example %=]dashboard.json[=% endif %=]": ("API", [*GO_ALONE, *PROCESS]),
    f"{GO_MONITORING}/[=% if with_jobs %=]dashboard-jobs.json[=% endif %=]": ("Jobs", QUEUE),
    f"{DJANGO_MONITORING}/[=% if with_example %=]dashboard.json[=% endif %=]": ("Site", [*DJANGO, *DATASETS, *PROCESS]),
    f"{DJANGO_MONITORING}/[=% if without_example %=]dashboard.json[=% endif %=]": ("Site", [*DJANGO, *PROCESS]),
    "hybrid-node-python-ml/project/monitoring/dashboard-ml.json": ("Machine learning service", ML),
    "hybrid-node-python-ml/project/monitoring/dashboard-generate.json": ("Answers of a language model", GENERATE),
    "hybrid-node-python-ml/project/monitoring/[=% if ml_text %=]dashboard-search.json[=% endif %=]": ("Search", SEARCH),
}


def namespaces(panels: list[Panel]) -> dict[str, object]:
    """Give the choice among the deployments that offer the first panel's metric."""
    metric = re.findall(r"(\w+)\{CHOSEN", panels[0][2][0][0])[0]
    return {
        "name": "namespace",
        "label": "Namespace",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "query": f"label_values({metric}, namespace)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def dashboard(title: str, panels: list[Panel]) -> str:
    """Give a dashboard as Grafana imports it."""
    source = {"type": "prometheus", "uid": "${source}"}
    drawn = [
        {
            "type": "timeseries",
            "title": name,
            "datasource": source,
            "gridPos": {"h": HEIGHT, "w": WIDTH, "x": index % COLUMNS * WIDTH, "y": index // COLUMNS * HEIGHT},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [
                {
                    "datasource": source,
                    "expr": expression.replace("{CHOSEN", "{" + CHOSEN),
                    "legendFormat": "{{namespace}} " + legend,
                    "refId": chr(ord("A") + number),
                }
                for number, (expression, legend) in enumerate(expressions)
            ],
        }
        for index, (name, unit, expressions) in enumerate(panels)
    ]
    document = {
        "title": title,
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {
            "list": [
                {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
                namespaces(panels),
            ]
        },
        "panels": drawn,
    }
    text = json.dumps(document, indent=2) + "\n"
    # As biome has it, which checks the dashboards of node-ts and the hybrid.
    return re.sub(r"\[\s+(\"[^\"]*\")\s+\]", r"[\1]", text)


def main(arguments: list[str]) -> int:
    """Write every dashboard, or tell which are not what they would be."""
    old = 0
    for place, (title, panels) in DASHBOARDS.items():
        path, text = TEMPLATES / place, dashboard(title, panels)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{place} is out of date: uv run tools/dashboards.py", file=sys.stderr)
            old = 1
    return old


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
