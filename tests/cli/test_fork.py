"""A company's template with a fifth stack and a rule of its own: every command knows it, and no Python was written."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import templating
import terminals
import yaml
from running import Run
from terminals import DOWN, ENTER, Asked, Player

from stackgen.choices import STACKS

Stackgen = Callable[..., Run]


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(templating.with_a_fifth_stack(tmp_path_factory.mktemp("fork") / "template"))


def test_it_is_listed_compared_and_described(stackgen: Stackgen, fork: str) -> None:
    listed = stackgen("stacks", "--template", fork, "--json").json["result"]["stacks"]
    assert [entry["stack"] for entry in listed] == [*STACKS, "rust-axum"]
    assert listed[-1] == {"stack": "rust-axum", "title": "Rust with axum", "available": True}
    assert "Rust with axum\n" in stackgen("stacks", "--template", fork).out
    assert "axum and sqlx" in stackgen("compare", "--template", fork).out
    assert "rust-axum" not in stackgen("compare").out
    schema = json.loads(stackgen("schema", "--template", fork, "--stack", "rust-axum").out)
    accepts = jsonschema.Draft202012Validator(schema).is_valid
    assert accepts({"name": "shop", "tls": True})
    assert not accepts({"name": "shop", "kind": "cli"})


def test_its_own_rule_recommends_it_and_says_whose_it_is(stackgen: Stackgen, fork: str) -> None:
    flags = ("recommend", "--template", fork, "--product", "microservice")
    out = stackgen(*flags).out
    assert out.startswith("rust-axum  Rust with axum")
    assert "Why (platform; the company's)" in out
    assert "The platform team runs it. (the company's)" in out
    assert "go: Take it if it computes more than it waits" in " ".join(out.split())
    against = stackgen(*flags, "--stack", "go").out
    assert "The company's rules would pick rust-axum" in against
    assert "Take it if memory is what you pay for" in against
    assert stackgen("recommend", "--product", "microservice").out.startswith("go  Go")
    follows = f"stackgen new my-app --product microservice --template {fork}"
    assert stackgen(*flags).out.endswith(f"To generate it\n  {follows}\n")
    assert stackgen(*flags, "--json").json["result"]["command"] == follows
    part = stackgen("recommend", "--template", fork, "--bottleneck", "part", "--json").json["result"]["part"]
    assert part["command"].endswith(f"--bottleneck cpu --template {fork}")
    by_hand = stackgen("recommend", "--template", fork, "--stack", "rust-axum").out
    assert "When this template's rules take it" in by_hand
    assert "product = microservice and team = mixed or go" in by_hand


def test_it_is_generated_with_its_commands_and_recorded(
    stackgen: Stackgen, fork: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKGEN_TEMPLATE", fork)
    flags = ("--product", "microservice", "-d", "tls=true")
    assert stackgen("new", "shop", *flags, "--plan", "--json").json["result"]["stack"] == "rust-axum"
    made = stackgen("new", "shop", *flags, "--json").json["result"]
    assert made["next"][1:] == ["cargo run"]
    assert (tmp_path / "shop/main.rs").is_file()
    answers = yaml.safe_load((tmp_path / "shop/.copier-answers.yml").read_text(encoding="utf-8"))
    assert (answers["stack"], answers["tls"]) == ("rust-axum", True)
    words = shlex.split(made["command"])[1:]
    words[words.index("shop")] = "again"
    assert stackgen(*words).code == 0
    assert stackgen("status", "shop", "--json").json["result"]["stack"] == "rust-axum"
    assert "  tls: true\n" in stackgen("status", "shop").out
    assert "  tls: true\n" in stackgen("new", "other", *flags, "--plan").out
    found = stackgen("doctor", "--stack", "rust-axum", "--json").json
    assert [tool["tool"] for tool in (found.get("result") or found["error"]["details"])["tools"]] == ["cargo"]


def test_it_is_offered_to_a_person(fork: str, tmp_path: Path) -> None:
    texts = ["-d", "description=x", "-d", "owner=y", "-d", "license=mit", "-d", "ci=none", "-d", "deploy=docker"]
    flags = ["--product", "saas", "--ai", "none", "--bottleneck", "io", "--team", "mixed", *texts]
    player = Player(
        {
            "stack": Asked("Which stack shall it be?", DOWN * len(STACKS) + ENTER),
            "tls": Asked("With TLS?", "y"),
            "page": Asked("Shall it be created?", ENTER),
        }
    )
    out = player.play(terminals.spawn(tmp_path, "new", "shop", "--no-git", "--template", fork, *flags))
    assert player.exit_code == 0, out
    assert "rust-axum: axum and sqlx" in terminals.CODES.sub("", out)
    assert (tmp_path / "shop/main.rs").is_file()


def test_a_name_that_is_nearly_right_leads_to_it(stackgen: Stackgen, fork: str) -> None:
    refused = stackgen("new", "shop", "--yes", "--template", fork, "--stack", "rust-axm")
    assert refused.code == 2
    assert "did you mean 'rust-axum'?" in refused.err


def test_a_record_that_is_wrong_is_one_line_that_names_it(stackgen: Stackgen, tmp_path: Path) -> None:
    template = templating.with_a_fifth_stack(tmp_path / "template")
    (template / "templates/rust-axum/stack.json").write_text('{"titel": "x"}')
    for command in (["recommend"], ["compare"], ["stacks"], ["new", "shop", "--yes"]):
        refused = stackgen(*command, "--template", str(template))
        assert refused.code == 4
        assert "templates/rust-axum/stack.json of the template: the record has no 'titel'" in refused.err


def test_a_stack_that_is_described_and_not_offered_is_said_wherever_it_is_looked_for(
    stackgen: Stackgen, tmp_path: Path
) -> None:
    template = templating.with_a_fifth_stack(tmp_path / "template")
    asked = template / "copier.yml"
    asked.write_text(asked.read_text().replace("    Rust: rust-axum\n", ""))
    from_it = ("--template", str(template))
    to_do = "add rust-axum to the choices of `stack` in the template's copier.yml"
    listed = stackgen("stacks", *from_it)
    assert re.search(r"^rust-axum +Rust with axum +not in this template$", listed.out, re.MULTILINE)
    assert " ".join(listed.out.split()).endswith(f"- To offer rust-axum, {to_do}.")
    entry = {"stack": "rust-axum", "title": "Rust with axum", "available": False}
    assert stackgen("stacks", *from_it, "--json").json["result"]["stacks"][-1] == entry
    assert f"rust-axum has no say here: {to_do}." in " ".join(stackgen("recommend", *from_it).out.split())
    for command in (["new", "shop"], ["recommend"], ["schema"], ["doctor"]):
        refused = stackgen(*command, *from_it, "--stack", "rust-axum")
        assert (refused.code, refused.err.splitlines()[1].strip()) == (2, to_do), refused
