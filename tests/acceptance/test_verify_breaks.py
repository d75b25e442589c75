"""`stackgen verify` names the right step for each kind of breakage, in a real project of each stack."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import verifying

pytestmark = pytest.mark.release

TEMPLATES = Path(__file__).parents[2] / "templates"
CARELESS = "careless"


class Break(NamedTuple):
    """The step that has to fail, and what is written into a file, in the place of `old` if that is given."""

    step: str
    file: str
    new: str
    old: str = ""


CURRENT, STALE = '"openapi": "3.', '"openapi": "4.'
SERVER, QUEUE = "apps/api/src/server.ts", "apps/api/src/queue/drizzle/0000_queue.sql"
SOURCE, SUITE = f"apps/api/src/{CARELESS}.ts", f"apps/api/test/{CARELESS}.test.ts"
SUM = "import { expect, it } from 'vitest';\n\nit('counts', () => {\n  expect(1 + 1).toBe(%d);\n});\n"
START = "await runOrExplain("
FOR_EVER = f"setInterval(() => undefined, 1_000);\nawait new Promise(() => undefined);\n{START}"
DEAF = "setInterval(() => process.removeAllListeners('SIGTERM').on('SIGTERM', () => undefined), 50);\n"
NODE = {
    "syntax": Break("format", SOURCE, "export const = ;\n"),
    "type": Break("types", SOURCE, "export const words: string[] = [1];\n"),
    "lint": Break("lint", SOURCE, "export function stop() {\n  debugger;\n}\n"),
    "test": Break("tests", SUITE, SUM % 3),
    "migration": Break("migrate", QUEUE, "create nonsense;\n"),
    "port never opens": Break("boot", SERVER, FOR_EVER, START),
    "hangs on SIGTERM": Break("stop", SERVER, f"{DEAF}{START}", START),
    "stale OpenAPI": Break("openapi", "apps/api/openapi.json", STALE, CURRENT),
}
ML, CLI = f"services/ml/src/ml/{CARELESS}.py", "services/ml/src/ml/cli.py"
RUN, EXIT = "        server.run()\n", "            super().handle_exit(sig, frame)\n"
# The half that node-ts does not have.
HYBRID = {
    "syntax": Break("ml", ML, "def stop(:\n"),
    "type": Break("ml", ML, '"""Careless."""\n\ncount: int = "one"\n'),
    "lint": Break("ml", ML, '"""Careless."""\n\nimport os\n'),
    "test": Break("tests", f"services/ml/tests/test_{CARELESS}.py", "def test_it() -> None:\n    assert 1 + 1 == 3\n"),
    "migration": NODE["migration"],
    "port never opens": Break("boot", CLI, f"        signal.pause()\n{RUN}", RUN),
    "hangs on SIGTERM": Break("stop", CLI, "            assert sig\n", EXIT),
    "stale OpenAPI": Break("contract", "contracts/ml.openapi.json", STALE, CURRENT),
}
PYTHON, GUNICORN = f"src/backend/{CARELESS}.py", "gunicorn.conf.py"
FORK, STARTING = "def pre_fork(", '    """Open the port that the processes share."""\n'
IGNORED = "def when_ready(_server: Any) -> None:\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
DJANGO = {
    "syntax": Break("format", PYTHON, "def stop(:\n"),
    "type": Break("types", PYTHON, '"""Careless."""\n\ncount: int = "one"\n'),
    "lint": Break("lint", PYTHON, '"""Careless."""\n\nimport os\n'),
    "test": Break("tests", f"tests/test_{CARELESS}.py", "def test_it() -> None:\n    assert 1 + 1 == 3\n"),
    "migration": Break(
        "migrate",
        "src/backend/core/migrations/0001_cache_table.py",
        'migrations.RunSQL("create nonsense", ""), migrations.RunPython(',
        "migrations.RunPython(",
    ),
    "port never opens": Break("boot", GUNICORN, f"{STARTING}    import signal\n\n    signal.pause()\n", STARTING),
    "hangs on SIGTERM": Break("stop", GUNICORN, f"import signal\n\n\n{IGNORED}\n\n{FORK}", FORK),
    "stale OpenAPI": Break("openapi", "openapi.json", STALE, CURRENT),
}
PACKAGE, SERVE = f"internal/app/{CARELESS}.go", "internal/app/serve.go"
LOG = "\tlog := env.logger(c)\n\tstopTracing, err :="
GO = {
    "syntax": Break("check", PACKAGE, "package app\n\nfunc (\n"),
    "type": Break("check", PACKAGE, 'package app\n\nvar count int = "one"\n'),
    "lint": Break("check", PACKAGE, 'package app\n\nimport "fmt"\n\nfunc careless() { fmt.Printf("%d", "one") }\n'),
    "test": Break(
        "tests",
        f"internal/app/{CARELESS}_test.go",
        'package app\n\nimport "testing"\n\nfunc TestCareless(t *testing.T) { t.Error("no") }\n',
    ),
    "migration": Break(
        "migrate", "internal/store/sqlite/migrations/00001_monitor.sql", "-- +goose Up\ncreate nonsense;\n"
    ),
    "port never opens": Break("boot", SERVE, f"\ttime.Sleep(time.Hour)\n{LOG}", LOG),
    "hangs on SIGTERM": Break("stop", SERVE, f"\tctx = context.WithoutCancel(ctx)\n{LOG}", LOG),
    "stale OpenAPI": Break("openapi", "api/openapi.json", STALE, CURRENT),
}
BREAKS = {"node-ts": NODE, "hybrid-node-python-ml": HYBRID, "python-django": DJANGO, "go": GO}
KINDS = [*NODE]
# Of a suite only the test that is broken: how long the others take does not matter here.
ONE_TEST = {"PYTEST_ADDOPTS": f"-k {CARELESS}", "GOFLAGS": "-run=TestCareless"}
# Seconds after which what never comes is no longer waited for.
PATIENCE = {"port never opens": {"READY_SECONDS": 20}, "hangs on SIGTERM": {"STOP_SECONDS": 20}}


def steps_but(stack: str, *kept: str) -> list[str]:
    """Give the steps of a stack's projects without some of them; those of the servers go together."""
    steps = json.loads((TEMPLATES / stack / "stack.json").read_text(encoding="utf-8"))["verify"]["steps"]
    names = [step["name"] for step in steps if step.get("when") != {"kind": ["cli"]}]
    return [name for name in [*names, "boot"] if name not in kept]


@pytest.fixture(scope="module")
def environment(tools: dict[str, str]) -> dict[str, str]:
    return {**tools, "UV_PYTHON_DOWNLOADS": "never", "CGO_ENABLED": "0"}


@pytest.fixture(scope="module", params=[*BREAKS])
def stack(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def project(stack: str, render: Callable[..., Path], environment: Mapping[str, str]) -> Path:
    """A new project, with what its step of installation brings."""
    made = render(stack)
    others = {"ready", "request", "stop", "gone"}  # which go with "boot"
    verifying.assert_proven(made, environment, *steps_but(stack, "install"), also=others)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_breakage_is_caught_by_the_right_step(
    stack: str, project: Path, environment: dict[str, str], kind: str, tmp_path: Path
) -> None:
    step, file, new, old = BREAKS[stack][kind]
    path = project / file
    text = path.read_text(encoding="utf-8") if old else ""
    assert text.count(old) == 1 or not old, f"{file} has no place for it"
    if kind == "test":
        for suite in project.glob("apps/api/test/**/*.test.ts"):
            suite.unlink()
        (project / SUITE).parent.mkdir(exist_ok=True, parents=True)
        if stack == "hybrid-node-python-ml":  # its other half passes
            (project / SUITE).write_text(SUM % 2, encoding="utf-8")
        environment = {**environment, **ONE_TEST}
    path.write_text(text.replace(old, new) if old else new, encoding="utf-8")
    kept = {
        "test": ["tests"],
        "port never opens": ["build", "migrate", "boot"],
        "hangs on SIGTERM": ["build", "migrate", "boot"],
    }
    static = [name for name in steps_but(stack) if name not in {"install", "tests", "boot"}]
    environment = {**environment, "TMPDIR": str(tmp_path)}  # where a run that fails leaves its logs
    try:
        skipped = steps_but(stack, *kept.get(kind, static))
        told = verifying.told(project, environment, *skipped, limits=PATIENCE.get(kind, {}))
    finally:
        for command in ("git checkout -q -- .", "git clean -fdq"):
            subprocess.run(command.split(), cwd=project, check=True, env={**os.environ})
    assert told["error"]["message"].startswith(f"{step} failed: "), told
    failed = [each["step"] for each in told["error"]["details"]["steps"] if each["state"] == "failed"]
    assert failed[0] == step
