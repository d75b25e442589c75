"""Writes the Grafana dashboard of every stack from the panels below.

    uv run tools/dashboards.py          # after a change of a panel
    uv run tools/dashboards.py --check  # tells whether they are up to date

What Grafana exports has hundreds of lines for each panel, and almost all of them are its defaults.
"""

import json
import sys
from pathlib import Path

TEMPLATES = Path(__file__).parents[1] / "templates"
# A row of Grafana's grid has 24 columns.
WIDTH, HEIGHT, COLUMNS = 8, 8, 3

Panel = tuple[str, str, list[tuple[str, str]]]

FAILING = (
    'sum(rate(http_request_duration_seconds_count{status=~"5.."}[5m]))'
    " / sum(rate(http_request_duration_seconds_count[5m]))"
)
REQUESTS: list[Panel] = [
    (
        "Requests, by status",
        "reqps",
        [("sum by (status) (rate(http_request_duration_seconds_count[5m]))", "{{status}}")],
    ),
    (
        "Share of requests that fail",
        "percentunit",
        [
            (
                FAILING,
                "5xx",
            )
        ],
    ),
    (
        "Slowest hundredth, by route",
        "s",
        [
            (
                "histogram_quantile(0.99, sum by (le, route) (rate(http_request_duration_seconds_bucket[5m])))",
                "{{route}}",
            )
        ],
    ),
]
CONNECTIONS: Panel = (
    "Connections to the database",
    "short",
    [
        ("sum(database_connections)", "in use"),
        ("sum(database_connections_max)", "possible"),
    ],
)
PROCESS: list[Panel] = [
    ("CPU", "short", [("rate(process_cpu_seconds_total[5m])", "{{pod}}{{instance}}")]),
    ("Memory", "bytes", [("process_resident_memory_bytes", "{{pod}}{{instance}}")]),
]
JOBS: list[Panel] = [
    ("Jobs, by outcome", "ops", [("sum by (outcome) (rate(jobs_total[5m]))", "{{outcome}}")]),
    (
        "Slowest hundredth of jobs, by kind",
        "s",
        [("histogram_quantile(0.99, sum by (le, kind) (rate(job_duration_seconds_bucket[15m])))", "{{kind}}")],
    ),
]
WAITING_CALLERS: Panel = (
    CONNECTIONS[0],
    CONNECTIONS[1],
    [*CONNECTIONS[2], ("sum(database_connections_waiting)", "callers waiting")],
)
QUEUE: list[Panel] = [
    ("Oldest job that is due", "s", [("max by (kind) (queue_oldest_waiting_seconds)", "{{kind}}")]),
    ("Jobs that wait", "short", [('max by (kind) (queue_jobs{state="waiting"})', "{{kind}}")]),
    ("Jobs that have failed for good", "short", [("max by (kind) (queue_dead_letters)", "{{kind}}")]),
    *JOBS,
]
NODE: list[Panel] = [
    *REQUESTS,
    ("Event loop: the latest hundredth", "s", [("nodejs_eventloop_lag_p99_seconds", "{{pod}}{{instance}}")]),
    WAITING_CALLERS,
    ("Requests turned away", "reqps", [("sum by (reason) (rate(http_requests_shed_total[5m]))", "{{reason}}")]),
    *QUEUE,
    ("Mails", "ops", [("sum by (outcome) (rate(mails_total[15m]))", "{{outcome}}")]),
    ("Webhooks", "ops", [("sum by (outcome) (rate(webhook_deliveries_total[15m]))", "{{outcome}}")]),
    ("Open streams", "short", [("sum(live_streams_open)", "streams")]),
    *PROCESS,
]
GO: list[Panel] = [
    *REQUESTS,
    ("Requests under way", "short", [("sum(http_requests_in_flight)", "requests")]),
    CONNECTIONS,
    ("Alerts, by outcome", "ops", [("sum by (outcome) (rate(alerts_total[15m]))", "{{outcome}}")]),
    (
        "Probes, by result",
        "ops",
        [("sum by (healthy) (rate(probe_duration_seconds_count[5m]))", "healthy: {{healthy}}")],
    ),
    (
        "Slowest hundredth of probes",
        "s",
        [("histogram_quantile(0.99, sum by (le) (rate(probe_duration_seconds_bucket[15m])))", "probes")],
    ),
    ("Targets that are down", "short", [("count(max by (name) (target_up) == 0) or vector(0)", "targets")]),
    *PROCESS,
]
DJANGO: list[Panel] = [
    *REQUESTS,
    (
        "Threads",
        "short",
        [("sum(http_requests_in_flight)", "busy with a request"), ("sum(http_requests_max)", "possible")],
    ),
    ("Large requests that wait for a thread", "short", [("sum(http_requests_waiting)", "requests")]),
    WAITING_CALLERS,
    *QUEUE,
    ("Data sets, by state", "short", [("max by (state) (datasets)", "{{state}}")]),
    ("Files of data sets", "bytes", [("max(datasets_bytes)", "files")]),
    *PROCESS,
]
ML: list[Panel] = [
    (
        "Predictions, by status",
        "reqps",
        [("sum by (status) (rate(ml_http_request_duration_seconds_count[5m]))", "{{status}}")],
    ),
    (
        "Slowest hundredth, by route",
        "s",
        [
            (
                "histogram_quantile(0.99, sum by (le, route) (rate(ml_http_request_duration_seconds_bucket[5m])))",
                "{{route}}",
            )
        ],
    ),
    ("Refused, by reason", "reqps", [("sum by (reason) (rate(ml_refused_total[5m]))", "{{reason}}")]),
    ("Rows that wait for a batch", "short", [("sum(ml_queue_rows)", "rows")]),
    (
        "Slowest hundredth of batches",
        "s",
        [("histogram_quantile(0.99, sum by (le) (rate(ml_batch_duration_seconds_bucket[5m])))", "batches")],
    ),
    ("How far requests are from the training data", "short", [("max by (signal) (ml_drift_psi)", "{{signal}}")]),
    ("Model in service", "short", [("sum by (name, version) (ml_model_info)", "{{name}} {{version}}")]),
]
GO_MONITORING = "go/project/[=% if serves %=]monitoring[=% endif %=]"
DASHBOARDS: dict[str, tuple[str, list[Panel]]] = {
    "node-ts/project/monitoring/dashboard.json": ("API", NODE),
    f"{GO_MONITORING}/dashboard.json": ("Monitor", GO),
    f"{GO_MONITORING}/[=% if with_jobs %=]dashboard-jobs.json[=% endif %=]": ("Jobs", QUEUE),
    "python-django/project/monitoring/dashboard.json": ("Site", DJANGO),
    "hybrid-node-python-ml/project/monitoring/dashboard-ml.json": ("Machine learning service", ML),
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
                {"datasource": source, "expr": expression, "legendFormat": legend, "refId": chr(ord("A") + number)}
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
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": drawn,
    }
    return json.dumps(document, indent=2) + "\n"


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
