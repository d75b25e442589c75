"""The validators that generated files are put through: some from PyPI, some built once from pinned Go modules."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import operations_policies as policies

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
GO_MODULES = {
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1",
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",
}
BUILD_SECONDS = 1800
RUN_SECONDS = 900


class ToolError(AssertionError):
    """A validator is not there; a check that cannot be made must not pass."""


def run(
    command: Iterable[str | Path], cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool without colours and give what it said, whether or not it found anything."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**(os.environ if environment is None else environment), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )


def findings(
    command: Iterable[str | Path], cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Give what a tool complained about; nothing when it is content."""
    result = run(command, cwd, environment)
    if result.returncode == 0:
        return ""
    return f"{result.stdout}{result.stderr}" or f"exit code {result.returncode} without a word"


def python_tool(name: str) -> Path:
    """Give a validator that the development dependencies bring."""
    path = BIN / name
    if not path.is_file():
        raise ToolError(f"{name} is missing from {BIN}: install the dev dependencies with `uv sync`")
    return path


def go_tool(name: str) -> Path:
    """Give a validator built from its pinned Go module."""
    return _built(name, GO_MODULES[name].encode(), ["install", GO_MODULES[name]], None)


def compose_config() -> Path:
    """Give the command that loads a compose file as `docker compose config` does, without Docker."""
    return go_program("compose_config")


def go_program(name: str) -> Path:
    """Give a command built from the Go module of that name beside this file."""
    folder = _here(name)
    sources = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    return _built(name, sources, ["install", "."], folder)


def go_module(module: str) -> Path:
    """Give the folder with the files of a Go module, such as `example.org/module@v1.2.3`."""
    command = [python_tool("go"), "mod", "download", "-json", module]
    with TemporaryDirectory() as scratch:
        result = run(command, Path(scratch), {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"})
    if result.returncode != 0:
        raise ToolError(f"`go mod download {module}` failed:\n{result.stdout}{result.stderr}")
    return Path(json.loads(result.stdout)["Dir"])


def _built(name: str, sources: bytes, command: list[str], cwd: Path | None) -> Path:
    folder = ROOT / ".cache" / "tools" / hashlib.sha256(sources).hexdigest()[:16]
    if not (folder / name).is_file():
        _build(command, cwd, folder)
    return folder / name


def _build(command: list[str], cwd: Path | None, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as scratch:
        built = Path(scratch) / "bin"
        result = subprocess.run(
            [str(python_tool("go")), *command],
            cwd=cwd,
            env={**os.environ, "GOBIN": str(built), "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS,
        )
        if result.returncode != 0:
            need = "it needs the Go module proxy or a filled module cache"
            raise ToolError(f"`go {' '.join(command)}` failed; {need}:\n{result.stderr}")
        with suppress(OSError):  # another process has been faster
            built.rename(folder)


def compose(path: Path) -> list[str | Path]:
    """Load a compose file."""
    return [compose_config(), path]


def environments_of(path: Path) -> dict[str, dict[str, str]]:
    """Give what each service of a compose file finds in its environment, with the `.env` beside the file."""
    result = run([compose_config(), path], environment={})
    assert result.returncode == 0, result.stderr
    given: dict[str, dict[str, str]] = json.loads(result.stdout)
    return given


def secrets_of(path: Path) -> dict[str, str]:
    """Give made-up values for the secrets that a file insists on."""
    return dict.fromkeys(policies.required_variables(path.read_text(encoding="utf-8")), "0123456789abcdef" * 4)


def zizmor(files: Iterable[Path]) -> list[str | Path]:
    """Look for weaknesses in workflows."""
    # self-repository asks for `$/` in place of `./`, which neither the schema nor actionlint knows.
    return [python_tool("zizmor"), "--offline", "--no-progress", "--config", _here("zizmor.yml"), *files]


def actionlint(files: Iterable[Path]) -> list[str | Path]:
    """Look for mistakes in workflows."""
    return [go_tool("actionlint"), "-shellcheck=", "-pyflakes=", *files]


def yamllint(files: Iterable[Path]) -> list[str | Path]:
    """Look for mistakes in YAML."""
    return [python_tool("yamllint"), "--strict", "--config-file", _here("yamllint.yml"), *files]


def kubernetes_validate(files: Iterable[Path]) -> list[str | Path]:
    """Compare manifests with the API's schema, strictly."""
    return [python_tool("kubernetes-validate"), "--strict", "--quiet", *files]


def schema(name: str, *files: Path) -> list[str | Path]:
    """Compare a file with its published schema."""
    return [python_tool("check-jsonschema"), "--builtin-schema", f"vendor.{name}", *files]


def _here(name: str) -> Path:
    return Path(__file__).with_name(name)
