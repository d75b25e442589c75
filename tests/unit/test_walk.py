"""One walk through the questions: what is asked, in which form, and what comes of it."""

import json
from collections.abc import Mapping
from pathlib import Path

import copier
import pytest
import templating
import yaml

from stackgen import questions
from stackgen.errors import SourceError, UsageError
from stackgen.expressions import Step
from stackgen.questions import Questions

ROOT = Path(__file__).parents[2]
OURS = questions.read(ROOT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return templating.every_kind(tmp_path_factory.mktemp("kinds") / "template")


@pytest.fixture(scope="module")
def asked(folder: Path) -> Questions:
    return questions.read(folder)


def template(tmp_path: Path, text: str) -> Questions:
    (tmp_path / "copier.yml").write_text("stack: {type: str, choices: [go], default: go}\n" + text)
    return questions.read(tmp_path)


def test_defaults_are_those_that_copier_takes(asked: Questions, folder: Path, tmp_path: Path) -> None:
    for given in ({"name": "x"}, {"name": "x", "regions": ["us", "eu"], "cache": False}, {"name": "x", "replicas": 1}):
        made = tmp_path / str(len(list(tmp_path.iterdir())))
        copier.run_copy(str(folder), made, data=given, defaults=True, quiet=True)
        recorded = yaml.safe_load((made / ".copier-answers.yml").read_text())
        walked = asked.resolve(given)
        assert {key: value for key, value in recorded.items() if not key.startswith("_")} == {
            key: value for key, value in walked.items() if key not in asked.secrets()
        }
        assert "1234" not in (made / ".copier-answers.yml").read_text()


def test_a_person_is_asked_exactly_what_applies_with_the_answers_before(asked: Questions) -> None:
    seen: list[str] = []

    def answer(step: Step) -> object:
        seen.append(step.key)
        return {"name": "shop", "regions": ["eu", "asia"], "cache": False}.get(step.key, step.default)

    walked = asked.walk({"stack": "node-ts", "rate": "0.1"}, answer)
    asked_for = "name regions home replicas cache tier support busy labels limits certificate motto token pin"
    assert seen == asked_for.split()
    assert walked.values["quiet"] is True
    assert walked.values["rate"] == 0.1
    assert "size" not in walked.values


def test_nobody_is_asked_about_jobs_of_a_command_line_tool() -> None:
    seen: list[str] = []

    def answer(step: Step) -> object:
        seen.append(step.key)
        return {"name": "my-tool", "kind": "cli"}.get(step.key, step.default)

    walked = OURS.walk({"stack": "go"}, answer)
    assert "kind" in seen
    assert not {"jobs", "rpc"} & {*seen, *walked.values}


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({"regions": "[us, eu]"}, ("regions", ["eu", "us"])),
        ({"regions": []}, ("regions", [])),
        ({"replicas": "3"}, ("replicas", 3)),
        ({"rate": 1}, ("rate", 1.0)),
        ({"labels": "{a: [1]}"}, ("labels", {"a": [1]})),
        ({"labels": None}, ("labels", None)),
        ({"limits": {"cpu": 2}}, ("limits", {"cpu": 2})),
        ({"size": "64"}, ("size", 64)),
        ({"regions": ["us", "eu"], "home": "us"}, ("home", "us")),
    ],
    ids=str,
)
def test_an_answer_becomes_what_its_type_says(
    asked: Questions, given: Mapping[str, object], answer: tuple[str, object]
) -> None:
    assert asked.resolve({"name": "x", **given})[answer[0]] == answer[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"replicas": "x"}, "replicas: 'x' is not a whole number"),
        ({"replicas": True}, "replicas: True is not a whole number"),
        ({"replicas": 0}, "replicas: 0 must be at least 1"),
        ({"rate": "nan"}, "rate: 'nan' is not a number"),
        ({"regions": ["mars"]}, "regions: 'mars' is not one of eu, us, asia"),
        ({"regions": "eu"}, "regions: 'eu' is not a list"),
        ({"size": 512, "replicas": 3}, "size: 512 cannot be taken: too much for so many"),
        ({"regions": ["us", "eu"], "home": "asia"}, "home: 'asia' is not one of eu, us"),
        ({"limits": "{"}, "limits: '{' is not JSON"),
        ({"labels": "a: ["}, "labels: 'a: [' is not YAML"),
        ({"labels": "[" * 100_000}, "is not YAML"),
        ({"certificate": 5}, "certificate: 5 is not text"),
        ({"token": 5}, "token: the answer is not text"),
        ({"size": 1, "cache": False}, "size does not apply with the other answers"),
        ({"home": "eu"}, "home does not apply with the other answers"),
        ({"only_go": "x"}, "only_go does not apply to the stack 'node-ts'"),
        ({"summary": "x"}, "unknown key 'summary'"),
        ({"stack": "go"}, "only_go is required"),
    ],
    ids=str,
)
def test_what_cannot_be_an_answer_is_refused_in_one_line(
    asked: Questions, given: Mapping[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        asked.resolve({"name": "x", **given})
    assert message in caught.value.message
    assert len(caught.value.message) < 200


def test_a_bad_value_is_refused_before_anything_is_asked_where_no_answer_could_make_it_right(asked: Questions) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        asked.check_given({"replicas": "0"})
    asked.check_given({"size": 512, "home": "us"})


def test_what_follows_from_an_answer_that_nobody_gave_is_the_templates_fault(tmp_path: Path) -> None:
    broken = template(tmp_path, "_envops: {undefined: jinja2.StrictUndefined}\nport: {type: int, default: '{{ x }}'}\n")
    with pytest.raises(SourceError, match="'x' is undefined"):
        broken.resolve({})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("port: {type: int, default: many}\n", "default of port, 'many', is not a whole number"),
        ("port: {type: number, default: 1}\n", "port is of the type 'number'"),
        ("port: {type: int, default: 1, validator: '{% if %}'}\n", "cannot be evaluated"),
        ("- 1\n", "copier.yml of the template"),
    ],
)
def test_a_template_that_is_wrong_says_where(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(SourceError) as caught:
        template(tmp_path, text).resolve({})
    assert fault in caught.value.message


def test_a_text_default_that_yaml_reads_as_a_number_stays_text(tmp_path: Path) -> None:
    made = template(tmp_path, "python: {type: str, choices: ['3.10', '3.11'], default: 3.11}\n")
    assert made.resolve({})["python"] == "3.11"
    assert made.resolve({"python": "3.10"})["python"] == "3.10"


def test_what_is_said_of_a_question_follows_the_answers_before(asked: Questions) -> None:
    steps: dict[str, Step] = {}

    def answer(step: Step) -> object:
        steps[step.key] = step
        return {"name": "x", "regions": ["eu", "us"], "replicas": 3}.get(step.key, step.default)

    asked.walk({"stack": "node-ts"}, answer)
    assert [option.value for option in steps["home"].options] == ["eu", "us"]
    assert [option.refused for option in steps["size"].options] == ["", "", "too much for so many"]
    assert (steps["motto"].multiline, steps["labels"].multiline) == (True, False)
    assert json.dumps(steps["limits"].default) == '{"cpu": 1}'


@pytest.mark.parametrize(
    "unknown",
    [
        "{type: int}",
        "{type: float}",
        "{type: bool}",
        "{type: json}",
        "{type: int, choices: [3, 5]}",
        "{type: int, choices: [3, 5], multiselect: true}",
        "{type: int, placeholder: many}",
        "{type: str, validator: \"[=% if '@' not in unknown %=]must be an address[=% endif %=]\"}",
        "{type: str, default: change me, validator: must be changed}",
    ],
)
def test_questions_behind_one_whose_answer_nobody_can_guess_are_counted(tmp_path: Path, unknown: str) -> None:
    envops = '_envops: {block_start_string: "[=%", block_end_string: "%=]"}\n'
    asked = template(tmp_path, f"{envops}unknown: {unknown}\nafter: {{type: str}}\nlast: {{type: int, default: 1}}\n")
    assert asked.expected({"stack": "go"}) == 3
