"""A generated node-ts project, from `npm ci` to SIGTERM, as its README tells its new owner."""

import http.cookiejar
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import backups
import node_pages
import processes
import pytest
import verifying
import working_page
from following import blocks
from sizes import in_turn, is_release, seed

Environment = Mapping[str, str]
# The machine may be busy with other things than the server.
CALM = {"OVERLOAD_EVENT_LOOP_DELAY_MS": "0"}
SECRETS = {"AUTH_SECRET": secrets.token_hex(32), "MAIL_URL": "log:"}


@pytest.fixture(scope="module")
def project(render: Callable[..., Path], tools: Environment) -> Path:
    """A fresh project with its packages installed."""
    made = render("node-ts", description='The "shop" backend')
    processes.sh(working_page.commands(made, working_page.PASS)[0], made, tools)
    assert processes.closed_to_others(made / "node_modules") == []
    return made


@pytest.fixture
def environment(tools: Environment, free_port: Callable[[], int], tmp_path: Path) -> dict[str, str]:
    """The environment of one server: its own port and its own embedded database."""
    return {**tools, "PORT": str(free_port()), "DATA_DIR": str(tmp_path / "data"), "LOG_LEVEL": "info"} | CALM


class Browser:
    """Keeps cookies and says where it comes from, as a browser does."""

    def __init__(self, base: str) -> None:
        self.base = base
        jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(secure_protocols=("http", "https")))
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> processes.Answer:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        request.add_header("Origin", self.base)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with self.opener.open(request, timeout=300) as answer:
                return processes.Answer(answer.status, dict(answer.headers.items()), answer.read())
        except urllib.error.HTTPError as error:
            return processes.Answer(error.code, dict(error.headers.items()), error.read())


def server(project: Path, environment: Environment) -> AbstractContextManager[processes.Server]:
    command = ["node", "apps/api/src/server.ts"]
    return processes.serve(command, project, environment, f"http://localhost:{environment['PORT']}/readyz")


def sign_up(browser: Browser) -> str:
    """Sign up with an organization, and give the address of its projects."""
    account = {"name": "Ada", "email": f"{secrets.token_hex(4)}@example.com", "password": "correct horse battery"}
    assert browser("POST", "/api/auth/sign-up/email", account).status == 200
    slug = f"acme-{secrets.token_hex(4)}"
    assert browser("POST", "/api/auth/organization/create", {"name": "Acme", "slug": slug}).status == 200
    return f"/api/v1/organizations/{slug}/projects"


def use_the_resource(base: str) -> None:
    """Sign up, create an organization, create, read, change, list and delete; then see it kept from others."""
    ada, eve = Browser(base), Browser(base)
    assert ada("GET", "/api/v1/organizations/acme/projects").status == 401
    projects, others = sign_up(ada), sign_up(eve)
    made = ada("POST", projects, {"name": "Apollo"})
    assert made.status == 201
    path = f"{projects}/{made.json['id']}"
    assert made.headers["location"] == path
    assert ada("GET", path).json["name"] == "Apollo"
    assert ada("PATCH", path, {"status": "archived"}, If_Match='"1"').status == 200
    stale = ada("PATCH", path, {"status": "active"}, If_Match='"1"')
    assert stale.status == 412
    assert stale.headers["content-type"].startswith("application/problem+json")
    assert [entry["id"] for entry in ada("GET", projects).json["items"]] == [made.json["id"]]
    assert eve("GET", path).status == 404
    assert eve("GET", projects).status == 404
    assert eve("GET", others).json["items"] == []
    wrong = ada("POST", projects, {"name": 7})
    assert wrong.status == 400
    assert wrong.json["errors"][0]["path"]
    assert ada("DELETE", path).status == 204
    assert ada("GET", path).status == 404


@pytest.mark.repeated  # test_first_push.py: from a fresh clone, with empty caches
def test_it_is_born_green(project: Path, tools: Environment) -> None:
    installed, *checks = working_page.commands(project, working_page.PASS)
    assert installed == "npm ci"
    for command in checks:
        # A twelfth of its tests, by the run's seed: all of them are too long for everybody.
        shorter = f"npm test -- --shard={1 + seed() % 12}/12" if command == "npm test" else command
        processes.sh(shorter, project, tools)
    assert processes.sh("git status --porcelain", project, tools).stdout == ""


def test_what_goes_with_a_change_works_and_changes_nothing_yet(project: Path, tools: Environment) -> None:
    for command in working_page.commands(project, working_page.CHANGE):
        processes.sh(command, project, tools)
    assert processes.sh("git status --porcelain", project, tools).stdout == ""


@in_turn(1, 3)  # with those of the hybrid and python-django
def test_stackgen_verifies_it_and_finds_what_is_broken(project: Path, tools: Environment) -> None:
    """Installation and tests are left out here: the fixture and other tests have been through them."""
    verifying.assert_proven(project, tools, "install", "tests")
    broken = {
        "apps/api/src/careless.ts": "export const count: number =   'one';\ndebugger;\n",
        "apps/api/openapi.json": "{}\n",
        "apps/api/src/queue/drizzle/0000_queue.sql": "create nonsense;\n",
    }
    whole = {name: (project / name).read_bytes() for name in broken if (project / name).exists()}
    try:
        for name, text in broken.items():
            (project / name).write_text(text, encoding="utf-8")
        code, found, said = verifying.states(project, tools, "install", "tests")
    finally:
        for name in broken:
            (project / name).write_bytes(whole[name]) if name in whole else (project / name).unlink()
    assert code == 6
    assert {name for name, state in found.items() if state == "failed"} == {
        "format",
        "lint",
        "types",
        "openapi",
        "migrate",
    }, said
    assert {found[name] for name in ("boot", "ready", "request", "stop", "gone")} == {"not run"}
    assert processes.sh("git status --porcelain", project, tools).stdout == ""


@pytest.mark.full
def test_a_dependency_added_later_leaves_the_lock_without_hosts(
    render: Callable[..., Path], tools: Environment
) -> None:
    other = render("node-ts", name="later")
    clean = tools | {"npm_config_userconfig": os.devnull}  # a person's own settings do not help
    processes.sh("npm install --package-lock-only --workspace @app/api fastify-plugin", other, clean)
    added = processes.sh("git diff --unified=0 --no-color", other, clean).stdout
    changed = [line for line in added.splitlines() if re.match(r"[+-] ", line)]
    assert len(changed) == 2, changed  # in apps/api/package.json and in what the lock says of it
    assert all(re.match(r'\+ +"fastify-plugin": "\d+\.\d+\.\d+",$', line) for line in changed), changed


@pytest.fixture(scope="module")
def other(render: Callable[..., Path], project: Path) -> Callable[..., Path]:
    """Give a project of other answers. The packages are the same, so they are linked rather than downloaded again."""

    def make(name: str, **answers: str) -> Path:
        made = render("node-ts", name=name, **answers)
        for modules in ("node_modules", "apps/api/node_modules"):
            if (project / modules).exists():
                shutil.copytree(project / modules, made / modules, symlinks=True, copy_function=_link)
        return made

    return make


def follow(project: Path, environment: Environment, title: str) -> tuple[set[str], list[str]]:
    """Follow a part of the page about modules up to its tests; give the files that changed, and the commands left."""
    steps = list(blocks(project, title))
    for step in steps:
        if step.kind != "sh":
            step.write(project)
            continue
        for command in step.text.splitlines():
            if command.startswith("npm test"):
                continue
            processes.sh(command, project, environment)
    written = [step for step in steps if step.kind == "ts"]
    # Nobody who copies from the page has to format what it says.
    assert [step.file for step in written if (project / step.file).read_text(encoding="utf-8") != step.text] == []
    status = processes.sh("git status --porcelain --untracked-files=all", project, environment).stdout
    tests = [line for step in steps for line in step.text.splitlines() if step.kind == "sh" and "npm test" in line]
    return {line[3:] for line in status.splitlines()}, tests


@pytest.fixture(scope="module")
def grown(
    other: Callable[..., Path], tools: Environment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, set[str], str]:
    """A project to which a module was added as its page says, what was touched, and how the page has it tested."""
    made = other("grown", ci="gitlab", license="mit", deploy="kubernetes")
    data = str(tmp_path_factory.mktemp("grown") / "data")
    touched, [tests] = follow(made, {**tools, "DATA_DIR": data}, r"\d")
    return made, touched, tests


FUNCTION = re.compile(r"^(?:export )?(?:async )?(?:function (\w+)|const (\w+) = (?:async )?\()", re.MULTILINE)


def functions(*files: Path) -> set[str]:
    found = (FUNCTION.findall(file.read_text(encoding="utf-8")) for file in files)
    return {name for each in found for pair in each for name in pair if name}


@in_turn(1, 2)
def test_a_module_is_added_as_its_page_says(grown: tuple[Path, set[str], str], tools: Environment) -> None:
    project, touched, tests = grown
    own, written = "apps/api/src/modules/tasks/", ("apps/api/drizzle/", "apps/api/openapi.json")
    by_hand = {name for name in touched if not name.startswith((own, *written))}
    assert len(by_hand) <= 5, sorted(by_hand)
    assert {name for name in touched if name.startswith(own)}
    source = project / "apps/api/src"
    module = set((project / own).rglob("*.ts"))
    assert functions(*module) & functions(*set(source.rglob("*.ts")) - module) == set()  # no helper was copied
    processes.sh(tests, project, tools)


@pytest.mark.full
def test_the_code_of_the_pages_about_payments_and_live_events_is_right(
    grown: tuple[Path, set[str], str], tools: Environment
) -> None:
    project = grown[0]
    file = project / "apps/api/src/modules/tasks/pages.ts"
    file.write_text(node_pages.code(project), encoding="utf-8")
    try:
        processes.sh("npx tsc --project apps/api", project, tools)
    finally:
        file.unlink()


@in_turn(0, 2)
def test_a_module_is_removed_as_its_page_says(other: Callable[..., Path], tools: Environment) -> None:
    project = other("lean", ci="none", license="apache-2.0")
    touched, [tests] = follow(project, tools, "Removing")
    folder = project / "apps/api"
    assert not (folder / "src/modules/projects").exists()
    assert {name for name in touched if "projects" in name and (project / name).exists()} <= {
        *(f"apps/api/drizzle/{path.name}" for path in folder.glob("drizzle/*_without_projects.sql"))
    }
    left = [path.name for path in folder.glob("test/**/*.ts") if "projects" in path.read_text(encoding="utf-8")]
    assert left == []  # so whatever the tests below leave out has nothing to do with it
    some = "" if is_release() else " -- auth.test idempotency migrations openapi other-tenants tenancy"
    processes.sh(tests + some, project, tools)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def test_it_serves_accounts_organizations_and_projects(project: Path, environment: dict[str, str]) -> None:
    with server(project, environment) as running:
        use_the_resource(running.url)
        document = processes.http("GET", f"{running.url}/openapi.json").json
        assert document["openapi"].startswith("3.1")
        assert document == json.loads((project / "apps/api/openapi.json").read_text(encoding="utf-8"))
        assert processes.http("GET", f"{running.url}/livez").status == 200
        assert running.stop() == 0
    assert "correct horse battery" not in running.output()


def test_its_data_survives_a_restart(project: Path, environment: dict[str, str]) -> None:
    with server(project, environment) as running:
        browser = Browser(running.url)
        projects = sign_up(browser)
        assert browser("POST", projects, {"name": "Apollo"}).status == 201
        assert running.stop() == 0
    with server(project, environment):
        assert len(browser("GET", projects).json["items"]) == 1


@pytest.mark.full
def test_sigterm_lets_a_running_request_finish(project: Path, environment: dict[str, str]) -> None:
    body = json.dumps({"name": "Ada", "email": "ada@example.com", "password": "correct horse battery"}).encode()
    head = (
        f"POST /api/auth/sign-up/email HTTP/1.1\r\nHost: localhost:{environment['PORT']}\r\n"
        f"Origin: http://localhost:{environment['PORT']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with server(project, environment) as running:
        with socket.create_connection(("127.0.0.1", int(environment["PORT"])), timeout=300) as connection:
            connection.sendall(head.encode() + body[:10])
            # The request is under way once another one, sent later, has been answered.
            assert processes.http("GET", f"{running.url}/livez").status == 200
            running.process.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                running.process.wait(0.5)
            connection.sendall(body[10:])
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert running.stop() == 0


def test_wrong_settings_are_listed_all_at_once(project: Path, tools: Environment) -> None:
    wrong = {**tools, "NODE_ENV": "production", "PORT": "many", "LOG_LEVEL": "loud"}
    done = processes.sh(["node", "apps/api/src/server.ts"], project, wrong, check=False)
    assert done.returncode != 0
    for name in ("PORT", "LOG_LEVEL", "AUTH_SECRET", "DATABASE_URL"):
        assert name in done.stdout
    assert "    at " not in done.stdout


def test_the_readme_can_be_followed_line_by_line(project: Path, environment: dict[str, str], tmp_path: Path) -> None:
    readme = (project / "README.md").read_text(encoding="utf-8")
    run_it, try_it = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)[:2]
    assert run_it.split("\n") == ["npm ci", "npm run check", "npm test", "npm run dev", ""]
    command = ["npm", "run", "dev"]
    ready = f"http://localhost:{environment['PORT']}/readyz"
    with processes.serve(command, project, environment, ready) as running:
        script = "shopt -s expand_aliases\nset -e\n" + try_it.replace(
            "localhost:3000", f"localhost:{environment['PORT']}"
        )
        done = processes.sh(["bash", "-c", script], tmp_path, environment)
        assert '"name":"Apollo"' in done.stdout
        assert '"status":"archived"' in done.stdout
        assert '"status":412' in done.stdout
        running.await_output(r"eve@example\.com")  # by a job
        running.stop(group=True)


@pytest.mark.full
def test_payments_live_events_and_files_work_as_their_pages_say(
    project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["FILES_DIR"] = str(tmp_path / "files")
    with node_pages.paying(project, environment) as stripe, server(project, {**environment, **stripe}) as running:
        account, events, payment, files = node_pages.typed(project, environment, tmp_path)
        assert running.stop() == 0
    assert '"slug":"acme"' in account
    assert [json.loads(line[6:])["type"] for line in events.splitlines() if line.startswith("data: ")] == [
        "reset",
        "project.created",
    ]
    # The same, as the page's own code has it: its functions are called with these.
    assert re.findall(r"^(reload|update) ?(?:\{.*\"type\":\"([\w.]+)\".*)?$", events, re.MULTILINE) == [
        ("reload", ""),
        ("update", "project.created"),
    ]
    assert re.findall(r'{"plan":"(\w+)"', payment) == ["free", "pro"]
    assert re.findall(r"https://(\w+)\.stripe\.test", payment) == ["checkout", "billing"]
    assert (tmp_path / "report.pdf").read_bytes() == b"%PDF-1.7 " + b"x" * 200
    assert "%PDF-1.7 " + "x" * 91 in files
    assert files.rstrip().endswith('"items":[],"nextCursor":null}')


@pytest.mark.full
def test_the_suite_passes_on_postgresql_with_a_module_that_was_added(
    grown: tuple[Path, set[str], str], tools: Environment, postgres_url: str
) -> None:
    # The rest runs there in the first push.
    on_postgresql = {**tools, "TEST_DATABASE_URL": postgres_url}
    ran = processes.sh("npm test" if is_release() else "npm test -- tasks", grown[0], on_postgresql)
    assert "skipped" not in ran.stdout
    assert "tasks.test.ts" in ran.stdout


@pytest.mark.full
def test_production_runs_on_postgresql_with_what_the_image_installs(
    project: Path, environment: dict[str, str], postgres_url: str, tmp_path: Path
) -> None:
    production = {
        **environment,
        **SECRETS,
        "NODE_ENV": "production",
        "DATABASE_URL": postgres_url,
        "PUBLIC_URL": f"http://localhost:{environment['PORT']}",
    }
    image = tmp_path / "image"
    shutil.copytree(project, image, ignore=shutil.ignore_patterns("node_modules", ".git"))
    dockerfile = (project / "Dockerfile").read_text(encoding="utf-8")
    (install,) = (line for line in dockerfile.splitlines() if line.lstrip().startswith("npm ci"))
    processes.sh(install, image, production)
    assert not (image / "node_modules/@electric-sql").exists()  # a third of all packages, for development alone
    command = ["node", "apps/api/src/server.ts"]
    live = f"http://localhost:{environment['PORT']}/livez"
    with processes.serve(command, image, production, live) as running:
        pending = processes.http("GET", f"{running.url}/readyz")
        assert pending.status == 503
        processes.sh("npm run migrate", image, production)
        assert processes.http("GET", f"{running.url}/readyz").status == 200
        use_the_resource(running.url)
        assert running.stop() == 0


@pytest.mark.full
def test_a_backup_is_restored_as_its_page_says(project: Path, environment: dict[str, str], tmp_path: Path) -> None:
    with backups.own_server() as server:
        (roles,) = backups.blocks(project / "docs/deploy.md", "sql", "Database roles")
        backups.psql(server, roles)

        def settings(database: str) -> dict[str, str]:
            addresses = [backups.address(server, role, database) for role in ("my_shop_api", backups.OWNER)]
            return {**environment, "DATABASE_URL": addresses[0], "MIGRATION_DATABASE_URL": addresses[1]}

        def migrate(database: str) -> None:
            processes.sh("npm run migrate", project, settings(database))

        migrate("my_shop")
        with processes.serve(
            ["node", "apps/api/src/server.ts"],
            project,
            settings("my_shop"),
            f"http://localhost:{environment['PORT']}/readyz",
        ) as running:
            browser = Browser(running.url)
            projects = sign_up(browser)
            assert browser("POST", projects, {"name": "Apollo"}).status == 201
            assert running.stop() == 0
        backups.proven(project, server, environment, tmp_path, migrate)
