"""The decision record says why the stack was chosen, as far as anybody has told."""

from pathlib import Path
from typing import Any

import pytest
from operations_render import STACKS, copy_template, render

RECORD = "docs/decisions/0001-stack.md"
DECISION: dict[str, Any] = {
    "stack": STACKS[0],
    "title": "The chosen one",
    "overridden": False,
    "recommended": "The chosen one",
    "rule": "some-rule",
    "section": "Some section",
    "choices": [{"key": "product", "value": "saas"}, {"key": "ai", "value": "none"}],
    "reasons": ["It fits.", "It lasts."],
    "cautions": ["Mind the step."],
    "runner_up": {"title": "The other", "reason": "The other is quick."},
    "flips": [{"key": "ai", "from": "none", "to": "core", "title": "The third"}],
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_template(tmp_path_factory.mktemp("decision") / "template")


def _record(template: Path, path: Path, **answers: object) -> str:
    return (render(template, path, **answers) / RECORD).read_text(encoding="utf-8")


@pytest.mark.parametrize("stack", STACKS)
def test_a_recommendation_is_recorded_with_all_that_speaks_for_and_against(
    template: Path, tmp_path: Path, stack: str
) -> None:
    text = _record(template, tmp_path / "project", stack=stack, decision={**DECISION, "stack": stack})
    for part in (
        "# 1. Build on The chosen one\n",
        "- `product`: `saas`\n- `ai`: `none`\n",
        "The rule `some-rule` recommends it, for these reasons:\n\n- It fits.\n- It lasts.\n",
        "“Some section”",
        "**The other**. The other is quick.\n",
        "- `ai` from `none` to `core`: The third\n",
        "## Consequences\n\n- Mind the step.\n",
    ):
        assert part in text
    assert "Moved since" not in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize("stack", STACKS)
def test_without_a_recommendation_it_says_that_the_stack_was_chosen_by_hand(
    template: Path, tmp_path: Path, stack: str
) -> None:
    text = _record(template, tmp_path / "project", stack=stack)
    assert text.startswith("# 1. The stack was chosen by hand\n")
    assert f"We build on the `{stack}` stack.\n\n## Consequences\n\n- The reasons" in text
    assert "by copier directly, without\nstackgen's questions" in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_that_was_named_without_a_word_about_the_product_is_no_recommendation(
    template: Path, tmp_path: Path, stack: str
) -> None:
    decision = {key: DECISION[key] for key in ("title", "section", "reasons", "cautions")}
    decision |= {"stack": stack, "by_hand": True, "taken_when": ["product = api", "ai = none"]}
    text = _record(template, tmp_path / "project", stack=stack, decision=decision)
    for part in (
        "# 1. The stack was chosen by hand\n",
        "The stack was named outright, and\nnothing was said about the product",
        f"We build on the `{stack}` stack.\n\nWhat speaks for The chosen one, the stack that was named:\n\n- It",
        "“Some section”,\ntakes it when:\n\n- product = api\n- ai = none\n\n## Consequences\n\n- Mind the step.\n- The",
    ):
        assert part in text
    assert "by copier directly" not in text
    assert "recommends" not in text
    company = {**decision, "section": "", "disclosure": ["One.", "Two."]}
    other = _record(template, tmp_path / "other", stack=stack, decision=company)
    assert "The template's own rules take it when:\n\n- product = api\n- ai = none\n\nOne.\n\nTwo.\n\n## Con" in other
    assert "“”" not in other
    assert "\n\n\n" not in text


def test_what_was_only_assumed_is_marked_and_what_an_old_project_recorded_is_not(
    template: Path, tmp_path: Path
) -> None:
    choices = [
        {"key": "product", "value": "saas", "said": True},
        {"key": "ai", "value": "none", "said": False},
        {"key": "team", "value": "go"},
    ]
    text = _record(template, tmp_path / "project", stack=STACKS[0], decision={**DECISION, "choices": choices})
    assert "- `product`: `saas`\n- `ai`: `none` (assumed, nobody said so)\n- `team`: `go`\n" in text


def test_what_follows_the_part_and_the_sources_are_recorded(template: Path, tmp_path: Path) -> None:
    decision = {
        **DECISION,
        "answers": [{"key": "kind", "value": "cli", "because": "product = devops-tool: a tool\n# is run"}],
        "part": "Start with a pool.",
        "pairs": [{"changes": "ai = none and team = go", "title": "The fourth"}],
        "disclosure": ["Its author sells that.", "What is marked is ours."],
    }
    text = _record(template, tmp_path / "project", stack=STACKS[0], decision=decision)
    for part in (
        "“Some section”.\n\nIts author sells that.\nWhat is marked is ours.\n\nThese answers",
        "choices:\n\n- `kind`: `cli`, because product = devops-tool: a tool # is run\n\nOne part",
        "of another kind. Start with a pool.\n\n## Alternatives",
        "The third\n\nWhere no single one does, these two together would have:\n\n",
        "- ai = none and team = go: The fourth\n\n## Consequences",
    ):
        assert part in text
    assert "\n\n\n" not in text
    assert "because" not in _record(template, tmp_path / "old", stack=STACKS[0], decision=DECISION)


def test_a_choice_against_the_recommendation_says_what_was_recommended(template: Path, tmp_path: Path) -> None:
    decision = {**DECISION, "overridden": True, "recommended": "The sensible one"}
    text = _record(template, tmp_path / "project", stack=STACKS[0], decision=decision)
    assert "accepted, against the recommendation" in text
    assert "deliberate choice: the rule `some-rule` recommends The sensible one" in text


def test_a_project_that_moved_to_another_stack_says_so(template: Path, tmp_path: Path) -> None:
    decision = {**DECISION, "stack": "cobol"}
    text = _record(template, tmp_path / "project", stack=STACKS[0], decision=decision)
    assert f"the project now uses the `{STACKS[0]}` stack" in text


def test_empty_lists_and_a_rule_without_a_source_leave_no_holes(template: Path, tmp_path: Path) -> None:
    decision = {**DECISION, "section": "", "flips": [], "cautions": []}
    text = _record(template, tmp_path / "project", stack=STACKS[0], decision=decision)
    assert "rests on experience" in text
    assert "No single change of a choice would have led to another recommendation.\n\n## Consequences\n\n- If" in text
    assert "\n\n\n" not in text


def test_hostile_reasons_stay_within_their_line(template: Path, tmp_path: Path) -> None:
    hostile = 'a\n# Not a heading\n- "{{ x }}" [= y =] ${{ secrets.Z }} \\ </script> 🦜'
    decision = {**DECISION, "reasons": [hostile], "cautions": [hostile]}
    text = _record(template, tmp_path / "project", stack=STACKS[0], decision=decision)
    line = '- a # Not a heading - "{{ x }}" [= y =] ${{ secrets.Z }} \\ </script> 🦜\n'
    assert text.count(line) == 2
    assert "\n# Not" not in text
