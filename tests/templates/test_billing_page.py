"""What docs/billing.md of a node-ts project tells to send, its API takes; and its settings are there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2] / "templates/node-ts/project"
PAGE = (PROJECT / "docs/billing.md").read_text(encoding="utf-8")
API: dict[str, Any] = json.loads((PROJECT / "apps/api/openapi.json").read_text(encoding="utf-8"))
BILLING = "/api/v1/organizations/{organization}/billing"
COMMANDS = re.findall(r"^call \$billing(\S*)(?: --data '(.*)')?$", PAGE, re.MULTILINE)


def test_the_page_has_commands_and_names_the_address_for_events() -> None:
    assert len(COMMANDS) == 3
    assert "$api/api/v1/organizations/acme/billing" in PAGE
    (webhook,) = re.findall(r"https://api\.example\.com(/\S+)`", PAGE)
    assert "post" in API["paths"][webhook]
    assert f"localhost:3000{webhook}" in PAGE


@pytest.mark.parametrize(("path", "body"), COMMANDS)
def test_what_it_tells_to_send_is_taken(path: str, body: str) -> None:
    operation = API["paths"][BILLING + path]["post" if body else "get"]
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = API["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    sent = json.loads(body or "{}")
    assert sent.keys() <= schema.get("properties", {}).keys()
    for name, value in sent.items():
        assert value in schema["properties"][name]["enum"]


def test_its_settings_are_in_the_example() -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    told = set(re.findall(r"\bSTRIPE_[A-Z_]+[A-Z]\b", PAGE))
    assert len(told) > 3
    assert {name for name in told if f"#{name}=" not in example} == set()
