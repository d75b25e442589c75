"""What people write about their project comes out as it went in, in data, prose and code, whatever it holds.

A template of our own is made of a stack's: its files that may hold an answer stand there once for each text, so that
one rendering shows all texts. The first text is a plain word, and has to make the files of an ordinary project.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
import yaml
from bad_input import HOSTILE_TEXTS
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from museum import ANSWERS_NAME
from operations_render import NAME, ROOT, STACKS, TEMPLATES
from operations_render import render as render_template
from sizes import seed

PLAIN = "plainwordthatnothingelseholds"
# copier writes the recorded answers to one place only, so that here they get another name.
ANSWERS_FILE, RECORDED = ".copier-answers.yml", "recorded.yml"
# Before each file: from here on the answers are those of one text.
SWITCH = (
    "[=% set description = texts[{0}] %=][=% set owner = texts[{0}] %=]"
    "[=% set _copier_answers = dict(_copier_answers, description=description, owner=owner) %=]"
)
# Everybody looks at one stack, by the run's seed.
ONE_STACK = STACKS[seed() % len(STACKS)]
SOME = [stack if stack == ONE_STACK else pytest.param(stack, marks=pytest.mark.full) for stack in STACKS]
ANSWERS = {"description": PLAIN, "owner": PLAIN, "license": "mit", "deploy": "kubernetes"}


def answers(stack: str) -> dict[str, object]:
    # The default of Go's module path is made from the owner, and has tests of its own.
    return {"stack": stack, **ANSWERS, **({"module_path": "github.com/acme/my-shop"} if stack == "go" else {})}


def files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():  # links to shared folders are followed
            yield from (f"{path.name}/{name}" for name in files(path))
        else:
            yield path.name


def contents(project: Path) -> dict[str, str]:
    return {name: text(project / name) for name in files(project)}


def render_texts(stack: str, texts: Sequence[str], folder: Path) -> list[Path]:
    """Give, for each text, the folder with those files of a project of it that may hold an answer."""
    template = folder / "template"
    for path in [ROOT / "copier.yml", *TEMPLATES.rglob("*")]:
        relative = path.relative_to(ROOT)
        if path.is_file() and "project" not in relative.parts:
            (template / relative).parent.mkdir(parents=True, exist_ok=True)
            (template / relative).write_bytes(path.read_bytes())
    project = TEMPLATES / stack / "project"
    for name in files(project):
        if name.endswith(".jinja"):
            content = (project / name).read_text(encoding="utf-8")
            for number in range(len(texts)):
                path = (
                    template
                    / "templates"
                    / stack
                    / "project"
                    / f"text-{number}"
                    / name.replace(ANSWERS_NAME, f"{RECORDED}.jinja")
                )
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(SWITCH.format(number) + content, encoding="utf-8")
    render_template(template, folder / NAME, **answers(stack), texts=list(texts))
    return [folder / NAME / f"text-{number}" for number in range(len(texts))]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A project of a stack whose free texts are a plain word."""
    return cache(lambda stack: render_template(ROOT, tmp_path_factory.mktemp("plain") / NAME, **answers(stack)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Path]]:
    """A stack's files that may hold an answer, with each of the texts; the first is the plain word."""
    texts = [PLAIN, *HOSTILE_TEXTS.values()]
    return cache(
        lambda stack: dict(zip(texts, render_texts(stack, texts, tmp_path_factory.mktemp("texts")), strict=True))
    )


@pytest.mark.parametrize("stack", SOME)
def test_the_files_that_are_looked_at_are_those_of_a_project(
    plain: Callable[[str], Path], hostile: Callable[[str], dict[str, Path]], stack: str
) -> None:
    made, expected = contents(hostile(stack)[PLAIN]), contents(plain(stack))
    made[ANSWERS_FILE] = made.pop(RECORDED)
    for recorded in (made, expected):
        recorded[ANSWERS_FILE] = re.sub(r"^_(commit|src_path): .*\n", "", recorded[ANSWERS_FILE], flags=re.MULTILINE)
    assert {"README.md", "LICENSE", "SECURITY.md"} < set(made)
    assert made == {name: expected[name] for name in made}
    assert {name for name, content in expected.items() if PLAIN in content and name not in made} == set()


@pytest.mark.parametrize("stack", SOME)
@pytest.mark.parametrize("hostile_text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_hostile_text_comes_out_as_it_went_in(
    hostile: Callable[[str], dict[str, Path]], stack: str, hostile_text: str
) -> None:
    check_texts(hostile(stack)[hostile_text], hostile(stack)[PLAIN], hostile_text)


@pytest.mark.parametrize("stack", SOME)
def test_copier_itself_takes_a_hostile_text_through_a_whole_project(
    plain: Callable[[str], Path], tmp_path: Path, stack: str
) -> None:
    all_at_once = " ".join(HOSTILE_TEXTS.values())
    whole = {**answers(stack), "description": all_at_once, "owner": HOSTILE_TEXTS["YAML number"]}
    made = render_template(ROOT, tmp_path / NAME, **whole)
    assert list(contents(made)) == list(contents(plain(stack)))
    recorded = yaml.safe_load(text(made / ANSWERS_FILE))
    assert (recorded["description"], recorded["owner"]) == (all_at_once, HOSTILE_TEXTS["YAML number"])
    expected = contents(plain(stack))
    others = {name for name, content in expected.items() if PLAIN not in content}
    assert {name for name, content in contents(made).items() if name in others and content != expected[name]} == set()


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80).filter(str.strip)


@settings(max_examples=1, phases=[Phase.generate])
@given(texts=st.lists(ANY_TEXT, min_size=12, max_size=12))
@pytest.mark.parametrize("stack", SOME)
def test_any_text_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, stack: str, texts: list[str]
) -> None:
    plain, *made = render_texts(stack, [PLAIN, *texts], tmp_path_factory.mktemp("any"))
    for folder, written in zip(made, texts, strict=True):
        check_texts(folder, plain, written)


def check_texts(project: Path, plain: Path, written: str) -> None:
    """The files differ from those with plain texts by nothing but these texts, in data, prose and code."""
    assert list(files(project)) == list(files(plain))
    expected = dict(documents(plain))
    for path, document in documents(project):
        assert document == replaced(expected[path], written), path
    for path in files(plain):
        before, after = text(plain / path), text(project / path)
        if path not in expected and PLAIN not in before:
            assert after == before, path
        if path.endswith(".md"):
            assert len(after.split("\n")) == len(before.split("\n")), path


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def replaced(document: object, written: str) -> object:
    if isinstance(document, str):
        return document.replace(PLAIN, written)
    if isinstance(document, dict):
        return {replaced(key, written): replaced(value, written) for key, value in document.items()}
    if isinstance(document, list):
        return [replaced(value, written) for value in document]
    return document


def documents(project: Path) -> Iterator[tuple[str, object]]:
    for name in files(project):
        if name.endswith(".toml"):
            yield name, tomllib.loads(text(project / name))
        elif name.endswith(".json"):
            yield name, json.loads(text(project / name))
        elif name == RECORDED:
            recorded = yaml.safe_load(text(project / name))
            yield name, {key: recorded[key] for key in ("description", "owner")}
        elif name.endswith((".yaml", ".yml")):
            yield name, list(yaml.load_all(text(project / name), Loader=AnyTag))


class AnyTag(yaml.SafeLoader):
    """Reads GitLab's `!reference` and the like as plain data."""


AnyTag.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_sequence(node))
