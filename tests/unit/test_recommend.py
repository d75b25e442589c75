"""The decision table as a truth table: choices in, stack out."""

import itertools
from dataclasses import replace

import pytest

from stackgen.article import CAUTIONS, COMPARISON, CONTENTS, RULES, STRENGTHS, TITLES
from stackgen.choices import DOMAINS, Ai, Bottleneck, Choices, Product, Stack, Team
from stackgen.plan import decision
from stackgen.recommend import recommend

EVERY_CHOICE = [
    Choices(product=product, ai=ai, bottleneck=bottleneck, team=team)
    for product, ai, bottleneck, team in itertools.product(Product, Ai, Bottleneck, Team)
]


def expected_stack(choices: Choices) -> Stack:
    """The issue's own words, kept apart from the table under test."""
    if choices.ai == "core":
        return Stack.HYBRID
    if choices.product == "data-science":
        return Stack.DJANGO
    if choices.product in {"devops-tool", "microservice"} or choices.bottleneck == "cpu":
        return Stack.GO
    return Stack.NODE


def test_every_combination_of_choices_gets_the_stack_that_the_article_would_pick() -> None:
    assert len(EVERY_CHOICE) == 8 * 3 * 2 * 4
    for choices in EVERY_CHOICE:
        assert recommend(choices).stack is expected_stack(choices), choices


def test_the_team_never_decides_the_stack() -> None:
    for choices in EVERY_CHOICE:
        stacks = {recommend(replace(choices, team=team)).stack for team in Team}
        assert len(stacks) == 1, choices


def test_the_team_shapes_the_runner_up_and_the_cautions() -> None:
    assert recommend(Choices(team=Team.MIXED)).runner_up is Stack.GO
    python = recommend(Choices(team=Team.PYTHON))
    assert python.runner_up is Stack.DJANGO
    assert python.cautions != recommend(Choices(team=Team.MIXED)).cautions


def test_the_runner_up_is_never_the_stack_itself() -> None:
    for choices in EVERY_CHOICE:
        for override in (None, *Stack):
            result = recommend(choices, override)
            assert result.runner_up is not result.stack, (choices, override)


def test_flips_are_exactly_the_single_changes_that_change_the_stack() -> None:
    for choices in EVERY_CHOICE:
        result = recommend(choices)
        expected = {
            (key, value.value, expected_stack(replace(choices, **{key: value})))
            for key, domain in DOMAINS.items()
            for value in domain
            if expected_stack(replace(choices, **{key: value})) is not result.stack
        }
        assert {(flip.key, flip.new, flip.stack) for flip in result.flips} == expected
        assert all(flip.old == getattr(choices, flip.key) for flip in result.flips)


def test_the_same_choices_always_give_the_same_recommendation() -> None:
    for choices in EVERY_CHOICE:
        assert decision(recommend(choices)) == decision(recommend(replace(choices)))


def test_an_override_is_reported_with_what_the_article_would_have_picked() -> None:
    result = recommend(Choices(), Stack.GO)
    assert (result.stack, result.recommended, result.overridden) == (Stack.GO, Stack.NODE, True)
    assert result.runner_up is Stack.NODE
    assert not recommend(Choices(), Stack.NODE).overridden


@pytest.mark.parametrize("stack", Stack)
def test_of_a_stack_that_was_named_without_a_word_nothing_is_recommended(stack: Stack) -> None:
    result = recommend(Choices(), stack, said=())
    assert result.by_hand
    assert not result.overridden
    assert (result.stack, result.recommended, result.said) == (stack, stack, ())
    assert result.taken_when
    assert "choices" not in decision(result)
    assert decision(result)["by_hand"] is True


def test_when_the_article_takes_a_stack_is_read_from_the_rules() -> None:
    assert recommend(Choices(), Stack.GO, said=()).taken_when == (
        "product = devops-tool or microservice",
        "bottleneck = cpu",
    )
    assert recommend(Choices(), Stack.NODE, said=()).taken_when == (
        "product = realtime",
        "nothing speaks for another stack",
    )


def test_what_was_said_and_what_was_assumed_are_kept_apart() -> None:
    result = recommend(Choices(team=Team.GO), said=("team",))
    assert (result.said, result.assumed) == (("team",), ("product", "ai", "bottleneck"))
    recorded = decision(result)["choices"]
    assert isinstance(recorded, list)
    assert [(choice["key"], choice["said"]) for choice in recorded] == [
        ("product", False), ("ai", False), ("bottleneck", False), ("team", True),
    ]  # fmt: skip
    assert not recommend(Choices()).assumed


def test_cpu_heavy_work_on_node_is_warned_about() -> None:
    result = recommend(Choices(bottleneck=Bottleneck.CPU), Stack.NODE)
    assert any("never on the event loop" in caution for caution in result.cautions)


def test_every_rule_gives_reasons_and_the_section_of_the_article_it_rests_on() -> None:
    for rule in RULES:
        assert rule.reasons, rule.id
        assert rule.section, rule.id
        assert rule.runner_up is not rule.stack, rule.id
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_the_last_rule_always_matches_and_every_other_one_is_reached() -> None:
    assert RULES[-1].when.accepts == {}
    assert {recommend(choices).rule for choices in EVERY_CHOICE} == {rule.id for rule in RULES}


def test_conditions_name_existing_fields_and_values() -> None:
    for condition in [*(rule.when for rule in RULES), *(caution.when for caution in CAUTIONS)]:
        for key, values in condition.accepts.items():
            assert set(values) <= {member.value for member in DOMAINS[key]}, condition


@pytest.mark.parametrize("stack", Stack)
def test_every_stack_has_a_title_a_strength_cautions_and_contents(stack: Stack) -> None:
    assert TITLES[stack]
    assert STRENGTHS[stack]
    assert CONTENTS[stack]
    assert recommend(Choices(), stack).cautions


def test_the_comparison_has_the_five_rows_of_the_article() -> None:
    assert [row[0] for row in COMPARISON] == ["Primary use", "Performance", "Concurrency", "Ecosystem", "Hiring"]
