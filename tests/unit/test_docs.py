"""The documentation says what the code does."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import templating

from stackgen.choices import STACKS

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)")


def generated_pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/reference/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.pages())


def test_the_derived_reference_pages_are_current() -> None:
    for name, expected in generated_pages().items():
        page = ROOT / "docs/reference" / name
        assert page.read_text(encoding="utf-8") == expected.rstrip("\n") + "\n", (
            f"{name} is out of date: uv run docs/reference/generate.py"
        )


def test_the_reference_pages_of_a_fork_hold_its_stack_and_its_rules(tmp_path: Path) -> None:
    fork = templating.with_a_fifth_stack(tmp_path / "fork")
    record = fork / "templates/rust-axum/stack.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "cautions": [{"text": "Ask them first."}]}))
    with (fork / "templates/rust-axum/questions.yml").open("a") as questions:
        when = "\"[= stack == 'rust-axum' and tls =]\""
        questions.write(f"zones: {{type: str, multiselect: true, choices: [eu, us], default: [eu], when: {when}}}\n")
    shutil.copytree(ROOT / "src", fork / "src", ignore=shutil.ignore_patterns("__pycache__", "_template"))
    records = [f"templates/{stack}/stack.json" for stack in STACKS]
    for name in ("docs/reference/generate.py", "tests/descriptions.yml", *records):
        (fork / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, fork / name)
    command = [sys.executable, str(fork / "docs/reference/generate.py")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(fork / "src")})
    rules, asked = ((fork / f"docs/reference/{name}.md").read_text() for name in ("rules", "questions"))
    assert "| `platform` | `product` is `microservice`" in rules
    assert "- The platform team runs it. (the company's)\n" in rules
    assert "- always: Ask them first. (the company's)\n" in rules
    assert "| `go` | `rust-axum` | Take it if memory is what you pay for. |" in rules
    assert "## Questions of rust-axum\n" in asked
    assert 'Default: `["eu"]`.\n\nNot asked where `tls` is `false`.\n' in asked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_changelog_has_an_entry_for_the_version() -> None:
    version = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    heading = "Unreleased" if ".dev" in version[1] else version[1]
    assert re.search(rf"^## {re.escape(heading)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
