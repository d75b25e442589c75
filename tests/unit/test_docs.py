"""The documentation says what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_changelog_has_an_entry_for_the_version() -> None:
    version = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    heading = "Unreleased" if ".dev" in version[1] else version[1]
    assert re.search(rf"^## {re.escape(heading)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
