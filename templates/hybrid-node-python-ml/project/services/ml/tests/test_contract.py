import json
import os
import subprocess
import sys

from ml.app import create_app
from ml.settings import Settings

from .conftest import SERVICE

CONTRACT = SERVICE.parents[1] / "contracts" / "ml.openapi.json"


def test_the_committed_contract_is_what_the_service_serves() -> None:
    # In a process of its own: there the project's task holds, and not the tests'.
    exported = subprocess.run(
        [sys.executable, "-m", "ml", "openapi"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    assert CONTRACT.read_text() == exported, "run `npm run contract` at the project's root"


def test_every_error_in_the_contract_is_a_problem() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    for operations in paths.values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if not status.startswith("2"):
                    assert list(answer["content"]) == ["application/problem+json"]


def test_the_contract_says_what_is_taken() -> None:
    contract = create_app(Settings()).openapi()
    # A stream is an `itemSchema`, which 3.1 does not know.
    assert contract["openapi"] == "3.2.0"
    for operations in contract["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                assert "null" not in json.dumps(parameter), "a header is there or it is not"
                schema = parameter["schema"]
                assert schema["type"] == "string" or schema["minimum"] == 1
