"""A stack is one record in its folder of the template; what is wrong with one is one line."""

import json
from pathlib import Path

import pytest
from templating import RUST

from stackgen import advice, stacks, toolchain
from stackgen.choices import STACKS, Choices, Product, parse
from stackgen.errors import SourceError, UsageError
from stackgen.layout import Style
from stackgen.recommend import recommend
from stackgen.rules import RULES


def template(folder: Path, record: object = None, name: str = "rust-axum") -> Path:
    place = folder / "templates" / name
    place.mkdir(parents=True, exist_ok=True)
    (place / stacks.RECORD).write_text(record if isinstance(record, str) else json.dumps(record or RUST))
    return folder


def test_each_of_our_stacks_has_a_record_in_its_folder() -> None:
    assert tuple(stacks.own().records) == STACKS
    for record in stacks.own().records.values():
        assert all((record.title, record.strength, record.take_if, record.contents, record.commands, record.tools))
        assert not record.rules


def test_a_template_brings_stacks_of_its_own_beside_ours(tmp_path: Path) -> None:
    catalogue = stacks.of(template(tmp_path), ["go", "rust-axum", "bare"])
    assert list(catalogue.records) == ["go", "bare", "rust-axum"]
    assert catalogue.title("go") == "Go"
    assert catalogue.title("bare") == "bare"
    assert catalogue.records["rust-axum"].contents == ("axum and sqlx", "our sign-in")
    assert catalogue.named("rust-axum") == "rust-axum"


def test_a_companys_rule_comes_before_ours_and_is_marked(tmp_path: Path) -> None:
    catalogue = stacks.of(template(tmp_path), [*STACKS, "rust-axum"])
    assert catalogue.rules[1:] == RULES
    result = recommend(Choices(product=Product.MICROSERVICE), catalogue=catalogue)
    assert (result.stack, result.rule, result.runner_up, result.section) == ("rust-axum", "platform", "go", "")
    assert result.reasons == ("The platform team runs it. (the company's)",)
    assert "Ask the platform team first. (the company's)" in result.cautions
    assert not any("No model" in caution for caution in result.cautions)
    assert any("A service among others" in caution for caution in result.cautions)  # ours, for every stack
    assert "(the company's)" in result.disclosure[-1]
    assert recommend(parse({"product": "microservice", "team": "python"}), catalogue=catalogue).stack == "go"
    ours = recommend(Choices(), catalogue=catalogue)
    assert any(flip.stack == "rust-axum" for flip in ours.flips)
    assert catalogue.take_if("node-ts", "rust-axum") == "Take it if memory is what you pay for."


def test_a_pair_with_a_companys_stack_says_when_the_other_one_is_better(tmp_path: Path) -> None:
    catalogue = stacks.of(template(tmp_path), [*STACKS, "rust-axum"])
    for ours in STACKS:
        assert catalogue.take_if(ours, "rust-axum") == "Take it if memory is what you pay for."
        assert catalogue.take_if("rust-axum", ours) == f"Take it if {stacks.own().records[ours].take_if}."
    platform = Choices(product=Product.MICROSERVICE)
    said = "Take it if it computes more than it waits, or must run small and many times over."
    assert recommend(platform, catalogue=catalogue).runner_up_reason == said
    quiet = {**RUST, "rules": [{**RUST["rules"][0], "take_if": "nobody on the team knows Rust"}]}
    del quiet["take_if"]
    own_words = stacks.of(template(tmp_path / "quiet", quiet), [*STACKS, "rust-axum"])
    assert own_words.take_if("go", "rust-axum") == "Take it if product = microservice and team = mixed or go."
    of_the_rule = "Take it if nobody on the team knows Rust. (the company's)"
    assert recommend(platform, catalogue=own_words).runner_up_reason == of_the_rule
    assert recommend(Choices(), "rust-axum", (), own_words).runner_up_reason == of_the_rule
    assert recommend(platform, "go", catalogue=own_words).runner_up_reason.startswith("Take it if product")
    bare = stacks.of(template(tmp_path / "bare", {"title": "Rust", "strength": "is small"}), [*STACKS, "rust-axum"])
    assert bare.take_if("go", "rust-axum") == "Rust is small."


def test_a_stack_of_ours_that_a_fork_describes_without_it_has_our_take_it_if(tmp_path: Path) -> None:
    older = template(template(tmp_path), {"title": "Go, as we run it"}, "go")
    catalogue = stacks.of(older, [*STACKS, "rust-axum"])
    assert catalogue.title("go") == "Go, as we run it"
    assert catalogue.take_if("rust-axum", "go").startswith("Take it if it computes more than it waits")


def test_a_stack_that_is_described_and_not_offered_is_named(tmp_path: Path) -> None:
    catalogue = stacks.of(template(tmp_path), STACKS)
    assert list(catalogue.idle) == ["rust-axum"]
    assert catalogue.rules == RULES
    unheard = "rust-axum has no say here: add rust-axum to the choices of `stack` in the template's copier.yml."
    assert unheard in " ".join(advice.text(recommend(Choices(), catalogue=catalogue), Style()).split())
    with pytest.raises(UsageError) as caught:
        catalogue.named("rust-axum")
    assert caught.value.hint == "add rust-axum to the choices of `stack` in the template's copier.yml"
    ours_left_out = stacks.of(template(template(tmp_path), {"title": "Go"}, "go"), ["node-ts", "rust-axum"])
    assert not ours_left_out.idle  # a company may leave out stacks of ours


def test_a_recommendation_that_the_template_does_not_offer_says_so_and_gives_no_command(tmp_path: Path) -> None:
    catalogue = stacks.of(template(tmp_path), ["node-ts", "rust-axum"])
    result = recommend(Choices(product=Product.DEVOPS_TOOL), catalogue=catalogue)
    assert result.stack == "go"
    assert "! This template does not offer it, only node-ts, rust-axum." in advice.text(result, Style())
    assert advice.command(result, "x") is None
    assert advice.follow_up(result, "x", Style()) == ""
    assert "does not offer" not in advice.text(recommend(Choices(), catalogue=catalogue), Style())


def test_a_stack_without_cautions_has_no_heading_for_them(tmp_path: Path) -> None:
    catalogue = stacks.of(template(tmp_path, {"title": "Rust"}), [*STACKS, "rust-axum"])
    assert "Mind" not in advice.text(recommend(Choices(), "rust-axum", (), catalogue), Style())
    assert "Mind" in advice.text(recommend(Choices(), "go", (), catalogue), Style())


def test_a_stack_that_no_rule_takes_can_be_chosen_by_hand(tmp_path: Path) -> None:
    bare = template(tmp_path, {"title": "Rust with axum"})
    result = recommend(Choices(), "rust-axum", (), stacks.of(bare, [*STACKS, "rust-axum"]))
    assert result.by_hand
    assert result.taken_when == ("somebody chooses it by hand: no rule takes it",)
    assert result.runner_up != result.stack
    assert len(result.disclosure) == 2


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("[1]", "the record is not an object"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ({"title": None}, "title is not a text"),
        ({"titel": "x"}, "the record has no 'titel'; did you mean 'title'?"),
        ({"place": "first"}, "place is not a whole number"),
        ({"contents": "x"}, "contents is not a list"),
        ({"tools": {"sh -c": "1"}}, "'sh -c' is not the name of a program"),
        ({"tools": {"cargo": 1}}, "cargo needs a version"),
        ({"rules": [{"id": "x"}]}, "a rule lacks reasons, runner_up, when"),
        ({"rules": [{**RUST["rules"][0], "when": {"prodct": ["saas"]}}]}, "did you mean 'product'?"),
        ({"rules": [{**RUST["rules"][0], "when": {"product": ["iot"]}}]}, "product has no 'iot', only saas"),
        ({"rules": [{**RUST["rules"][0], "runner_up": "cobol"}]}, "has 'cobol' for a runner-up"),
        ({"rules": [{**RUST["rules"][0], "runner_up": "rust-axum"}]}, "has 'rust-axum' for a runner-up"),
        ({"rules": [{**RUST["rules"][0], "take_if": 3}]}, "a rule's take_if is not a text"),
        ({"cautions": [{"when": {}}]}, "a caution's text is not a text"),
    ],
)
def test_what_is_wrong_with_a_record_is_said_in_one_line(tmp_path: Path, change: object, fault: str) -> None:
    record = {**RUST, **change} if isinstance(change, dict) else change
    with pytest.raises(SourceError) as caught:
        stacks.of(template(tmp_path, record), ["go", "rust-axum"])
    assert fault in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300


def test_no_program_is_run_because_a_template_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = stacks.of(template(tmp_path), ["rust-axum"]).records["rust-axum"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert toolchain.problems(record) == ("cargo 1.80 or newer is needed, none was found",)
    program, witness = tmp_path / "cargo", tmp_path / "was-run"
    program.write_text(f"#!/bin/sh\necho run > {witness}\n")
    program.chmod(0o755)
    assert toolchain.problems(record) == ()
    assert not witness.exists()
