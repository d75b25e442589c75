"""Outside data becomes choices here or is refused with one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackgen import choices, stacks
from stackgen.choices import DOMAINS, EXPLANATIONS, LABELS, MEANINGS, STACKS, Choices, Stack
from stackgen.errors import UsageError


def test_nothing_given_is_a_saas_that_waits_for_io() -> None:
    assert choices.parse({}) == Choices(product="saas", ai="none", bottleneck="io", team="mixed")


@pytest.mark.parametrize(("key", "value"), [(key, m.value) for key, domain in DOMAINS.items() for m in domain])
def test_every_documented_value_is_accepted(key: str, value: str) -> None:
    assert getattr(choices.parse({key: value}), key) == value
    assert LABELS[value]
    assert EXPLANATIONS[value].endswith(".")
    assert MEANINGS[key]


def test_a_misspelt_value_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError) as caught:
        choices.parse({"product": "mobil"})
    assert "'mobil' is not one of saas" in caught.value.message
    assert caught.value.hint == "did you mean 'mobile'?"


@pytest.mark.parametrize("value", [True, 1, None, ["saas"], {"saas": 1}, "", "SAAS"])
def test_values_of_another_type_are_refused(value: object) -> None:
    with pytest.raises(UsageError):
        choices.parse({"product": value})


@pytest.mark.parametrize(
    ("key", "word", "meant"),
    [
        ("team", "js", "typescript"),
        ("team", "golang", "go"),
        ("ai", "yes", "feature"),
        ("ai", True, "feature"),
        ("ai", "no", "none"),
        ("product", "iot", "ingest"),
        ("product", "backoffice", "internal"),
        ("bottleneck", "mixed", "part"),
        ("team", "java", "mixed"),
        ("product", "CLI", "devops-tool"),
        ("bottleneck", "database", "io"),
    ],
)
def test_what_people_call_a_value_leads_to_it(key: str, word: object, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        choices.parse({key: word})
    assert caught.value.hint == f"did you mean {meant!r}?"


@pytest.mark.parametrize("word", ["solo", "small", "Alone"])
def test_a_word_that_may_mean_several_values_names_them_all(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        choices.parse({"team": word})
    assert caught.value.hint == "did you mean 'small-typescript', 'small-python' or 'small-go'?"


def test_other_names_belong_to_values_that_exist_and_to_one_each() -> None:
    for key, names in choices.OTHER_NAMES.items():
        known = set(STACKS) if key == "stack" else {member.value for member in DOMAINS[key]}
        assert set(names) == known
        words = " ".join(names.values()).split()
        assert len(set(words)) == len(words)
        assert not set(words) & known


def test_a_stack_has_other_names_too() -> None:
    with pytest.raises(UsageError) as caught:
        stacks.own().named("django")
    assert caught.value.hint == "did you mean 'python-django'?"


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown key 'prodct'") as caught:
        choices.parse({"prodct": "saas"})
    assert caught.value.hint == "did you mean 'product'?"


def test_a_stack_is_parsed_by_name_only() -> None:
    assert stacks.own().named("go") == Stack.GO
    with pytest.raises(UsageError) as caught:
        stacks.own().named("golang")
    assert "node-ts" in caught.value.message


def test_answers_are_split_into_choices_stack_and_the_rest() -> None:
    assert choices.split({"ai": "core", "stack": "go", "name": "x", "ci": "none"}) == (
        {"ai": "core"},
        Stack.GO,
        {"name": "x", "ci": "none"},
    )


def test_a_data_flag_splits_at_the_first_equals_sign() -> None:
    assert choices.pair("description=a=b") == ("description", "a=b")
    for text in ("description", "=x", ""):
        with pytest.raises(UsageError):
            choices.pair(text)


@given(st.dictionaries(st.sampled_from(sorted(DOMAINS)), st.text()))
def test_any_text_is_either_a_choice_or_a_usage_error(data: dict[str, str]) -> None:
    known = all(value in [member.value for member in DOMAINS[key]] for key, value in data.items())
    if known:
        assert all(getattr(choices.parse(data), key) == value for key, value in data.items())
    else:
        with pytest.raises(UsageError):
            choices.parse(data)
