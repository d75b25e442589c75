"""The decision table as a truth table: choices in, stack out."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackgen import advice, questions, stacks
from stackgen.article import (
    CHOICE_SECTION,
    COMPARISON,
    GO_SECTION,
    NODE_SECTION,
    OURS,
    PYTHON_SECTION,
)
from stackgen.choices import DOMAINS, STACKS, Ai, Bottleneck, Choices, Product, Stack, Team, parse
from stackgen.decision import recorded as decision
from stackgen.notes import CAUTIONS, REASONS
from stackgen.recommend import recommend
from stackgen.rules import ANSWERS, LANGUAGES, PARTS, RULES, TAKE_IF

ROOT = Path(__file__).parents[2]
EVERY_CHOICE = [
    Choices(product=product, ai=ai, bottleneck=bottleneck, team=team)
    for product, ai, bottleneck, team in itertools.product(Product, Ai, Bottleneck, Team)
]


def is_the_exception(choices: Choices) -> bool:
    """A team of one or two, or code that stays, an ordinary product, and waiting for input and output."""
    ordinary = choices.product in {"internal", "saas", "web", "mobile", "api"}
    return ordinary and choices.bottleneck == "io" and choices.team.startswith(("small-", "code-"))


def expected_stack(choices: Choices) -> str:
    """What is wanted in words, kept apart from the table under test."""
    if choices.ai in {"core", "search"}:
        return Stack.HYBRID
    if choices.product == "data-science":
        return Stack.DJANGO
    if choices.product in {"devops-tool", "microservice", "ingest"} or choices.bottleneck == "cpu":
        return Stack.GO
    if is_the_exception(choices):
        homes = {"typescript": Stack.NODE, "python": Stack.DJANGO, "go": Stack.GO}
        return homes[choices.team.partition("-")[2]]
    return Stack.DJANGO if choices.product == "internal" else Stack.NODE


def expected_answers(stack: str, choices: Choices) -> dict[str, str | bool]:
    """What follows for a stack's own questions, in words."""
    product = choices.product
    if stack == Stack.HYBRID:
        return {"ml_task": "text"} if choices.ai == "search" else {}
    if stack == Stack.GO:
        kinds = {"devops-tool": "cli", "microservice": "service", "ingest": "service"}
        return {"kind": kinds[product]} if product in kinds else {}
    if stack == Stack.DJANGO:
        tools = {"data-science": True} | dict.fromkeys(("internal", "saas", "web", "mobile", "api"), False)
        return {"data_tools": tools[product]} if product in tools else {}
    return {}


def expected_runner_up(choices: Choices) -> str:
    """Which stack comes second in words: what the team knows, where it is another and no half of the first one."""
    first = expected_stack(choices)
    homes = {"typescript": Stack.NODE, "python": Stack.DJANGO, "go": Stack.GO, "mixed": None}
    home = homes[choices.team.rpartition("-")[2]]
    if home and home != first and (first, home) != (Stack.HYBRID, Stack.NODE):
        return home
    if first == Stack.HYBRID:
        return Stack.NODE if choices.ai == "search" else Stack.DJANGO
    if first == Stack.DJANGO:
        return Stack.HYBRID if choices.product == "data-science" else Stack.NODE
    if first == Stack.GO:
        return Stack.NODE
    return Stack.DJANGO if is_the_exception(choices) else Stack.GO


def test_every_combination_of_choices_gets_the_stack_that_the_article_would_pick() -> None:
    assert len(EVERY_CHOICE) == 10 * 4 * 3 * 10
    for choices in EVERY_CHOICE:
        assert recommend(choices).stack == expected_stack(choices), choices


def test_the_team_never_decides_the_stack_but_in_the_one_exception() -> None:
    found = {choices: recommend(choices).stack for choices in EVERY_CHOICE}
    for choices in EVERY_CHOICE:
        stacks = {
            found[replace(choices, team=team)] for team in Team if not is_the_exception(replace(choices, team=team))
        }
        assert len(stacks) == 1, choices


def test_the_runner_up_and_the_exceptions_reason_are_those_in_words() -> None:
    for choices in EVERY_CHOICE:
        result = recommend(choices)
        assert result.runner_up == expected_runner_up(choices), choices
        follows_the_team = result.rule.startswith(("small-team-", "code-that-stays-"))
        earlier = expected_stack(choices) == Stack.HYBRID
        assert follows_the_team == (is_the_exception(choices) and not earlier), choices


def seen(choices: Choices) -> str:
    """What a reader sees of a recommendation beside the choices themselves."""
    r = recommend(choices)
    return str((r.stack, r.reasons, r.cautions, r.runner_up, r.answers, r.part))


def differing_in_one() -> Iterator[tuple[Choices, Choices]]:
    for choices in EVERY_CHOICE:
        for key, domain in DOMAINS.items():
            values = list(domain)
            later = values[values.index(getattr(choices, key)) + 1 :]
            yield from ((choices, replace(choices, **{key: value})) for value in later)  # type: ignore[arg-type]


def test_each_value_of_each_choice_changes_something_whatever_the_others_are() -> None:
    pages = {choices: seen(choices) for choices in EVERY_CHOICE}
    alike = [(one, other) for one, other in differing_in_one() if pages[one] == pages[other]]
    assert not alike


def test_one_heavy_part_leaves_a_whole_product_where_it_is_and_names_the_part() -> None:
    for product in (Product.SAAS, Product.WEB, Product.MOBILE, Product.API, Product.REALTIME):
        result = recommend(Choices(product=product, bottleneck=Bottleneck.PART))
        assert result.stack == Stack.NODE
        assert result.part is not None
        assert "worker threads" in result.part.text
        assert advice.part_command(result, "shop") == (
            "stackgen new shop-compute --product microservice --bottleneck cpu"
        )
    assert recommend(parse(PARTS[0].choices)).stack == Stack.GO
    assert recommend(Choices()).part is None
    assert recommend(Choices(bottleneck=Bottleneck.PART), Stack.GO).part is None


def test_answers_follow_from_what_was_said_and_from_nothing_that_was_assumed() -> None:
    tool = Choices(product=Product.DEVOPS_TOOL)
    assert [(a.key, a.value) for a in recommend(tool, said=("product",)).answers] == [("kind", "cli")]
    assert recommend(tool, said=("team",)).answers == ()
    assert recommend(tool, Stack.NODE).answers == ()
    for choices in EVERY_CHOICE:
        for stack in STACKS:
            answers = {a.key: a.value for a in recommend(choices, stack).answers}
            assert answers == expected_answers(stack, choices), (choices, stack)
    assert recommend(Choices(ai=Ai.SEARCH), said=("product",)).answers == ()
    data = recommend(Choices(product=Product.DATA_SCIENCE))
    assert [(a.key, a.value) for a in data.answers] == [("data_tools", True)]
    assert decision(data)["answers"] == [
        {
            "key": "data_tools",
            "value": "true",
            "because": "product = data-science: data are explored before they are served",
        }
    ]


def test_what_follows_is_an_answer_that_our_template_takes() -> None:
    asked = questions.read(ROOT)
    for answer in ANSWERS:
        given = {"name": "shop", "stack": answer.stack, answer.key: answer.value}
        assert asked.resolve(given)[answer.key] == answer.value


def test_pairs_are_the_two_changes_that_lead_where_no_single_one_does() -> None:
    for choices in (
        Choices(),
        Choices(ai=Ai.CORE),
        Choices(ai=Ai.CORE, product=Product.INGEST, team=Team.SMALL_PYTHON),
        Choices(product=Product.DATA_SCIENCE, bottleneck=Bottleneck.PART),
    ):
        result = recommend(choices)
        single = {result.stack, *(flip.stack for flip in result.flips)}
        expected = {
            (one, first, two, second, expected_stack(changed))
            for one, two in itertools.combinations(DOMAINS, 2)
            for first, second in itertools.product(DOMAINS[one], DOMAINS[two])
            if first is not getattr(choices, one) and second is not getattr(choices, two)
            for changed in [replace(choices, **{one: first, two: second})]  # type: ignore[arg-type]
            if expected_stack(changed) not in single
        }
        told = {
            (pair.first[0], first, pair.second[0], second, pair.stack)
            for pair in result.pairs
            for first, second in itertools.product(pair.first[1], pair.second[1])
        }
        assert told == expected, choices
    assert recommend(Choices(ai=Ai.CORE)).pairs


def test_there_is_a_take_it_if_for_each_pair_of_stacks_and_no_two_are_the_same() -> None:
    assert set(TAKE_IF) == set(itertools.permutations(STACKS, 2))
    assert len(set(TAKE_IF.values())) == len(TAKE_IF)
    result = recommend(Choices())
    assert result.runner_up_reason == stacks.own().take_if(Stack.NODE, Stack.GO)
    assert result.runner_up_reason.startswith("Take it if it computes more than it waits")


def test_what_is_ours_is_marked_and_what_is_the_articles_names_a_section_of_it() -> None:
    sections = {NODE_SECTION, PYTHON_SECTION, GO_SECTION, CHOICE_SECTION, OURS}
    entries = [*RULES, *REASONS, *CAUTIONS]
    assert {entry.section for entry in entries} == sections
    ours = {text for rule in RULES if rule.section == OURS for text in rule.reasons}
    ours |= {note.text for note in (*REASONS, *CAUTIONS) if note.section == OURS}
    for choices in EVERY_CHOICE[::7]:
        result = recommend(choices)
        for text in (*result.reasons, *result.cautions):
            assert (text.removesuffix(" (ours)") in ours) == text.endswith(" (ours)"), text
        assert "Node.js-first company" in result.disclosure[0]


def test_every_language_has_a_home() -> None:
    assert {*LANGUAGES} == {*Team} - {Team.MIXED}


def test_the_team_shapes_the_runner_up_and_the_cautions() -> None:
    assert recommend(Choices(team=Team.MIXED)).runner_up == Stack.GO
    python = recommend(Choices(team=Team.PYTHON))
    assert python.runner_up == Stack.DJANGO
    assert python.cautions != recommend(Choices(team=Team.MIXED)).cautions


def test_the_runner_up_is_never_the_stack_itself() -> None:
    for choices in EVERY_CHOICE:
        for override in (None, *STACKS):
            result = recommend(choices, override)
            assert result.runner_up != result.stack, (choices, override)


def test_flips_are_exactly_the_single_changes_that_change_the_stack() -> None:
    for choices in EVERY_CHOICE:
        result = recommend(choices)
        expected = {
            (key, value.value, expected_stack(replace(choices, **{key: value})))
            for key, domain in DOMAINS.items()
            for value in domain
            if expected_stack(replace(choices, **{key: value})) != result.stack
        }
        assert {(flip.key, flip.new, flip.stack) for flip in result.flips} == expected
        assert all(flip.old == getattr(choices, flip.key) for flip in result.flips)


def test_an_override_is_reported_with_what_the_article_would_have_picked() -> None:
    result = recommend(Choices(), Stack.GO)
    assert (result.stack, result.recommended, result.overridden) == (Stack.GO, Stack.NODE, True)
    assert result.runner_up == Stack.NODE
    assert not recommend(Choices(), Stack.NODE).overridden


@pytest.mark.parametrize("stack", STACKS)
def test_of_a_stack_that_was_named_without_a_word_nothing_is_recommended(stack: str) -> None:
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
        "product = ingest",
        "bottleneck = cpu",
    )
    assert recommend(Choices(), Stack.NODE, said=()).taken_when == (
        "bottleneck = part",
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


def test_every_rule_gives_reasons_and_another_stack() -> None:
    for rule in RULES:
        assert rule.reasons, rule.id
        assert rule.runner_up != rule.stack, rule.id
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_the_last_rule_always_matches_and_every_other_one_is_reached() -> None:
    assert RULES[-1].when.accepts == {}
    assert {recommend(choices).rule for choices in EVERY_CHOICE} == {rule.id for rule in RULES}


def test_conditions_name_existing_fields_and_values() -> None:
    for condition in (entry.when for entry in (*RULES, *REASONS, *CAUTIONS, *ANSWERS, *PARTS)):
        for key, values in condition.accepts.items():
            assert set(values) <= {member.value for member in DOMAINS[key]}, condition


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_has_a_title_a_strength_cautions_and_contents(stack: str) -> None:
    record = stacks.own().records[stack]
    assert record.title
    assert record.strength
    assert record.contents
    assert recommend(Choices(), stack).cautions


def test_the_comparison_has_the_five_rows_of_the_article() -> None:
    assert [row[0] for row in COMPARISON] == ["Primary use", "Performance", "Concurrency", "Ecosystem", "Hiring"]
