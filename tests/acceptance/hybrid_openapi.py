"""Writes the parts of the hybrid's openapi.json: `uv run tests/acceptance/hybrid_openapi.py PROJECT`.

PROJECT is a generated hybrid project after `npm install`: its packages are lent to the renderings here.
The parts stand in templates/hybrid-node-python-ml/openapi, one folder for each task and option. An option
only adds schemas and paths, so the document of every combination of answers is put together from them;
`npm run check` of each generated project holds it to what its routes say.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import copier
from copier.errors import DirtyLocalWarning

ROOT = Path(__file__).parents[2]
STACK = "hybrid-node-python-ml"
PARTS = ROOT / "templates" / STACK / "openapi"
SKELETON = ROOT / "templates" / STACK / "project/apps/api/openapi.json.jinja"
INCLUDED = f"templates/{STACK}/openapi"
TASKS = ("classification", "regression", "tensor")
OPTIONS = {"ml_async_jobs": "jobs", "ml_streaming": "streaming"}
DEPTH = {"schemas": 3, "paths": 2}
TASK = "task"

Document = dict[str, Any]


def refresh(project: Path) -> None:
    """Render the project with each task and each option, and write what they add to the document."""
    tasks = {task: export(project, ml_task=task) for task in TASKS}
    options = {key: export(project, **{key: True}) for key in OPTIONS}
    whole = export(project, **dict.fromkeys(OPTIONS, True))
    shutil.rmtree(PARTS)
    skeleton = whole | {"components": whole["components"] | {"schemas": {"@schemas": 0}}, "paths": {"@paths": 0}}
    text = json.dumps(skeleton, indent=2, ensure_ascii=False) + "\n"
    for section, depth in DEPTH.items():
        lines = "".join(assemble(section, entries(whole, section), tasks, options))
        text = text.replace(f'{"  " * depth}"@{section}": 0\n', lines.rstrip(",\n") + "\n")
    SKELETON.write_text(text, encoding="utf-8")


def export(project: Path, **answers: object) -> Document:
    """Give the document that the routes of a rendering with these answers describe."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "my-shop"
        data = {"stack": STACK, "name": "my-shop", **answers}
        copier.run_copy(str(ROOT), made, data=data, vcs_ref="HEAD", defaults=True, quiet=True)
        for modules in ("node_modules", "apps/api/node_modules"):
            shutil.copytree(project / modules, made / modules, symlinks=True, copy_function=os.link)
        subprocess.run(["node", "apps/api/src/commands/openapi.ts"], cwd=made, check=True)
        document: Document = json.loads((made / "apps/api/openapi.json").read_text(encoding="utf-8"))
        return document


def entries(document: Document, section: str) -> dict[str, Any]:
    """Give one section's entries by their names."""
    found: dict[str, Any] = document["paths"] if section == "paths" else document["components"]["schemas"]
    return found


def assemble(
    section: str, all_entries: Mapping[str, Any], tasks: Mapping[str, Document], options: Mapping[str, Document]
) -> Iterator[str]:
    """Give the section's text, with an include at each place where a task or an option has entries."""
    runs = groupby(all_entries, lambda name: owner(section, name, tasks, options))
    seen: Counter[str | None] = Counter()
    for whose, names in runs:
        run = list(names)
        seen[whose] += 1
        part = f"{section}-{seen[whose]}.part"
        if whose is None:
            yield "".join(entry(section, name, all_entries[name]) for name in run)
        elif whose == TASK:
            for task, document in tasks.items():
                save(section, f"{task}/{part}", {name: entries(document, section)[name] for name in run})
            yield f"[=% include '{INCLUDED}/' ~ ml_task ~ '/{part}' %=]"
        else:
            save(section, f"{OPTIONS[whose]}/{part}", {name: all_entries[name] for name in run})
            yield f"[=% if {whose} %=][=% include '{INCLUDED}/{OPTIONS[whose]}/{part}' %=][=% endif %=]"


def owner(section: str, name: str, tasks: Mapping[str, Document], options: Mapping[str, Document]) -> str | None:
    """Tell whose an entry is: the task's, an option's, or nobody's when every document has the same."""
    plain = [entries(document, section).get(name) for document in tasks.values()]
    if plain[0] is None:
        return next(key for key, document in options.items() if name in entries(document, section))
    return TASK if any(entry != plain[0] for entry in plain) else None


def entry(section: str, name: str, value: object) -> str:
    """Give one entry as it stands in the document, with a comma: the last one of a section is always common."""
    text = json.dumps({name: value}, indent=2, ensure_ascii=False)
    indent = "  " * (DEPTH[section] - 1)
    return "".join(f"{indent}{line}\n" for line in text.splitlines()[1:-1]).rstrip("\n") + ",\n"


def save(section: str, part: str, values: Mapping[str, object]) -> None:
    """Write one part."""
    target = PARTS / part
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(entry(section, name, value) for name, value in values.items()), encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore", DirtyLocalWarning)
    refresh(Path(sys.argv[1]))
