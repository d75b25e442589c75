"""The schema and `new` accept the same, for our stacks and for questions of every type."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import templating
from bad_input import REFUSED_NAMES

from stackgen import limits, questions, schema
from stackgen.errors import UsageError
from stackgen.expressions import Expressions
from stackgen.questions import Questions

ROOT = Path(__file__).parents[2]
OURS = questions.read(ROOT)
NAMES = ("my-shop", "a", "json", "My-Shop", "x" * 41, "ok\n")
TEXTS = ("", "  ", "fine", "a\0b", "x" * 201, "x" * 501, 3, None, ["a"])
PATHS = ("github.com/acme/shop", "github.com/acme/v2", "nodots", "github.com/acme/CON", "github.com/internal/x")
POOLS: dict[str, tuple[object, ...]] = {
    "name": (*NAMES, 1),
    "description": TEXTS,
    "owner": TEXTS,
    "module_path": PATHS,
    "regions": ([], ["eu"], ["us", "eu"], ["mars"], [1], None),
    "replicas": (0, 1, 3, -1, "x", None, 1.5),
    "rate": (0, 0.5, 2, "x", None, True),
    "labels": ({"a": 1}, [1], None, 3),
    "limits": ({"a": 1}, [1], None, 3),
    "certificate": ("a.pem", "", 1),
    "only_go": ("x", "", 1),
    "seats": (1, 5, "x", None),
    "support": ("mail", "phone", "letter", None),
}
SURPLUS = ("nosuch", "kubernetes", "summary")
# Their choices follow from a list or a number of any size: what the schema cannot say, it leaves open.
UNSAID = {"home", "size"}


def values(asked: Questions, key: str) -> tuple[object, ...]:
    question = next(question for question in asked.items if question.key == key)
    own = (True, False) if question.type == "bool" and not question.choices else question.values
    return POOLS.get(key) or (*own, "nosuch", None)


def samples(asked: Questions, stack: str) -> Iterator[dict[str, object]]:
    """Answers of which most are right, so that each wrong one is met alone and with others."""
    generator = random.Random(f"{stack} {len(asked.items)}")
    keys = [question.key for question in asked.asked(stack) if question.key not in UNSAID]
    for _ in range(400):
        chosen = [key for key in keys if generator.random() < 0.35]
        data: dict[str, object] = {"stack": stack, "name": "my-shop"}
        for key in chosen:
            pool = values(asked, key)
            data[key] = generator.choice(pool if generator.random() < 0.3 else pool[: max(2, len(pool) // 2)])
        if generator.random() < 0.05:
            data[generator.choice(SURPLUS)] = "x"
        yield data


def is_taken(asked: Questions, data: dict[str, object]) -> bool:
    try:
        asked.resolve(data)
    except UsageError:
        return False
    return True


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return questions.read(templating.every_kind(tmp_path_factory.mktemp("kinds") / "template"))


def compare(asked: Questions, stack: str) -> None:
    document = schema.schema(asked, stack)
    jsonschema.Draft202012Validator.check_schema(document)
    validator = jsonschema.Draft202012Validator(document)
    verdicts = set()
    for data in samples(asked, stack):
        taken = is_taken(asked, data)
        verdicts.add(taken)
        assert validator.is_valid(data) == taken, json.dumps(data)
    assert verdicts == {True, False}


@pytest.mark.parametrize("stack", OURS.stacks())
def test_the_schema_of_a_stack_accepts_what_new_accepts_and_nothing_else(stack: str) -> None:
    compare(OURS, stack)


@pytest.mark.parametrize("stack", ["node-ts", "go"])
def test_so_it_does_for_questions_of_every_type(every_kind: Questions, stack: str) -> None:
    compare(every_kind, stack)


@pytest.mark.parametrize("name", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_the_schema_refuses_the_names_that_new_refuses(name: str) -> None:
    assert not jsonschema.Draft202012Validator(schema.schema(OURS, "go")).is_valid({"name": name})


def test_everything_that_our_validators_look_for_is_in_the_schema() -> None:
    expressions = Expressions(OURS)
    constants = {item.key: expressions.default(item, {}) for item in OURS.items if item.key == "reserved_names"}
    checked = [question for question in OURS.items if question.validator and not question.computed]
    assert {question.key for question in checked} >= {"name", "description", "owner", "module_path"}
    for question in checked:
        found, whole = limits.limits(expressions, question, constants)
        assert found
        assert whole, question.key


def test_the_schema_says_of_an_option_what_a_prompt_says(every_kind: Questions) -> None:
    home = schema.schema(every_kind, "node-ts")["properties"]["regions"]["items"]
    assert [option["description"] for option in home["oneOf"]] == ["Europe. With 2 zones.", "America", "Asia"]


def test_a_secret_has_no_default_in_the_schema(every_kind: Questions) -> None:
    properties = schema.schema(every_kind, "node-ts")["properties"]
    assert "default" not in properties["token"]
    assert properties["quiet"]["default"] is True
