"""`stackgen verify` finds what is broken, in the step that it belongs to, and leaves nothing running."""

import json
import os
import select
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import templating
from running import Run

from stackgen import serving, verify

Stackgen = Callable[..., Run]
SERVER = """\
import http.server
import json
import os
import signal
import subprocess
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self):
        self.answer(200, {"id": "n1"})

    def do_POST(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(201, {"notes": [{"id": f"n-{said['text']}"}]})

    def log_message(self, *_):
        pass


print("starting", os.environ["DATA_DIR"])
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""
FILES = {"server.py": SERVER, "types_hold.py": "", "tests_pass.py": "", "migrate.py": ""}
PYTHON = sys.executable
PROOF = {
    "tools": {"git": "2.0"},
    "verify": {
        "steps": [
            {"name": "types", "run": [f"{PYTHON} types_hold.py"]},
            {"name": "tests", "run": [f"{PYTHON} -c pass", f"{PYTHON} tests_pass.py"]},
            {"name": "tls", "run": [f"{PYTHON} no_such_file.py"], "when": {"tls": ["True"]}},
            {"name": "migrate", "needed": True, "run": [f"{PYTHON} migrate.py"], "environment": {"AT": "{folder}"}},
        ],
        "servers": [
            {
                "name": "api",
                "run": f"{PYTHON} server.py",
                "ready": "/ready",
                "environment": {"PORT": "{port}", "DATA_DIR": "{folder}/data"},
            }
        ],
        "requests": [
            {"send": "POST /notes", "body": {"text": "{random}"}, "expect": 201, "keep": {"id": "notes.0.id"}},
            {"send": "GET /notes/{id}"},
            {"run": f"{PYTHON} -c \"import os; print(os.environ['PORT'])\"", "keep": {"told": ""}},
        ],
    },
}
STEPS = ["toolchain", "types", "tests", "migrate", "boot", "ready", "request", "stop", "gone"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return templating.with_a_proof(tmp_path_factory.mktemp("proof") / "template", PROOF, FILES)


@pytest.fixture
def shop(stackgen: Stackgen, template: Path, tmp_path: Path) -> Path:
    assert stackgen("new", "shop", "--template", str(template), "--stack", "rust-axum", "--yes", "--quiet").code == 0
    return tmp_path / "shop"


def states(steps: list[Mapping[str, str]]) -> dict[str, str]:
    return {each["step"]: each["state"] for each in steps}


def test_a_whole_project_passes_and_leaves_nothing(stackgen: Stackgen, shop: Path) -> None:
    before = sorted(shop.rglob("*"))
    found = stackgen("verify", "shop", "--json")
    assert found.code == 0, found.out
    steps = found.json["result"]["steps"]
    assert states(steps) == dict.fromkeys(STEPS, "passed")
    (boot,) = [each for each in steps if each["step"] == "boot"]
    log = Path(boot["log"])
    assert log.read_text(encoding="utf-8") == f"starting {log.parent}/data\n"
    assert boot["command"].endswith(f"{PYTHON} server.py")
    shutil.rmtree(log.parent)
    said = stackgen("verify", "shop")
    assert said.out.splitlines()[-1] == "9 passed."
    assert [line.split()[0] for line in said.out.splitlines()[1:10]] == STEPS
    assert [path for path in sorted(shop.rglob("*")) if "__pycache__" not in str(path)] == before


BREAKS = {
    "a type": ("types", "types_hold.py", "", "raise SystemExit(1)", "exited 1"),
    "a test": ("tests", "tests_pass.py", "", "assert False", "exited 1"),
    "a migration": ("migrate", "migrate.py", "", "1 / 0", "exited 1"),
    "a server that ends": ("boot", "server.py", "print(", "raise SystemExit(3)\nprint(", "exited 3"),
    "a port that never opens": ("boot", "server.py", "server = ", "signal.pause()\nserver = ", "opened its port"),
    "never ready": ("ready", "server.py", 'self.answer(200, {"id"', 'self.answer(503, {"id"', "with 200"),
    "a wrong status": ("request", "server.py", "answer(201", "answer(500", "answered 500 instead of 201"),
    "an answer without its id": ("request", "server.py", '"notes": [', '"others": [', "no notes.0.id"),
    "deaf to SIGTERM": ("stop", "server.py", "lambda *_: threading", "lambda *_: None and threading", "still running"),
    "a wrong end": ("stop", "server.py", "serve_forever()\n", "serve_forever()\nraise SystemExit(4)\n", "exited 4"),
    "an orphan": ("gone", "server.py", "server = ", "subprocess.Popen(['sleep', '600'])\nserver = ", "has not"),
}

# Breaks that are seen by waiting in vain. Of them "never ready" alone has to start its server in that time.
WAITS = {
    "a port that never opens": ("READY_SECONDS",),
    "never ready": ("READY_SECONDS",),
    "deaf to SIGTERM": ("STOP_SECONDS",),
}


@pytest.mark.parametrize(
    "broken", [pytest.param(each, marks=pytest.mark.full) if each in WAITS else each for each in BREAKS]
)
def test_each_break_is_found_in_its_step(
    stackgen: Stackgen, shop: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in WAITS.get(broken, ()):
        monkeypatch.setattr(serving, limit, 20)
    step, file, old, new, detail = BREAKS[broken]
    text = (shop / file).read_text(encoding="utf-8")
    assert not old or text.count(old) == 1
    (shop / file).write_text(text.replace(old, new) if old else new, encoding="utf-8")
    found = stackgen("verify", "shop", "--json")
    assert found.code == 6
    error = found.json["error"]
    assert error["code"] == "check"
    assert error["message"].startswith(f"{step} failed: ")
    assert detail in error["message"]
    steps = error["details"]["steps"]
    assert next(name for name, state in states(steps).items() if state == "failed") == step
    if step in {"migrate", "boot", "ready"}:
        assert set(list(states(steps).values())[STEPS.index(step) + 1 :]) == {"not run"}
    (result,) = [each for each in steps if each["step"] == step]
    assert result["command"] in error["hint"]
    assert result["log"] is None or result["log"] in error["hint"]
    logs = Path(next(each["log"] for each in steps if each["log"])).parent
    wait_until_gone(logs)
    shutil.rmtree(logs)


def wait_until_gone(folder: Path) -> None:
    """Wait for the end of those processes of a run that have been killed: the system tells of it."""
    while left := running(folder):
        with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(left[0])) as process:
            ended, _, _ = select.select([process], [], [], 600)
            assert ended, left


def running(folder: Path) -> list[int]:
    """Give the processes of a run that are left, by the folder that they were told of."""
    found = []
    for process in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if os.fsencode(folder) in process.read_bytes():
                found.append(int(process.parent.name))
    return found


def test_a_tool_that_is_missing_is_no_success(stackgen: Stackgen, tmp_path: Path) -> None:
    proof = json.loads(json.dumps(PROOF).replace(f"{PYTHON} types_hold.py", "no-such-tool --strict"))
    proof["tools"]["no-such-tool"] = "1.0"
    other = templating.with_a_proof(tmp_path / "other", proof, FILES)
    assert stackgen("new", "shop", "--template", str(other), "--stack", "rust-axum", "--yes", "--quiet").code == 0
    found = stackgen("verify", "shop")
    assert found.code == 6
    assert found.out.splitlines()[-1] == "7 passed, 2 skipped."
    assert "toolchain was skipped: no-such-tool 1.0 or newer is needed, none was found" in found.err
    assert "needs no-such-tool" in found.out


def test_a_step_may_be_left_out_and_says_so(
    stackgen: Stackgen, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (shop / "tests_pass.py").write_text("assert False", encoding="utf-8")
    found = stackgen("verify", "shop", "--skip", "tests")
    assert (found.code, found.out.splitlines()[-1]) == (0, "8 passed, 1 skipped.")
    without_servers = stackgen("verify", "shop", "--skip", "tests", "--skip", "boot")
    assert (without_servers.code, without_servers.out.splitlines()[-1]) == (0, "3 passed, 6 skipped.")
    assert list(tmp_path.glob("stackgen-verify-*")) == []
    wrong = stackgen("verify", "shop", "--skip", "test")
    assert (wrong.code, wrong.err.splitlines()[0]) == (2, "stackgen: --skip: there is no step 'test'")


@pytest.mark.usefixtures("shop")
def test_an_interrupted_run_leaves_nothing(stackgen: Stackgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "request_all", interrupted)
    assert stackgen("verify", "shop").code == 130
    assert list((tmp_path / "temporary").glob("stackgen-verify-*")) == []
    wait_until_gone(tmp_path / "temporary")


def test_a_release_without_steps_says_what_to_do(stackgen: Stackgen, tmp_path: Path) -> None:
    bare = templating.with_a_proof(tmp_path / "bare", {"verify": {}}, FILES)
    assert stackgen("new", "shop", "--template", str(bare), "--stack", "rust-axum", "--yes", "--quiet").code == 0
    found = stackgen("verify", "shop")
    assert found.code == 4
    assert "does not say how a project is verified" in found.err
    assert verify.TOOLCHAIN not in found.out


@pytest.mark.parametrize(
    ("proof", "complaint"),
    [
        ({"steps": [{"name": "x", "run": "npm ci"}]}, "a step's commands is not a list"),
        ({"steps": [{"name": "x", "run": ["'"]}]}, "is no command"),
        ({"servers": [{"name": "api"}]}, "a server's command is not a text"),
        ({"requests": [{"expect": 200}]}, "either send or run"),
        ({"stepps": []}, "did you mean 'steps'?"),
    ],
)
def test_a_record_that_is_wrong_is_named(
    stackgen: Stackgen, tmp_path: Path, proof: Mapping[str, object], complaint: str
) -> None:
    other = templating.with_a_proof(tmp_path / "other", {"verify": proof}, FILES)
    found = stackgen("stacks", "--template", str(other))
    assert found.code == 4
    assert complaint in found.err


@pytest.mark.usefixtures("shop")
def test_the_doctor_names_what_is_missing(stackgen: Stackgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stackgen("doctor", "shop", "--json").json["result"]["tools"][0]["tool"] == "git"
    assert stackgen("doctor", "shop").code == 0
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "node").write_text("#!/bin/sh\necho v20.1.0\n", encoding="utf-8")
    (tools / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    found = stackgen("doctor", "--stack", "hybrid-node-python-ml", "--json")
    assert found.code == 6
    told = found.json["error"]["details"]["tools"]
    assert [(each["tool"], each["needed"], each["found"], each["ok"]) for each in told] == [
        ("node", "22.18", "20.1.0", False),
        ("uv", "0.8", None, False),
    ]
    assert len(stackgen("doctor").out.splitlines()) > 4
