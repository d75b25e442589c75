"""The package-lock.json of what npm installs: it fits its manifests, names no host and knows other platforms."""

import json
from pathlib import Path
from typing import Any

import pytest
from rendering import Render

from tools.node_locks import FOLDERS, with_answers, with_option

MANIFEST = ("name", "version", "license", "workspaces", "engines")
DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
# Whatever changes a manifest has to leave it in agreement with its lock.
CASES: list[tuple[str, dict[str, object]]] = [
    ("node-ts", {"license": "mit"}),
    ("hybrid-node-python-ml", {}),
    ("hybrid-node-python-ml", {"license": "apache-2.0", "ml_async_jobs": True, "ml_streaming": True}),
    ("hybrid-node-python-ml", {"ml_task": "text"}),
]
PLATFORMS = ("linux-x64", "linux-arm64", "darwin-arm64", "win32-x64")
COMPILED = ("@biomejs/cli", "@rolldown/binding", "@typescript/typescript", "@esbuild/")

Lock = dict[str, dict[str, Any]]


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def projects(rendered: Render, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = [tmp_path_factory.mktemp("locked") / stack for stack, _ in CASES]
    for folder, (stack, answers) in zip(made, CASES, strict=True):
        rendered(stack, folder, **answers)
    return made


@pytest.fixture(params=range(len(CASES)), ids=[str(case) for case in CASES])
def project(request: pytest.FixtureRequest, projects: list[Path]) -> Path:
    return projects[request.param]


def locks(project: Path) -> dict[Path, Lock]:
    return {path.parent: read(path)["packages"] for path in project.rglob("package-lock.json")}


def test_each_manifest_is_locked_as_it_is(project: Path) -> None:
    found = locks(project)
    assert set(found) == {project / folder for folder in FOLDERS[project.name]}
    manifests = set(project.rglob("package.json"))
    for folder, lock in found.items():
        assert read(folder / "package-lock.json")["name"] == read(folder / "package.json")["name"]
        for place in [place for place in lock if "node_modules" not in place]:
            manifest = read(folder / place / "package.json")
            manifests.remove(folder / place / "package.json")
            for key in (*MANIFEST, *DEPENDENCIES):
                assert lock[place].get(key) == manifest.get(key), f"{place or '.'}: uv run tools/node_locks.py"
    assert not manifests, "packages without a lock"


def test_every_package_has_a_hash_and_no_address(project: Path) -> None:
    for lock in locks(project).values():
        for place, package in lock.items():
            if package.get("link"):
                assert package["resolved"] in lock
            elif "node_modules" in place:
                assert package["integrity"].startswith("sha512-"), place
                assert "resolved" not in package, place


def test_what_other_platforms_need_is_locked_too(project: Path) -> None:
    lock = locks(project)[project]
    names = {place.rpartition("node_modules/")[2] for place in lock}
    for package in lock.values():
        assert set(package.get("optionalDependencies", ())) <= names
    for compiled in COMPILED:
        for platform in PLATFORMS:
            assert any(name.startswith(compiled) and platform in name for name in names), (compiled, platform)


def test_the_hybrid_has_what_node_ts_has_in_the_same_versions(projects: list[Path]) -> None:
    node, hybrid, *_ = (versions(locks(project)[project]) for project in projects)
    assert {package: found for package, found in node.items() if not found <= hybrid.get(package, set())} == {}


def versions(lock: Lock) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for place, package in lock.items():
        if "node_modules" in place and not package.get("link"):
            found.setdefault(place.rpartition("node_modules/")[2], set()).add(package["version"])
    return found


def test_answers_get_into_the_first_lines_only() -> None:
    manifest = '{\n  "name": "[= name =]",\n  "license": "[= license =]",\n}\n'
    head = '{\n  "name": "%s",\n  "packages": {\n    "": {\n      "name": "%s",\n      "license": "%s",\n'
    rest = '      "dependencies": {\n        "x": "1"\n    "node_modules/x": {\n      "license": "MIT"\n'
    written = head % ("locks", "locks", "MIT") + rest
    assert with_answers(written, manifest) == head % ("[= name =]", "[= name =]", "[= license =]") + rest


def test_what_an_option_changes_stands_in_a_condition() -> None:
    without, with_it = '{\n  "a": 1,\n  "c": 1\n}\n', '{\n  "a": 2,\n  "b": 1,\n  "c": 1\n}\n'
    assert with_option(without, with_it, "more") == (
        '{\n[=% if more %=]  "a": 2,\n  "b": 1,\n[=% else %=]  "a": 1,\n[=% endif %=]  "c": 1\n}\n'
    )
    assert with_option("{\n}\n", '{\n  "b": 1\n}\n', "more") == '{\n[=% if more %=]  "b": 1\n[=% endif %=]}\n'
