"""`recommend`, `compare`, `stacks` and `schema`: what they print, for people and for programs."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from running import Run

from stackgen.choices import DOMAINS, STACKS

Stackgen = Callable[..., Run]


def test_recommend_reads_flags(stackgen: Stackgen) -> None:
    result = stackgen("recommend", "--ai", "core", "--json").json["result"]
    assert result["stack"] == "hybrid-node-python-ml"
    assert result["rule"] == "ai-at-the-core"
    assert result["choices"] == {"product": "saas", "ai": "core", "bottleneck": "io", "team": "mixed"}


def test_recommend_reads_an_answers_file_and_flags_win(stackgen: Stackgen, tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text("product: microservice\nname: ignored-here\n")
    assert stackgen("recommend", "--answers", "answers.yml", "--json").json["result"]["stack"] == "go"
    flags = ("--product", "web", "--answers", "answers.yml", "--json")
    assert stackgen("recommend", *flags).json["result"]["stack"] == "node-ts"
    data = ("-d", "product=data-science", "--answers", "answers.yml", "--json")
    assert stackgen("recommend", *data).json["result"]["stack"] == "python-django"


def test_recommend_json_carries_all_that_is_promised(stackgen: Stackgen) -> None:
    result = stackgen("recommend", "--yes", "--json").json["result"]
    assert {"stack", "rule", "reasons", "cautions", "runner_up", "flips"} <= result.keys()
    assert {flip["stack"] for flip in result["flips"]} == {"go", "python-django", "hybrid-node-python-ml"}


def test_an_override_says_what_the_article_would_have_picked(stackgen: Stackgen) -> None:
    run = stackgen("recommend", "--stack", "go", "--product", "saas")
    assert "Chosen by you. The article would pick node-ts" in run.out
    said = ("--stack", "go", "--product", "saas", "--json")
    assert stackgen("recommend", *said).json["result"]["recommended"] == "node-ts"


def test_a_stack_named_without_a_choice_is_not_argued_with(stackgen: Stackgen) -> None:
    out = stackgen("recommend", "--stack", "python-django").out
    assert "Chosen by hand: nothing was said" in out
    assert "product = data-science" in out
    assert "saas" not in out
    assert "would pick" not in out
    result = stackgen("recommend", "--stack", "python-django", "--json").json["result"]
    assert (result["by_hand"], result["said"], result["overridden"]) == (True, [], False)


def test_what_was_assumed_is_said_and_the_command_that_follows_holds_only_what_was_said(stackgen: Stackgen) -> None:
    out = stackgen("recommend", "--product", "web").out
    assert "Said: product = web\n" in out
    assert "Assumed: ai = none, bottleneck = io, team = mixed\n" in out
    assert out.endswith("To generate it\n  stackgen new my-app --product web\n")
    result = stackgen("recommend", "--product", "web", "--json").json["result"]
    assert (result["said"], result["assumed"]) == (["product"], ["ai", "bottleneck", "team"])
    assert stackgen("recommend").out.endswith("  stackgen new my-app\n")


def test_one_heavy_part_is_named_and_both_commands_are_printed(stackgen: Stackgen) -> None:
    out = stackgen("recommend", "--product", "saas", "--bottleneck", "part").out
    assert out.startswith("node-ts  ")
    assert "Start with a pool of worker threads inside" in out
    assert "  stackgen new my-app --product saas --bottleneck part\n" in out
    assert out.endswith("  stackgen new my-app-compute --product microservice --bottleneck cpu\n")
    part = stackgen("recommend", "--bottleneck", "part", "--json").json["result"]["part"]
    assert part["command"] == "stackgen new my-app-compute --product microservice --bottleneck cpu"
    assert stackgen("recommend", "--json").json["result"]["part"] is None


def test_where_a_recommendation_comes_from_is_disclosed(stackgen: Stackgen) -> None:
    for arguments in ((), ("--product", "internal"), ("--stack", "go")):
        out = " ".join(stackgen("recommend", *arguments).out.split())
        assert "The article's author calls itself a Node.js-first company and sells that work." in out
    result = stackgen("recommend", "--product", "internal", "--json").json["result"]
    assert all(reason.endswith("(ours)") for reason in result["reasons"])
    assert result["section"] == ""
    assert [("Node.js-first" in each, "benchmarks" in each) for each in result["disclosure"]][:3] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    against = stackgen("recommend", "--product", "internal", "--stack", "go").out
    assert "Our rules would pick python-django" in against
    assert "Why (internal-tool; ours, not the article's)" in against


def test_two_changes_are_told_where_no_single_one_leads_to_a_stack(stackgen: Stackgen) -> None:
    out = " ".join(stackgen("recommend", "--ai", "core").out.split())
    assert "ai = none or feature, and bottleneck = cpu → go" in out
    pairs = stackgen("recommend", "--ai", "core", "--json").json["result"]["pairs"]
    changes = [{"key": "ai", "to": ["none", "feature"]}, {"key": "bottleneck", "to": ["cpu"]}]
    assert {"changes": changes, "stack": "go"} in pairs


def test_text_output_has_no_colours_when_nobody_looks(stackgen: Stackgen) -> None:
    for command in ("recommend", "compare", "stacks"):
        assert "\x1b" not in stackgen(command).out


def test_compare_has_the_three_languages_and_every_template(stackgen: Stackgen) -> None:
    out = stackgen("compare").out
    assert all(word in out for word in ("Node.js (TypeScript)", "Python", "Go", "Hiring", *STACKS))
    assert len(stackgen("compare", "--json").json["result"]["rows"]) == 5


def test_stacks_lists_all_four(stackgen: Stackgen) -> None:
    listed = stackgen("stacks", "--json").json["result"]["stacks"]
    assert {entry["stack"] for entry in listed} == set(STACKS)
    assert any(entry["available"] for entry in listed)


def test_the_schema_accepts_what_new_accepts_and_nothing_else(stackgen: Stackgen) -> None:
    schema = json.loads(stackgen("schema", "--stack", "node-ts").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    accepts = jsonschema.Draft202012Validator(schema).is_valid
    assert accepts({"name": "my-shop"})
    assert accepts({"name": "my-shop", "product": "web", "deploy": "kubernetes", "stack": "node-ts"})
    assert not accepts({})
    assert not accepts({"name": "my-shop", "stack": "go"})
    assert not accepts({"name": "my-shop", "nosuch": 1})
    assert not accepts({"name": "my-shop", "ai": "maybe"})


def test_the_schema_of_all_stacks_holds_each_stacks_own(stackgen: Stackgen) -> None:
    whole = json.loads(stackgen("schema").out)
    jsonschema.Draft202012Validator.check_schema(whole)
    for name in whole["$defs"]:
        single = json.loads(stackgen("schema", "--stack", name).out)
        assert whole["$defs"][name]["properties"] == single["properties"]


@pytest.mark.parametrize("key", [*DOMAINS, "stack"])
def test_help_names_every_value_of_a_flag(stackgen: Stackgen, key: str) -> None:
    words = " ".join(stackgen("new", "--help").out.replace("-\n", "-").split())
    for value in STACKS if key == "stack" else [member.value for member in DOMAINS[key]]:
        assert value in words.replace("- ", "-")


def test_help_names_every_command(stackgen: Stackgen) -> None:
    out = stackgen("--help").out
    assert not any(line.endswith("...") for line in out.splitlines() if "ARGS" not in line)
    assert all(
        f"  {command} " in out for command in ("new", "recommend", "compare", "stacks", "schema", "update", "verify")
    )
