"""Real descriptions with an expert's answers: how often the rules agree is counted, and may only rise."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackgen import choices
from stackgen.choices import STACKS
from stackgen.recommend import recommend

DESCRIPTIONS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[1] / "descriptions.yml").read_text())
FEWEST, FEWEST_BY_STRANGERS = 50, 20
LEAST_AGREED = 76


def answer(entry: dict[str, Any]) -> str:
    said = entry.get("choices") or entry["said"]
    return recommend(choices.parse(said), said=tuple(said)).stack


def test_there_are_enough_of_them_and_no_two_are_alike() -> None:
    assert len({entry["text"] for entry in DESCRIPTIONS}) == len(DESCRIPTIONS)
    strangers = [entry for entry in DESCRIPTIONS if entry.get("stranger")]
    assert len(strangers) >= FEWEST_BY_STRANGERS
    assert len(DESCRIPTIONS) - len(strangers) >= FEWEST


@pytest.mark.parametrize("entry", DESCRIPTIONS, ids=lambda entry: entry["text"][:40])
def test_an_experts_answer_is_a_stack_and_has_a_reason(entry: dict[str, Any]) -> None:
    assert entry["why"]
    assert {*entry["expert"], entry["first"]} <= set(STACKS)


def test_the_rules_agree_with_the_expert_as_often_as_was_reached() -> None:
    agreed = Counter(answer(entry) in entry["expert"] for entry in DESCRIPTIONS)
    assert agreed[True] >= LEAST_AGREED, [
        entry["text"] for entry in DESCRIPTIONS if answer(entry) not in entry["expert"]
    ]
