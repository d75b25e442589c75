"""A generated python-django project, from `uv venv` to SIGTERM, as its README tells its new owner."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import backups
import processes
import pytest
import verifying
import working_page
from museum import repository_of_today
from sizes import in_turn, is_release, seed

import stackgen.render
from stackgen import update
from stackgen.plan import Plan

Environment = Mapping[str, str]
WithPython = Callable[[str], dict[str, str]]
CSV = b"city,population\nOslo,717710\nBergen,\nTromso,78745\n"
PRODUCTION = {
    "SECRET_KEY": "an-acceptance-test-needs-a-secret-of-fifty-characters-too",
    "ALLOWED_HOSTS": "127.0.0.1",
    "HTTPS": "false",
    "TASK_LEASE_SECONDS": "2",
}
SIGN_UP = """
from backend.accounts.models import ApiKey, User
from backend.teams.models import Team
user = User.objects.create_user("owner@example.com", "a-password-of-the-owner")
print(Team.start("Owners", user).pk, ApiKey.issue(user, "acceptance")[1])
"""


def _versions() -> list[tuple[int, str]]:
    """Every CPython from 3.11 on that this machine has, by its minor version; one of them runs these tests."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    known = [str(path) for path in root.glob("3.*/bin/python")]
    known += [
        str(Path(sys.executable).resolve()),
        *(path for minor in range(11, 20) if (path := shutil.which(f"python3.{minor}"))),
    ]
    found = []
    for python in known:
        code = "import sys; print(sys.version_info.minor if sys.implementation.name == 'cpython' else 0)"
        asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and int(asked.stdout) >= 11:
            found.append((int(asked.stdout), python))
    return sorted(found)


def _set_up(project: Path, environment: Environment) -> None:
    """Run the README's own commands of the first minute."""
    readme = (project / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\npip install uv\n(.*?)```", readme, re.DOTALL)
    assert block, "the README does not begin with its commands any more"
    for command in block[1].splitlines():
        if not command.endswith(("pytest", "check.py")):
            processes.sh(command, project, environment)
    assert processes.sh("git status --porcelain", project, environment).stdout == ""


@dataclass(frozen=True)
class Project:
    """A project that is set up, and the environment of its commands."""

    folder: Path
    environment: Environment


def _newest() -> str:
    return _versions()[-1][1]


@pytest.fixture(scope="module", params=[pytest.param("oldest", marks=pytest.mark.full), "newest"])
def made(request: pytest.FixtureRequest, render: Callable[..., Path], with_python: WithPython) -> Project:
    """A project on the newest Python of this machine, and one with everything on the oldest that it promises."""
    oldest = request.param == "oldest"
    answers = {"deploy": "kubernetes", "ci": "gitlab"} if oldest else {}
    environment = with_python("python3.11" if oldest else _newest())
    folder = render("python-django", description='The "lab": {{ x }}', **answers)
    _set_up(folder, environment)
    return Project(folder, environment)


@pytest.fixture(scope="module")
def project(made: Project) -> Path:
    """Where that project is."""
    return made.folder


@pytest.fixture(scope="module")
def environment(made: Project) -> Environment:
    """The environment of that project's commands."""
    return made.environment


@contextmanager
def _deployment(project: Path, environment: Environment, tmp_path: Path, database: str) -> Iterator[processes.Server]:
    port = processes.free_port()
    settings = {**environment, **PRODUCTION, "PORT": str(port), "ENV_FILE": "", "DATA_DIR": str(tmp_path / "data")}
    settings |= {"DATABASE_URL": database} if database else {}
    manage = [str(project / ".venv/bin/python"), "manage.py"]
    processes.sh([*manage, "migrate", "-v0"], project, settings)
    processes.sh(
        [*manage, "collectstatic", "--no-input", "-v0", "--settings=tests.processes.collecting"], project, settings
    )
    assert processes.closed_to_others(project / "staticfiles") == []
    made = processes.sh([*manage, "shell", "-v0", "-c", SIGN_UP], project, settings).stdout.split()
    gunicorn = [str(project / ".venv/bin/gunicorn")]
    with processes.serve(gunicorn, project, settings, f"http://127.0.0.1:{port}/readyz") as server:
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen([*manage, "worker"], cwd=project, env=settings, stdout=log, stderr=log)
        try:
            _upload(server.url, *made[-2:])
            worker.terminate()
            assert worker.wait(120) == 0
        finally:
            worker.kill()
            worker.wait()
        yield server


def _upload(url: str, team: str, secret: str) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="team_id"\r\n\r\n{team}\r\n--x\r\n'
    head += 'Content-Disposition: form-data; name="file"; filename="cities.csv"\r\n\r\n'
    bearer = {"Authorization": f"Bearer {secret}"}
    form = bearer | {"Content-Type": "multipart/form-data; boundary=x"}
    accepted = processes.http("POST", f"{url}/api/datasets", head.encode() + CSV + b"\r\n--x--\r\n", form)
    assert accepted.status == 202, accepted.body
    path = f"{url}/api/datasets/{accepted.json['id']}"
    deadline = time.monotonic() + 300
    while processes.http("GET", path, headers=bearer).json["status"] in {"pending", "profiling"}:
        assert time.monotonic() < deadline, "no worker has profiled the upload"
        time.sleep(0.2)
    found = processes.http("GET", f"{path}/profile", headers=bearer).json
    assert found["rows"] == 3
    assert [(column["kind"], column["missing"]) for column in found["columns"]] == [("text", 0), ("integer", 1)]
    assert processes.http("GET", f"{path}/file", headers=bearer).body == CSV
    assert processes.http("GET", f"{path}/plots/1.svg", headers=bearer).body.startswith(b"<svg")
    assert processes.http("GET", path).status == 401
    page = processes.http("GET", f"{url}/admin/login/").body.decode()
    style = re.search(r'href="(/static/admin/css/base[^"]+)"', page)
    assert style, page
    assert processes.http("GET", url + style[1]).headers["cache-control"].endswith("immutable")


@pytest.mark.parametrize(
    "made",
    # The newest in test_first_push.py, too.
    [pytest.param("oldest", marks=pytest.mark.full), pytest.param("newest", marks=pytest.mark.repeated)],
    indirect=True,
)
def test_every_check_of_the_project_passes(project: Path, environment: Environment) -> None:
    checks, _ = working_page.commands(project, working_page.PASS)
    for command in (checks, *working_page.commands(project, working_page.CHANGE)):
        processes.sh(command, project, environment)
    assert processes.sh("git status --porcelain", project, environment).stdout == ""
    (project / "src/backend/careless.py").write_text("import os\n\n\ndef f(x):\n    return x\n", encoding="utf-8")
    spoiled = processes.sh("uv run python check.py", project, environment, check=False)
    (project / "src/backend/careless.py").unlink()
    assert spoiled.returncode == 1
    assert "failed: lint, types" in spoiled.stdout


@in_turn(2, 3)  # with those of node-ts and the hybrid
@pytest.mark.parametrize("made", ["newest"], indirect=True)
def test_stackgen_verifies_it(project: Path, environment: Environment) -> None:
    verifying.assert_proven(project, environment, "install", "tests")


# Each Python and each engine once; all four before a release. The newest on SQLite is in test_first_push.py too.
@pytest.mark.parametrize(
    "made",
    [pytest.param("oldest", marks=pytest.mark.release), pytest.param("newest", marks=pytest.mark.repeated)],
    indirect=True,
)
def test_its_tests_pass_on_sqlite(project: Path, environment: Environment) -> None:
    suite = working_page.commands(project, working_page.PASS)[-1]
    # All of them are too long for everybody: of the files a ninth, by the run's seed.
    files = sorted(path.relative_to(project).as_posix() for path in project.glob("tests/**/test_*.py"))
    some = "--cov" if is_release() else " ".join(files[seed() % 9 :: 9])
    processes.sh(f"{suite} -q {some}", project, environment)


@pytest.mark.release  # with one Python in test_first_push.py
@pytest.mark.parametrize("made", ["oldest", "newest"], indirect=True)
def test_its_tests_pass_on_postgresql(project: Path, environment: Environment, postgres_url: str) -> None:
    ran = processes.sh("uv run pytest -q", project, {**environment, "TEST_DATABASE_URL": postgres_url})
    assert "skipped" not in ran.stdout


def test_an_upload_is_profiled_by_a_worker_on_sqlite(project: Path, environment: Environment, tmp_path: Path) -> None:
    with _deployment(project, environment, tmp_path, "") as server:
        assert server.stop() == 0


@pytest.mark.full
def test_an_upload_is_profiled_by_a_worker_on_postgresql(
    project: Path, environment: Environment, tmp_path: Path, postgres_url: str
) -> None:
    with _deployment(project, environment, tmp_path, postgres_url) as server:
        assert server.stop() == 0


@pytest.mark.release
def test_a_backup_is_restored_as_its_page_says(project: Path, environment: Environment, tmp_path: Path) -> None:
    with backups.own_server() as server:
        backups.owned(server)

        def manage(database: str, *arguments: str) -> None:
            settings = {**environment, **PRODUCTION, "ENV_FILE": "", "DATA_DIR": str(tmp_path / "data")}
            settings["DATABASE_URL"] = backups.address(server, backups.OWNER, database)
            processes.sh([str(project / ".venv/bin/python"), "manage.py", *arguments], project, settings)

        manage("my_shop", "migrate", "-v0")
        manage("my_shop", "shell", "-v0", "-c", SIGN_UP)
        backups.proven(project, server, environment, tmp_path, lambda database: manage(database, "migrate", "-v0"))


def test_a_wrong_environment_is_told_in_a_few_lines(project: Path, environment: Environment) -> None:
    wrong = {**environment, "ENV_FILE": "", "PORT": "http"}
    told = processes.sh([str(project / ".venv/bin/python"), "manage.py", "check"], project, wrong, check=False)
    assert told.returncode == 1
    assert "Traceback" not in told.stdout
    assert all(f"{name}: " in told.stdout for name in ("PORT", "SECRET_KEY", "ALLOWED_HOSTS"))


def test_the_newest_python_of_the_machine_is_among_those_tested(made: Project, request: pytest.FixtureRequest) -> None:
    asked = processes.sh([".venv/bin/python", "-V"], made.folder, made.environment).stdout
    expected = 11 if "oldest" in request.node.name else _versions()[-1][0]
    assert asked.startswith(f"Python 3.{expected}."), asked


@pytest.mark.full
def test_one_command_adds_a_dependency_and_pins_it(made: Project, tmp_path: Path) -> None:
    other = shutil.copytree(made.folder, tmp_path / "other", ignore=shutil.ignore_patterns(".venv"))
    clean = {name: value for name, value in made.environment.items() if not name.startswith(("UV_INDEX", "PIP_"))}
    processes.sh("uv run python dependencies.py django-anymail", other, clean)
    processes.sh("uv run python dependencies.py --extra dev freezegun==1.5.5", other, clean)
    added = [
        line for line in processes.sh("git diff pyproject.toml", other, clean).stdout.splitlines() if line[0] in "+-"
    ]
    assert re.fullmatch(r'\+  "django-anymail==[\d.]+",', added[2]), added
    assert added[3:] == ['+  "freezegun==1.5.5",']
    pins = [(other / name).read_text(encoding="utf-8") for name in ("requirements.txt", "requirements-dev.txt")]
    assert ["\ndjango-anymail==" in pins[0], "\nfreezegun==" in pins[0], "\nfreezegun==" in pins[1]] == [
        True,
        False,
        True,
    ]
    assert not re.search(r"https?:", "".join(pins))
    processes.sh([".venv/bin/python", "-c", "import anymail, freezegun, backend"], other, clean)
    refused = processes.sh("uv run python dependencies.py django==0", other, clean, check=False)
    assert refused.returncode
    assert '"django==0"' not in (other / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.full
def test_a_file_that_is_not_the_pinned_one_is_refused(made: Project, tmp_path: Path) -> None:
    pins = (made.folder / "requirements.txt").read_text(encoding="utf-8")
    (tmp_path / "requirements.txt").write_text(re.sub(r"(?<=sha256:)[0-9a-f]{8}", "00000000", pins), encoding="utf-8")
    processes.sh("uv venv", tmp_path, made.environment)
    refused = processes.sh("uv pip sync --require-hashes requirements.txt", tmp_path, made.environment, check=False)
    assert refused.returncode
    assert "ash mismatch" in refused.stdout


@in_turn(0, 3)
def test_without_its_example_it_checks_tests_and_serves(render: Callable[..., Path], with_python: WithPython) -> None:
    environment = with_python(_newest())
    made = render("python-django", example=False)
    _set_up(made, environment)
    assert not list((made / ".venv").glob("lib/*/site-packages/polars"))
    assert not (made / "src/backend/datasets").exists()
    # Format, lint, types, migrations, tests, then a server that is asked for a team.
    verifying.assert_proven(made, environment, "install")


@in_turn(1, 3)
def test_the_example_is_taken_out_by_an_update_and_what_is_left_passes(tmp_path: Path, with_python: WithPython) -> None:
    environment = with_python(_newest())
    repository = repository_of_today(tmp_path / "repository")
    repository.release("90.0.0")
    bundle = repository.pack(tmp_path / "packed") / "templates.bundle"
    plan = Plan(str(bundle), "v90.0.0", tmp_path / "my-shop", {"stack": "python-django", "name": "my-shop"})
    made = stackgen.render.generate(plan).project
    own = made.path / "src/backend/teams/pages.py"
    own.write_text(own.read_text(encoding="utf-8") + "\n\nOURS = True\n", encoding="utf-8")
    processes.sh("git add -A && git -c user.name=t -c user.email=t@t commit -qm Ours", made.path, environment)
    report = update.run(made, {"example": False}, {})
    assert (report.kept, report.conflicts) == ((), ())
    assert not (made.path / "src/backend/datasets").exists()
    processes.sh("git -c user.name=t -c user.email=t@t commit -qam Without", made.path, environment)
    _set_up(made.path, environment)
    processes.sh("uv run python check.py", made.path, environment)
    some = (
        "" if is_release() else " tests/test_pages.py tests/test_teams.py tests/test_schema.py tests/test_migrations.py"
    )
    processes.sh(f"uv run pytest -q{some}", made.path, environment)


@in_turn(2, 3)
def test_without_data_tools_it_is_complete(render: Callable[..., Path], with_python: WithPython) -> None:
    environment = with_python(_newest())
    made = render("python-django", data_tools=False, ci="gitlab")
    _set_up(made, environment)
    assert not (made / "notebooks").exists()
    assert not list((made / ".venv").glob("lib/*/site-packages/nbclient"))
    processes.sh("uv run python check.py", made, environment)
    # Its code is that of every other project; what could be missing are packages.
    files = ("test_env.py", "datasets/test_parquet.py", "datasets/test_profiles.py", "test_tasks.py")
    some = [] if is_release() else [f"tests/{name}" for name in files]
    processes.sh(["uv", "run", "pytest", "-q", *some], made, environment)
