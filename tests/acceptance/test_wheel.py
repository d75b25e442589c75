"""The wheel as users get it: built from git, installed afresh, generating and updating with no network."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from museum import ROOT, Repository, git, repository_of_today

FIRST, SECOND = "90.0.0", "90.1.0"
ADDED = "added by the second release"
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "GIT_ALLOW_PROTOCOL": "file"}


def run(*command: str | Path, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("STACKGEN_", "PYTHON"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def without_network() -> tuple[str, ...]:
    """Give the command that takes the network away, where this machine allows it."""
    for command in (("unshare", "--net"), ("unshare", "--map-root-user", "--net")):
        if shutil.which("unshare") and run(*command, "true", cwd=ROOT).returncode == 0:
            return command
    return ()


def build(repository: Path, kind: str, target: Path) -> Path:
    done = run(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", target, cwd=repository)
    assert done.returncode == 0, done.stderr
    return next(target.iterdir())


def digest(archive: Path) -> str:
    with zipfile.ZipFile(archive) as wheel:
        return hashlib.sha256(wheel.read("stackgen/templates.bundle")).hexdigest()


@dataclass(frozen=True)
class Machine:
    """A fresh environment and a fresh home, cut off from the network."""

    python: Path
    home: Path

    def install(self, wheel: Path) -> None:
        command = (self.python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall")
        done = run(*command, wheel, cwd=self.home)
        assert done.returncode == 0, done.stderr

    def run(self, program: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        command = (*without_network(), self.python, "-m", program, *arguments)
        done = run(*command, cwd=cwd, HOME=str(self.home), **NO_NETWORK)
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheel")


@pytest.fixture(scope="module")
def repository(workshop: Path) -> Repository:
    return repository_of_today(workshop / "repository")


@pytest.fixture(scope="module")
def wheels(repository: Repository, workshop: Path) -> tuple[Path, Path]:
    """Build the wheels of two releases, the second of which changes the templates."""
    repository.release(FIRST)
    repository.commit({"templates/common/docs/ignored.md": "not a project's file\n"})
    first = build(repository.path, "wheel", workshop / "first")
    editorconfig = (repository.path / "templates/common/.editorconfig").read_text(encoding="utf-8")
    repository.commit({"templates/common/.editorconfig": f"{editorconfig}\n# {ADDED}\n"})
    repository.release(SECOND)
    return first, build(repository.path, "wheel", workshop / "second")


@pytest.fixture(scope="module")
def machine(workshop: Path) -> Machine:
    run(sys.executable, "-m", "venv", workshop / "venv", cwd=workshop)
    python = workshop / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=workshop).stdout.strip()
    # Dependencies come from the environment that runs the tests; stackgen itself does not.
    Path(site, "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    (workshop / "home").mkdir()
    return Machine(python, workshop / "home")


@pytest.fixture(scope="module")
def project(machine: Machine, wheels: tuple[Path, Path]) -> Path:
    machine.install(wheels[0])
    # What a wheel knows of its stacks comes with it, and needs neither a template nor a network.
    assert "one static binary" in machine.run("stackgen", "compare", cwd=machine.home).stdout
    machine.run("stackgen", "new", "my-shop", "--yes", cwd=machine.home)
    return machine.home / "my-shop"


def answers(project: Path) -> dict[str, object]:
    return yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))


def test_the_installed_wheel_generates_without_a_network(project: Path) -> None:
    assert answers(project)["_src_path"] == "~/.local/share/stackgen/templates.bundle"
    assert answers(project)["_commit"] == f"v{FIRST}"
    assert answers(project)["decision"]
    assert git(project, "status", "--porcelain") == ""
    assert not [path for path in project.rglob("*") if path.is_symlink()]


@pytest.fixture(scope="module")
def edited(machine: Machine, wheels: tuple[Path, Path], project: Path) -> Path:
    """The project with a line of its owner's, on a machine that has the next release."""
    (project / "SECURITY.md").write_text((project / "SECURITY.md").read_text(encoding="utf-8") + "\nA line of ours.\n")
    git(project, "commit", "--quiet", "--all", "--message=Ours")
    machine.install(wheels[1])
    return project


def test_stackgen_update_carries_it_to_the_next_release(machine: Machine, edited: Path, tmp_path: Path) -> None:
    twin = shutil.copytree(edited, tmp_path / "twin", symlinks=True)
    machine.run("stackgen", "update", cwd=twin)
    assert git(twin, "diff", "--name-only").splitlines() == [".copier-answers.yml", ".editorconfig"]


@pytest.mark.full
def test_plain_copier_update_does_the_same(machine: Machine, edited: Path) -> None:
    project, decision = edited, answers(edited)["decision"]
    machine.run("stackgen", "new", "other-shop", "--yes", cwd=machine.home)

    machine.run("copier", "update", "--defaults", cwd=project)
    assert ADDED in (project / ".editorconfig").read_text(encoding="utf-8")
    assert "A line of ours." in (project / "SECURITY.md").read_text(encoding="utf-8")
    assert git(project, "diff", "--name-only").splitlines() == [".copier-answers.yml", ".editorconfig"]
    assert (answers(project)["_commit"], answers(project)["decision"]) == (f"v{SECOND}", decision)
    git(project, "commit", "--quiet", "--all", "--message=Update")

    machine.run("copier", "update", "--defaults", "--data", "deploy=kubernetes", cwd=project)
    assert answers(project)["deploy"] == "kubernetes"
    assert "A line of ours." in (project / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.full
def test_building_again_from_a_clone_gives_the_same_bundle(
    repository: Repository, wheels: tuple[Path, Path], workshop: Path
) -> None:
    git(workshop, "clone", "--quiet", "--no-local", str(repository.path), str(workshop / "again"))
    assert digest(build(workshop / "again", "wheel", workshop / "third")) == digest(wheels[1])


@pytest.mark.full
def test_a_source_distribution_builds_the_same_wheel_without_git(
    repository: Repository, wheels: tuple[Path, Path], workshop: Path
) -> None:
    sdist = build(repository.path, "sdist", workshop / "sdist")
    (workshop / "unpacked").mkdir()
    subprocess.run(["tar", "--extract", "--file", sdist, "--directory", workshop / "unpacked"], check=True)
    unpacked = next((workshop / "unpacked").iterdir())
    wheel = build(unpacked, "wheel", workshop / "fourth")
    assert digest(wheel) == digest(wheels[1])
    with zipfile.ZipFile(wheel) as rebuilt, zipfile.ZipFile(wheels[1]) as built:
        assert sorted(rebuilt.namelist()) == sorted(built.namelist())


@pytest.mark.full
def test_before_the_first_release_only_an_editable_install_is_possible(workshop: Path) -> None:
    folder = workshop / "unreleased"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", "node_modules", "dist"), symlinks=True)
    git(folder, "init", "--quiet")
    pyproject = (folder / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    lines = ['version = "0.0.1.dev0"' if line.startswith("version = ") else line for line in pyproject]
    (folder / "pyproject.toml").write_text("\n".join(lines), encoding="utf-8")
    git(folder, "add", "pyproject.toml", "copier.yml", "templates")
    git(folder, "commit", "--quiet", "--message=Start")
    editable = "import hatchling.build; hatchling.build.build_editable('editable')"
    done = run(sys.executable, "-c", editable, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", cwd=folder)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "no release" in line]
    assert "Traceback" not in done.stderr
