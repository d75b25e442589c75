"""The requirements*.txt of what uv installs: they fit pyproject.toml, name no host and are what Renovate reads."""

import re
import tomllib
from pathlib import Path

import pytest
from rendering import Render

from tools.python_locks import PINS, Pins

# What Renovate's pip-compile manager makes of a header: https://docs.renovatebot.com/modules/manager/pip-compile/
COMMAND = re.compile(r"\A#.*\n# {4}uv pip compile pyproject\.toml (?P<options>.*)\n")
OPTION = re.compile(r"--(universal|generate-hashes|(extra|constraints|python-version|output-file)=[\w.-]+)")
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


@pytest.fixture(scope="module")
def projects(rendered: Render, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = []
    for number, pins in enumerate(PINS):
        project = tmp_path_factory.mktemp("locked") / str(number)
        rendered(pins.stack, project, **dict(pins.answers))
        made.append(project / pins.folder)
    return made


@pytest.fixture(params=range(len(PINS)), ids=[pins.condition for pins in PINS])
def project(request: pytest.FixtureRequest, projects: list[Path]) -> Path:
    return projects[request.param]


def files(project: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in project.glob("requirements*.txt")}


def versions(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(text):
        found.setdefault(name, set()).add(version)
    return found


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_pin_has_hashes_and_no_file_names_a_host(project: Path) -> None:
    found = files(project)
    assert {"requirements.txt", "requirements-dev.txt"} <= set(found)
    for name, text in found.items():
        body = text[COMMAND.match(text).end() :]  # type: ignore[union-attr]
        assert not re.search(r"https?:|^-|index", text.lower().replace("universal", ""), re.MULTILINE), name
        for pin in re.split(r"^(?=\S)", body, flags=re.MULTILINE)[1:]:
            assert re.fullmatch(r"\S+==\S+( ; [^\n\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n", pin), (name, pin)


def test_everything_that_the_manifest_asks_for_is_pinned_as_it_asks(project: Path) -> None:
    manifest = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = {"": manifest["dependencies"], **manifest["optional-dependencies"]}
    pinned = {name: versions(text) for name, text in files(project).items()}
    development = pinned["requirements-dev.txt"]
    for wanted in (requirement for requirements in lists.values() for requirement in requirements):
        name, _, version = re.fullmatch(r"([\w.-]+)(\[.*?\])?(?:==([^;]+))?(?:;.*)?", wanted).groups()  # type: ignore[union-attr]
        if normalized(name) != manifest["name"]:
            assert development[normalized(name)] == {version}, f"{wanted}: uv run tools/python_locks.py"
    for name in (re.match(r"[\w.-]+", wanted)[0] for wanted in lists[""]):  # type: ignore[index]
        assert normalized(name) in pinned["requirements.txt"]
    for name, found in pinned["requirements.txt"].items():
        assert development[name] == found
    assert set(development) > set(pinned["requirements.txt"]), "the image would hold the tools of development"


def test_renovate_can_repeat_each_command(project: Path) -> None:
    oldest = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"][2:6]
    for name, text in files(project).items():
        command = COMMAND.match(text)
        assert command, name
        options = command["options"].split()
        assert all(OPTION.fullmatch(option) for option in options), options
        assert {"--universal", "--generate-hashes", f"--output-file={name}", f"--python-version={oldest}"} <= {*options}
        assert name == "requirements.txt" or "--constraints=requirements.txt" in options


def test_each_set_of_answers_has_templates_of_its_own_and_shares_versions(projects: list[Path]) -> None:
    for pins, project in zip(PINS, projects, strict=True):
        for name, text in files(project).items():
            assert pins.template(name).read_text(encoding="utf-8") == text
    for one, other in ((0, 1), (0, 2), (3, 4)):
        ours, theirs = (versions("".join(files(projects[number]).values())) for number in (one, other))
        assert {name: found for name, found in ours.items() if found != theirs.get(name, found)} == {}


def test_a_condition_tells_which_template_is_written() -> None:
    names = {Pins(pins.stack, pins.folder, (), pins.condition).template("requirements.txt").name for pins in PINS}
    assert names == {
        "[=% if notebook %=]requirements.txt[=% endif %=]",
        "[=% if csv_only %=]requirements.txt[=% endif %=]",
        "[=% if without_example %=]requirements.txt[=% endif %=]",
        "requirements.txt",
    }
