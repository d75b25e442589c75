"""The dashboard and the alerts ask for metrics that the service has."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from .conftest import instances

MONITORING = Path(__file__).parents[3] / "monitoring"


@pytest.mark.parametrize("name", ["dashboard-ml.json", "alerts-ml.yaml"])
def test_asks_for_what_there_is(client: TestClient, name: str) -> None:
    if not MONITORING.exists():
        pytest.skip("monitoring/ was deleted")
    file = MONITORING / name
    client.post("/v1/predict", json={"instances": instances(1)})
    kinds = re.findall(r"^# TYPE (\w+) (\w+)$", client.get("/metrics").text, re.MULTILINE)
    endings = {"histogram": ("_bucket", "_sum", "_count")}
    there = {metric + ending for metric, kind in kinds for ending in endings.get(kind, ("",))}
    asked = set(re.findall(r"\bml_\w+", file.read_text(encoding="utf-8")))
    assert len(asked) > 3
    assert asked - there == set()
