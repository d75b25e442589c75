"""Refreshes what is derived from the code of hybrid-node-python-ml: for each task the contract, its types and the API.

    uv run tools/hybrid_contracts.py PROJECT           # after a change of a route, a schema or a task
    uv run tools/hybrid_contracts.py PROJECT --check   # only say what is out of date

PROJECT is a generated hybrid project after `npm run setup`; its packages are lent to a rendering of each task. There
the project's own `npm run contract` and `npm run openapi` run. The contract, its types and what the API offers of it
go to the task's folder in templates/hybrid-node-python-ml/tasks. The document of the API is nearly the same for all and
goes to the project; it includes from the task's folder what differs, or is not there for all.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import copier
from copier.errors import DirtyLocalWarning

from stackgen import questions

ROOT = Path(__file__).parents[1]
STACK = "hybrid-node-python-ml"
TASKS = ROOT / "templates" / STACK / "tasks"
OF_A_TASK = (
    "contracts/ml.openapi.json",
    "apps/api/src/modules/ml/contract.gen.ts",
    "packages/contracts/src/predictions.ts",
)
API = "apps/api/openapi.json"
PROGRAMS = ("tools/contract/generate.mjs", "apps/api/src/commands/openapi.ts")
PACKAGES = ("node_modules", "apps/api/node_modules", "tools/contract/node_modules")


def tasks() -> tuple[str, ...]:
    """Give the tasks that the template offers."""
    asked = questions.read(ROOT).asked(STACK)
    return next(question.values for question in asked if question.key == "ml_task")


def derive(project: Path, task: str, made: Path) -> dict[str, str]:
    """Render a task's project into `made`, and give what its own programs derive from its code, by the file's place."""
    data = {"stack": STACK, "name": "my-shop", "ml_task": task}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DirtyLocalWarning)
        copier.run_copy(str(ROOT), made, data=data, vcs_ref="HEAD", defaults=True, quiet=True)
    for packages in PACKAGES:
        if (project / packages).exists():
            shutil.copytree(project / packages, made / packages, symlinks=True, copy_function=os.link)
    (made / "services/ml/.venv").symlink_to(project / "services/ml/.venv")
    # The lent environment knows its own project's sources; these come before them.
    environment = {**os.environ, "PYTHONPATH": str(made / "services/ml/src")}
    for program in PROGRAMS:
        subprocess.run(["node", program], cwd=made, env=environment, check=True, stderr=subprocess.DEVNULL)
    return {name: (made / name).read_text(encoding="utf-8") for name in (*OF_A_TASK, API)}


def parted(documents: dict[str, dict[str, Any]]) -> Iterator[tuple[Path, str]]:
    """Give the API's document with an include at each part that differs between tasks, and those parts."""
    whole = max(documents.values(), key=lambda document: len(document["paths"]))
    text = _text(whole)
    parts = {task: dict(_parts(document)) for task, document in documents.items()}
    for name, part in dict(_parts(whole)).items():
        having = [task for task in documents if name in parts[task]]
        if having == list(documents) and all(parts[task][name] == part for task in having):
            continue
        include = f"[=% include 'templates/{STACK}/tasks/' ~ ml_task ~ '/{name}.part' %=]"
        if having != list(documents):
            include = f"[=% if ml_task in {having} %=]{include}[=% endif %=]"
        if text.count(part) != 1:
            raise ValueError(f"{name} is the last of its kind: no task can do without it")
        text = text.replace(part, include)
        yield from ((TASKS / task / f"{name}.part", parts[task][name]) for task in having)
    yield ROOT / "templates" / STACK / "project" / f"{API}.jinja", text


def _parts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give schemas, paths and tags by the names of their files, as they stand in the document, with a comma."""
    for name, schema in document["components"]["schemas"].items():
        yield name, _lines({"components": {"schemas": {name: schema}}}, 3)
    for path, methods in document["paths"].items():
        yield re.sub(r"\W+", "-", path).strip("-"), _lines({"paths": {path: methods}}, 2)
    for tag in document["tags"]:
        yield f"tag-{tag['name']}", _lines({"tags": [tag]}, 2)


def _lines(document: object, depth: int) -> str:
    lines = _text(document).splitlines(keepends=True)[depth:-depth]
    return "".join(lines).rstrip("\n") + ",\n"


def _text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def derived(project: Path) -> dict[Path, str]:
    """Give everything in the template that is derived from its code, as the code says it."""
    found: dict[Path, str] = {}
    documents = {}
    for task in tasks():
        with tempfile.TemporaryDirectory() as folder:
            made = derive(project.resolve(), task, Path(folder, "my-shop"))
        found |= {TASKS / task / Path(name).name: made[name] for name in OF_A_TASK}
        documents[task] = json.loads(made[API])
    return found | dict(parted(documents))


def outdated(project: Path) -> dict[Path, str]:
    """Give what stands in the template and is not what the code says, with what the code says."""
    return {
        path: text
        for path, text in derived(project).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main(project: str, *options: str) -> int:
    """Write what is out of date, or with --check only name it and fail."""
    found = outdated(Path(project))
    for path, content in found.items():
        print(path.relative_to(ROOT))
        if "--check" not in options:
            path.write_text(content, encoding="utf-8")
    return int(bool(found) and "--check" in options)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
