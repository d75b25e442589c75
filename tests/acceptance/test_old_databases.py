"""What a project of an old release has written, today's reads: a filled database, migrated where it stands."""

import http.cookiejar
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import processes
import pytest
import releases
from museum import ROOT

import hatch_build
from stackgen import render
from stackgen.plan import Plan

# Each of them installs two projects.
pytestmark = [pytest.mark.release]
PASSWORD = "correct horse battery"
FILES = {
    "fruit.csv": b"name,price\nApple,1.5\nPear,2\nApple,4.5\n",
    "broken.csv": b"\x00\x01",
    "later.csv": b"city,people\nOslo,7\n",
}
FILL = f"""
from allauth.account.models import EmailAddress
from backend.accounts.models import ApiKey, User
from backend.teams.models import Membership, Team
owner = User.objects.create_superuser("ada@example.com", "{PASSWORD}")
member = User.objects.create_user("bob@example.com", "{PASSWORD}")
for user in (owner, member):
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
team = Team.start("Owners", owner)
Membership.objects.create(team=team, user=member, role="editor")
print(team.pk, ApiKey.issue(owner, "old")[1], ApiKey.issue(member, "mine")[1])
"""


@pytest.fixture(params=["embedded", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """A database that both releases use: an address, or nothing for the file that each engine of its own takes."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a project of the oldest release that has a stack."""
    hatch_build.pack(ROOT, packed := tmp_path_factory.mktemp("packed"))

    def make(stack: str) -> Path:
        version = next(version for version in releases.released() if stack in releases.stacks_of(version))
        project = tmp_path_factory.mktemp("old") / "my-shop"
        bundle = str(packed / "templates.bundle")
        render.generate(Plan(bundle, f"v{version}", project, {"stack": stack, "name": "my-shop"}))
        return project

    return make


def _send(url: str, files: Mapping[str, bytes], team: str, key: str) -> None:
    for name, content in files.items():
        head = f'--x\r\nContent-Disposition: form-data; name="team_id"\r\n\r\n{team}\r\n--x\r\n'
        head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        form = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
        answer = processes.http("POST", f"{url}/api/datasets", head.encode() + content + b"\r\n--x--\r\n", form)
        assert answer.status == 202, answer.body


def test_a_django_project_reads_what_an_old_release_has_kept(
    old: Callable[[str], Path],
    render: Callable[..., Path],
    tools: Mapping[str, str],
    tmp_path: Path,
    database: str,
) -> None:
    before, today = old("python-django"), render("python-django")
    port = processes.free_port()
    environment = {**tools, "UV_PYTHON_DOWNLOADS": "never", "DEBUG": "true", "DATA_DIR": str(tmp_path)}
    environment |= {"DATABASE_URL": database} if database else {}
    url = f"http://127.0.0.1:{port}"

    def manage(project: Path, *command: str) -> str:
        return processes.sh([".venv/bin/python", "manage.py", *command], project, environment).stdout

    @contextmanager
    def served(project: Path) -> Iterator[None]:
        command = [".venv/bin/python", "manage.py", "runserver", "--noreload", str(port)]
        with processes.serve(command, project, environment, f"{url}/readyz") as server:
            yield
            server.stop(group=True)

    processes.sh("uv add --quiet --constraints constraints.txt django==5.2.19", before, environment)
    manage(before, "migrate", "-v0")
    team, key, mine = manage(before, "shell", "-v0", "-c", FILL).split()[-3:]
    with served(before):
        _send(url, {name: FILES[name] for name in ("fruit.csv", "broken.csv")}, team, key)
        manage(before, "worker", "--once")
        _send(url, {"later.csv": FILES["later.csv"]}, team, mine)  # which nobody has read yet

    processes.sh("uv venv --quiet --python '>=3.11'", today, environment)
    processes.sh("uv pip sync --quiet --python .venv --require-hashes requirements-dev.txt", today, environment)
    processes.sh("uv pip install --quiet --python .venv --no-deps --editable .", today, environment)
    manage(today, "migrate", "-v0")
    manage(today, "worker", "--once")
    with served(today):
        bearer = {"Authorization": f"Bearer {mine}"}
        found = processes.http("GET", f"{url}/api/datasets", headers=bearer).json["items"]
        assert {each["file_name"]: each["status"] for each in found} == {
            "fruit.csv": "ready",
            "broken.csv": "failed",
            "later.csv": "ready",
        }
        for each in found:
            path = f"{url}/api/datasets/{each['id']}"
            assert processes.http("GET", f"{path}/file", headers=bearer).body == FILES[each["file_name"]]
            if each["file_name"] == "fruit.csv":
                name, price = processes.http("GET", f"{path}/profile", headers=bearer).json["columns"]
                assert name["top"][0] == {"value": "Apple", "count": 2, "share": 2 / 3}
                assert (price["kind"], price["minimum"], price["maximum"]) == ("number", "1.5", "4.5")
                assert processes.http("GET", f"{path}/plots/1.svg", headers=bearer).body.startswith(b"<svg")
        signed_in = processes.http(
            "POST", f"{url}/_allauth/app/v1/auth/login", {"email": "bob@example.com", "password": PASSWORD}
        )
        assert signed_in.status == 200, signed_in.body


class Visitor:
    """Keeps cookies and says where it comes from, as a browser does."""

    def __init__(self, url: str) -> None:
        self.url = url
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def ask(self, path: str, body: object = None) -> Any:
        """Send one request that must succeed, POST where there is something to send, and give its JSON.

        A server that is busy, as after it has migrated on a busy machine, asks to be asked again.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Origin": self.url}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        for _ in range(60):
            try:
                with self.opener.open(request, timeout=300) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise AssertionError(error.read()) from error
                time.sleep(float(error.headers["Retry-After"]))
        pytest.fail(f"{path} is answered with 503 all the time")


def test_a_node_project_reads_what_an_old_release_has_kept(
    old: Callable[[str], Path],
    render: Callable[..., Path],
    tools: Mapping[str, str],
    tmp_path: Path,
    database: str,
) -> None:
    before, today = old("node-ts"), render("node-ts")
    url = f"http://localhost:{processes.free_port()}"
    environment = {**tools, "PORT": url.rsplit(":", 1)[1], "PUBLIC_URL": url, "DATA_DIR": str(tmp_path / "data")}
    environment |= {"DATABASE_URL": database} if database else {}
    start = ["npm", "start"]
    processes.sh("npm install --no-audit --no-fund", before, environment)
    people = {name: Visitor(url) for name in ("ada", "bob")}
    with processes.serve(start, before, environment, f"{url}/readyz") as server:
        for name, visitor in people.items():
            account = {"name": name, "email": f"{name}@example.com", "password": PASSWORD}
            visitor.ask("/api/auth/sign-up/email", account)
            visitor.ask("/api/auth/organization/create", {"name": name, "slug": f"of-{name}"})
            visitor.ask("/api/v1/projects", {"name": f"of {name}"})
        server.stop(group=True)

    processes.sh("npm ci --no-audit --no-fund", today, environment)
    with processes.serve(start, today, environment, f"{url}/readyz") as server:
        # Ada's session goes on, Bob signs in again; each finds what is theirs, and a new project beside it.
        people["bob"] = Visitor(url)
        people["bob"].ask("/api/auth/sign-in/email", {"email": "bob@example.com", "password": PASSWORD})
        for name, visitor in people.items():
            path = f"/api/v1/organizations/of-{name}/projects"
            visitor.ask(path, {"name": "a new one"})
            assert [each["name"] for each in visitor.ask(path)["items"]] == ["a new one", f"of {name}"]
        server.stop(group=True)


def test_a_go_project_reads_what_an_old_release_has_kept(
    old: Callable[[str], Path],
    render: Callable[..., Path],
    tools: Mapping[str, str],
    tmp_path: Path,
    database: str,
) -> None:
    before, today = old("go"), render("go")
    port, admin = processes.free_port(), processes.free_port()
    url = f"http://127.0.0.1:{port}/v1"
    environment = {
        **tools,
        "PORT": str(port),
        "ADMIN_PORT": str(admin),
        "DATABASE_URL": database or f"sqlite:{tmp_path / 'app.db'}",
        "ALLOWED_PRIVATE_CIDRS": "127.0.0.0/8",
        "WEBHOOK_SECRET": "k" * 40,
    }

    @contextmanager
    def served(project: Path) -> Iterator[processes.Server]:
        processes.sh("make build", project, environment)
        if database:
            processes.sh(["bin/my-shop", "migrate", "up"], project, environment)
        with processes.serve(["bin/my-shop", "serve"], project, environment, f"http://127.0.0.1:{admin}/readyz") as it:
            yield it
            it.stop(group=True)

    with served(before):
        target = {"name": "self", "url": f"http://127.0.0.1:{port}/livez", "interval_seconds": 3600}
        made = processes.http("POST", f"{url}/targets", target | {"webhook_url": f"http://127.0.0.1:{port}/hook"})
        assert made.status == 201, made.body
        path = f"{url}/targets/{made.json['id']}"
        assert processes.http("POST", f"{path}/check").status == 200
        kept, results = processes.http("GET", path).json, processes.http("GET", f"{path}/results").json["items"]
        assert results

    with served(today):
        found = processes.http("GET", path).json
        # What a check says of it may have come meanwhile; what its owner has set stays.
        assert {name: found[name] for name in target} == target
        assert (found["version"], found["created_at"]) == (kept["version"], kept["created_at"])
        now = {each["id"]: each for each in processes.http("GET", f"{path}/results?limit=100").json["items"]}
        for result in results:
            assert now[result["id"]]["healthy"] == result["healthy"]
            assert now[result["id"]]["checked_at"] == result["checked_at"]
        assert processes.http("POST", f"{path}/check").status == 200
