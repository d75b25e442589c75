"""The conventions that keep templates readable, and every combination of answers rendered against them.

Stacks and questions are found on disk, so a new stack is covered by adding its folder.
"""

import itertools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import working_page
import yaml
from rendering import Render
from sizes import in_turn, is_release

from stackgen import questions
from stackgen.choices import STACKS as OUR_STACKS
from stackgen.questionnaire import options

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
ASKED = questions.read(ROOT)
STACKS = sorted(path.parent.name for path in TEMPLATES.glob("*/questions.yml"))
COMMON_QUESTIONS = {"name", "description", "owner", "license", "deploy", "ci"}
BINARY = {".png", ".ico", ".woff2"}
SOURCE = {".ts", ".js", ".mjs", ".py", ".go", ".sql"}
DELIMITERS = re.compile(r"\[=|=\]")
EXPRESSION = re.compile(r"\[=(?!%|#)(.*?)=\]", re.DOTALL)
CONDITIONAL_PART = re.compile(r"\[=% if [a-z_]+ %=\][^\[\]=]+\[=% endif %=\][^\[\]=]*")
OTHER_PART = re.compile(r"(\[= (name|_copier_conf\.answers_file) =\])?[^\[\]=<>:\"|?*\\]*")
# Files of source code that only list parts.
LISTS = {
    *("commands.go", "routes.go", "serve.go", "settings.go", "store.go"),
    *("index.ts", "permissions.ts", "extensions.ts"),
    *("actions.py", "api.py", "env.py", "schedules.py", "scopes.py", "settings.py", "urls.py"),
}
AT_LINE_START = re.compile(r"^(\[=% endif %=\])?(\[=% if [a-z_]+ %=\])?", re.MULTILINE)
CHOSEN = re.compile(r"\[=% include '[^'\n]+' ~ [^\n]+ -%=\]\n")
ESCAPED = re.compile(r"\|\s*(tojson|to_json|to_nice_yaml|replace|markdown|join)|==|!=|\bif\b|\bor\b")


@cache
def project_files(stack: str) -> tuple[Path, ...]:
    """Every template file of a stack, links to shared folders followed."""
    return tuple(sorted(_walk(TEMPLATES / stack / "project")))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix not in BINARY:
            yield path


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def domain(question: questions.Question) -> tuple[object, ...]:
    if question.choices:
        return question.values
    return (False, True) if question.type == "bool" else ()


def product(asked: list[questions.Question]) -> list[dict[str, object]]:
    values = itertools.product(*(domain(question) for question in asked))
    return [dict(zip((question.key for question in asked), row, strict=True)) for row in values]


def combinations(stack: str) -> list[dict[str, object]]:
    """Every combination of a stack's own answers meets every value of the common ones; each combination of those, once.

    Their whole product is checked before a release.
    """
    asked = [question for question in ASKED.asked(stack) if domain(question)]
    shared = [question for question in asked if question.key in COMMON_QUESTIONS]
    own = product([question for question in asked if question.key not in COMMON_QUESTIONS])
    if is_release():
        return [common | mine for mine in own for common in product(shared)]
    turns = range(max(len(domain(question)) for question in shared))
    spread = [turned(shared, row, turn) | mine for row, mine in enumerate(own) for turn in turns]
    rest = [common | own[row % len(own)] for row, common in enumerate(product(shared))]
    return [*spread, *(answers for answers in rest if answers not in spread)]


def turned(asked: list[questions.Question], row: int, turn: int) -> dict[str, object]:
    """Answers that meet every value of each question as `turn` goes on, paired differently in each row."""
    values = ((question.key, domain(question)) for question in asked)
    return {key: options[(row * place + turn) % len(options)] for place, (key, options) in enumerate(values)}


def recorded_long_ago(stack: str) -> list[dict[str, object]]:
    """Answers to questions that are asked no more, as projects have recorded them."""
    retired = ASKED.retired(stack)
    return product(list(retired)) if retired else []


def cases(stack: str) -> Iterator[object]:
    """Give a stack's combinations; everybody runs those that bring an answer which none before had.

    Of the others, runs of everything take turns at every fourth one.
    """
    met: set[tuple[str, object]] = set()
    for place, answers in enumerate([*combinations(stack), *recorded_long_ago(stack)]):
        new = set(answers.items()) - met
        met |= new
        yield pytest.param(stack, answers, marks=[] if new else in_turn(place % 4, 4))


EVERY_COMBINATION = [case for stack in STACKS for case in cases(stack)]


def test_every_stack_on_disk_is_offered_and_known() -> None:
    assert set(STACKS) == set(ASKED.stacks()) <= set(OUR_STACKS)


LOCK = re.compile(r"package-lock\.json|requirements[a-z-]*\.txt|go\.sum")


def written_by_hand(stack: str) -> list[Path]:
    """The files that people write: thousands of generated lines without Jinja would hide what these carry."""
    return [path for path in project_files(stack) if not LOCK.match(path.name)]


def beyond_the_module_path(path: Path) -> str:
    """A file without Go's module path, which every import of a package of one's own has to name."""
    return text(path).replace("[= module_path =]", "") if ".go" in path.name else text(path)


@pytest.mark.parametrize("stack", STACKS)
def test_four_files_in_five_carry_no_jinja(stack: str) -> None:
    files = written_by_hand(stack)
    plain = [path for path in files if not DELIMITERS.search(beyond_the_module_path(path))]
    assert len(plain) / len(files) >= 0.8


@pytest.mark.parametrize("stack", STACKS)
def test_at_most_one_line_in_fifty_carries_jinja(stack: str) -> None:
    lines = [line for path in written_by_hand(stack) for line in text(path).splitlines()]
    assert sum(bool(DELIMITERS.search(line)) for line in lines) / len(lines) <= 0.02


@pytest.mark.parametrize("stack", STACKS)
def test_control_blocks_are_not_nested(stack: str) -> None:
    for path in project_files(stack):
        depth = deepest = 0
        for word in re.findall(r"\[=%-?\s*(if|for|endif|endfor)\b", text(path)):
            depth += -1 if word.startswith("end") else 1
            deepest = max(deepest, depth)
        # The decision record lists what it was given, inside its one condition.
        allowed = 2 if path.resolve().is_relative_to(TEMPLATES / "common" / "docs") else 1
        assert deepest <= allowed, path


@pytest.mark.parametrize("stack", STACKS)
def test_source_code_holds_control_blocks_only_to_list_parts_or_to_choose_a_file(stack: str) -> None:
    """A list has its conditions at the beginnings of lines; a file that an answer chooses is an include alone."""
    for path in project_files(stack):
        if {*path.suffixes} & SOURCE and "[=%" in text(path):
            lists = path.name.removesuffix(".jinja") in LISTS
            assert lists or CHOSEN.fullmatch(text(path)), path
            bare = AT_LINE_START.sub("", text(path)) if lists else ""
            assert "[=%" not in bare, path


def in_the_project(path: str) -> str:
    """The path that a template file has in every project where it is."""
    return re.sub(r"\[=% if [a-z_]+ %=\]|\[=% endif %=\]|\.jinja$", "", path)


@pytest.mark.parametrize("stack", STACKS)
def test_no_path_stands_in_more_than_two_files(stack: str) -> None:
    """What is copied for each combination of options doubles with every new one."""
    folder = TEMPLATES / stack / "project"
    copies = Counter(in_the_project(path.relative_to(folder).as_posix()) for path in project_files(stack))
    aside = {path for path in copies if LOCK.match(path.rpartition("/")[2])} | {"LICENSE", "NOTICE"}
    assert {path: count for path, count in copies.items() if count > 2 and path not in aside} == {}


@pytest.mark.parametrize("stack", STACKS)
def test_a_folder_beside_the_project_belongs_to_one_value_of_one_question(stack: str) -> None:
    """Files that an include chooses from count as well: a folder for each value, and never one for a combination."""
    beside = {path.name for path in (TEMPLATES / stack).iterdir() if path.is_dir()} - {"project", "locks", "releases"}
    values = [{str(value) for value in question.values} for question in ASKED.asked(stack)]
    for folder in beside:
        assert {path.name for path in (TEMPLATES / stack / folder).iterdir()} in values, folder


@pytest.mark.parametrize("stack", STACKS)
def test_only_files_with_an_answer_or_an_active_name_are_templates(stack: str) -> None:
    active = {".gitignore", ".gitattributes", "pyproject.toml", "package.json", "go.mod", "go.sum", ".dockerignore"}
    for path in project_files(stack):
        holds = bool(DELIMITERS.search(text(path)))
        if path.suffix == ".jinja":
            assert holds or path.name.removesuffix(".jinja") in active, path
        else:
            assert not holds, path
            assert path.name not in {".gitignore", ".gitattributes"}, path


@pytest.mark.parametrize("stack", STACKS)
def test_conditional_names_are_bare_booleans_that_every_platform_can_store(stack: str) -> None:
    for path in project_files(stack):
        for part in path.relative_to(TEMPLATES / stack / "project").parts:
            assert CONDITIONAL_PART.fullmatch(part) or OTHER_PART.fullmatch(part), path


@pytest.mark.parametrize("stack", STACKS)
def test_free_texts_enter_data_only_through_a_filter_that_escapes(stack: str) -> None:
    for path in project_files(stack):
        if path.name.removesuffix(".jinja").endswith((".json", ".yaml", ".yml", ".toml", *SOURCE)):
            for expression in EXPRESSION.findall(text(path)):
                if re.search(r"\b(description|owner|decision)\b", expression):
                    assert ESCAPED.search(expression), (path, expression)


@pytest.mark.parametrize("stack", STACKS)
def test_links_stay_inside_the_templates_and_lead_somewhere(stack: str) -> None:
    for path in (TEMPLATES / stack / "project").rglob("*"):
        if path.is_symlink():
            assert path.resolve(strict=True).is_relative_to(TEMPLATES), path
            assert not path.readlink().is_absolute(), path


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_asks_at_most_six_questions_of_its_own(stack: str) -> None:
    own = [question.key for question in ASKED.asked(stack) if question.key not in COMMON_QUESTIONS]
    assert len(own) <= 6


@pytest.mark.parametrize("stack", STACKS)
def test_every_question_has_help_and_a_default_but_the_name(stack: str) -> None:
    for question in ASKED.asked(stack):
        assert question.help != question.key
        assert question.required is (question.key == "name")
        assert all(option.explanation.endswith(".") for option in options(question.choices)), question.key


def test_nothing_needs_trust() -> None:
    config = {key for document in yaml.safe_load_all(_without_includes()) for key in document or {}}
    assert not config & {"_tasks", "_migrations", "_jinja_extensions"}


def _without_includes() -> str:
    return re.sub(r"^!include .*$", "", (ROOT / "copier.yml").read_text(), flags=re.MULTILINE)


def label(case: object) -> str:
    return "-".join(map(str, case.values())) if isinstance(case, dict) else str(case)


@pytest.mark.parametrize(("stack", "answers"), EVERY_COMBINATION, ids=label)
def test_every_combination_renders_clean(
    rendered: Render, tmp_path: Path, stack: str, answers: dict[str, object]
) -> None:
    project = rendered(stack, tmp_path / "my-shop", **answers)
    for path in sorted(project.rglob("*")):
        if path.is_file() and path.suffix not in BINARY:
            check_file(path.relative_to(project).as_posix(), path.read_bytes())
        elif path.is_dir():
            assert any(path.iterdir()), f"{path} is empty"
    check_working_page(project)


def check_working_page(project: Path) -> None:
    """AGENTS.md is a page of 40 lines, whose commands the acceptance tests run, and what it names is there."""
    page = working_page.page(project)
    assert len(page.splitlines()) <= 40
    assert working_page.commands(project, working_page.PASS)
    assert working_page.loose_commands(project) == []
    assert working_page.blocks(project) == [title for title in working_page.TITLES if f"## {title}\n" in page]
    links = re.findall(r"\]\(([^)]+)\)", page)
    named = [word for word in re.findall(r"`([^`\n]+)`", page) if "/" in word or word.endswith(".md")]
    assert len(links) > 3
    for name in (*links, *named):
        assert (project / name).exists(), name


@cache
def check_file(name: str, body: bytes) -> None:
    """One rendered file; the same bytes are looked at once."""
    content = body.decode("utf-8")
    assert not DELIMITERS.search(name), name
    assert "[=%" not in content, name
    assert not re.search(r"\[= ?[a-z_]", content), name
    assert "\r" not in content, name
    assert not content or content.endswith("\n"), f"{name} has no final newline"
    assert not content.endswith("\n\n"), f"{name} ends with empty lines"
    assert name == "LICENSE" or not content.startswith("\n"), f"{name} starts with an empty line"
    if name.endswith(".json") and not name.startswith((".vscode/", ".devcontainer/")):
        json.loads(content)
    elif name.endswith(".toml"):
        tomllib.loads(content)
    elif name.endswith((".yaml", ".yml")):
        list(yaml.compose_all(content))


@pytest.mark.parametrize("stack", STACKS)
def test_a_rendered_project_names_no_registry_and_no_path_of_the_machine(
    rendered: Render, tmp_path: Path, stack: str
) -> None:
    for name, body in snapshot(rendered(stack, tmp_path / "my-shop")).items():
        if name != ".copier-answers.yml":
            assert not re.search(rb"registry\.npmjs|files\.pythonhosted|pypi\.org|proxy\.golang|/root/", body), name


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
