"""The API that node-ts projects describe: well-formed for every reader, and kept to by the server on both databases."""

import http.cookiejar
import json
import secrets
import shutil
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import processes
import pytest
from releases import sample

pytestmark = pytest.mark.full

Environment = Mapping[str, str]
Document = dict[str, Any]

SCHEMATHESIS = "schemathesis==4.32.5"
SPECTRAL = "@stoplight/spectral-cli@6.16.3"
SLUG = "acme"
AUTH = "/api/auth/"
# Ends the session that all other requests need.
UNWANTED = ("signOut",)

# No schema tells which passwords, ids and slugs there are, so what the contract lets through may be refused: by its
# code for what is not so. `invalid_request` says that the form is wrong, which it cannot be.
# A stream's schema is that of what each of its events has as data, which OpenAPI 3.1 cannot say.
CHECKS = """
import json
from pathlib import Path

import jsonschema_rs
import schemathesis

DOCUMENT = json.loads(Path("openapi.json").read_text(encoding="utf-8"))


@schemathesis.check
def what_a_stream_tells_is_what_was_promised(ctx, response, case):
    (kind,) = response.headers.get("content-type", [""])
    if response.status_code != 200 or not kind.startswith("text/event-stream"):
        return
    answers = DOCUMENT["paths"][case.operation.path]["get"]["responses"]["200"]["content"]
    promised = jsonschema_rs.validator_for(answers[kind]["schema"] | {"components": DOCUMENT["components"]})
    for line in response.text.splitlines():
        if line.startswith("data: "):
            promised.validate(json.loads(line.removeprefix("data: ")))
            Path("heard").touch()


@schemathesis.check
def what_the_contract_lets_through_has_the_right_form(ctx, response, case):
    if case.meta and case.meta.generation.mode.is_positive and response.status_code == 400:
        assert response.json()["code"] != "invalid_request", response.json()
"""


@pytest.fixture(scope="module")
def project(render: Callable[..., Path], tools: Environment) -> Path:
    """A fresh project with its packages installed."""
    made = render("node-ts")
    processes.sh("npm ci --no-audit --no-fund", made, tools)
    return made


@pytest.fixture(scope="module")
def document(project: Path) -> Document:
    found: Document = json.loads((project / "apps/api/openapi.json").read_text(encoding="utf-8"))
    return found


DATABASES = ["embedded", "postgres"]


# A run of everything does one of them, by its seed.
@pytest.fixture(
    params=[
        each if each in sample(DATABASES, 1) else pytest.param(each, marks=pytest.mark.release) for each in DATABASES
    ]
)
def environment(
    request: pytest.FixtureRequest, tools: Environment, free_port: Callable[[], int], tmp_path: Path
) -> dict[str, str]:
    """The environment of a server on each database, which random requests do not exhaust."""
    database = (
        {"DATA_DIR": str(tmp_path / "data")}
        if request.param == "embedded"
        else {"DATABASE_URL": request.getfixturevalue("postgres_url"), "MIGRATE_ON_START": "true"}
    )
    return {
        **tools,
        **database,
        "FILES_DIR": str(tmp_path / "files"),
        "LIVE_PRESENCE": "true",
        "PORT": str(free_port()),
        "RATE_LIMIT_MAX": "1000000",
        "AUTH_RATE_LIMIT_MAX": "1000000",
        "ACCOUNT_RATE_LIMIT_MAX": "1000000",
        "ACCOUNT_MAIL_LIMIT_MAX": "1000000",
        # The machine may be busy with other things than the server.
        "OVERLOAD_EVENT_LOOP_DELAY_MS": "0",
    }


def sign_up(base: str, slug: str = SLUG) -> str:
    """Make an account with an organization, and give the cookie of its session."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def post(path: str, body: Mapping[str, str]) -> None:
        headers = {"origin": base, "content-type": "application/json"}
        opener.open(urllib.request.Request(base + path, json.dumps(body).encode(), headers), timeout=60).close()

    email = f"{secrets.token_hex(4)}@example.com"
    post("/api/auth/sign-up/email", {"name": "Ada", "email": email, "password": "correct horse battery"})
    post("/api/auth/organization/create", {"name": "Acme", "slug": slug})
    return next(cookie.value or "" for cookie in jar if cookie.name.endswith("session_token"))


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    """Give the API's operations, each with its name as schemathesis has it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


# Nobody can pay here, and the answer names the settings that are missing; the project's own tests have a Stripe.
OFF = [
    'checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]',
    'checks.positive_data_acceptance.expected-statuses = ["503"]',
    "checks.missing_required_header.enabled = false",
]
# By the end of their names, operations of which no schema can tell what is right.
EXCEPTIONS = {
    "/billing/checkout": OFF,
    "/billing/portal": OFF,
    "/webhooks/stripe": OFF,
    # It does not end by itself. Who comes back with the number of the last event is told nothing.
    "/events": ["max-stream-events = 1", "request-timeout = 1", "checks.response_schema_conformance.enabled = false"],
    "/events/socket": ['checks.positive_data_acceptance.expected-statuses = ["2xx", "4xx"]'],
}


def settings(document: Document, base: str, session: str) -> str:
    """Give the settings of schemathesis: who asks, for which organization, and which refusals are right."""
    lines = [
        'hooks = "checks.py"',
        f'headers = {{ origin = "{base}" }}',
        # Else hardly any change would name the version that there is.
        f'parameters = {{ "path.organization" = "{SLUG}", "header.if-match" = "*" }}',
        "[auth.openapi.session]",
        f'api_key = "{session}"',
    ]
    for name, operation in operations(document):
        if AUTH in name:
            lines += [
                "[[operations]]",
                f'include-name = "{name}"',
                'checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422"]',
            ]
        for end, lines_of_it in EXCEPTIONS.items():
            if name.endswith(end):
                lines += ["[[operations]]", f'include-name = "{name}"', *lines_of_it]
        parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
        if len(operation.get("requestBody", {}).get("content", ())) > 1:
            lines += [
                "[[operations]]",
                f'include-name = "{name}"',
                # Bytes are held to the type that they are declared as, which no schema can tell.
                'checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "411", "415", "422"]',
            ]
        elif "requestBody" in operation and "/webhook-endpoints" in name and not name.endswith("/rotate"):
            lines += [
                "[[operations]]",
                f'include-name = "{name}"',
                # A URL must lead to the public internet, on a port for it, which no schema can tell.
                'checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]',
            ]
        elif "idempotency-key" in parameters:
            lines += [
                "[[operations]]",
                f'include-name = "{name}"',
                # A key that came with another request is refused, which no schema can tell.
                'checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]',
            ]
        if "cursor" in parameters:
            lines += [
                "[[operations]]",
                f'include-name = "{name}"',
                # A cursor is a text of the server's own: another text is refused, which no schema can tell.
                'checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]',
            ]
    return "\n".join(lines) + "\n"


def fuzz(project: Path, configuration: str, which: str, folder: Path, environment: Environment) -> None:
    """Send random requests to the operations that `which` chooses."""
    folder.mkdir()
    (folder / "checks.py").write_text(CHECKS, encoding="utf-8")
    shutil.copy(project / "apps/api/openapi.json", folder)
    (folder / "schemathesis.toml").write_text(configuration, encoding="utf-8")
    processes.sh(
        f"uv run --no-project --quiet --with {SCHEMATHESIS} schemathesis --config-file schemathesis.toml"
        f" run {project}/apps/api/openapi.json --url http://localhost:{environment['PORT']} --generation-deterministic"
        f" {which} --phases examples,coverage,fuzzing,stateful > fuzz.log 2>&1 || (cut -c1-300 fuzz.log; exit 1)",
        folder,
        environment,
        timeout=900,
    )


def test_random_requests_find_no_server_error_and_no_broken_promise(
    project: Path, document: Document, environment: dict[str, str], tmp_path: Path
) -> None:
    base = f"http://localhost:{environment['PORT']}"
    command = ["node", "apps/api/src/server.ts"]
    with processes.serve(command, project, environment, f"{base}/readyz") as running:
        unwanted = " ".join(f"--exclude-operation-id {name}" for name in UNWANTED)
        for slug, which in (
            (SLUG, f"--max-examples 15 --exclude-path-regex ^{AUTH}"),
            ("other", f"--max-examples 5 --include-path-regex ^{AUTH} {unwanted}"),
        ):
            configuration = settings(document, base, sign_up(base, slug))
            fuzz(project, configuration, which, tmp_path / slug, environment)
        assert (tmp_path / SLUG / "heard").exists()
        # Random requests reached behind the door: each operation was carried out at least once.
        done = {
            (line["req"]["method"], line["res"]["statusCode"])
            for line in log_lines(running)
            if line["msg"] == "request completed"
        }
        assert done >= {("GET", 200), ("POST", 201), ("PATCH", 200), ("DELETE", 204)}
        assert not [line for line in log_lines(running) if line["level"] >= 50]
        assert running.stop() == 0


def log_lines(server: processes.Server) -> Iterator[Document]:
    """Give the lines of the server's log."""
    for line in server.output().splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def test_spectral_finds_no_error_in_the_description(project: Path, tools: Environment, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"private": true}', encoding="utf-8")
    (tmp_path / "ruleset.yaml").write_text("extends: spectral:oas\n", encoding="utf-8")
    processes.sh(f"npm install --no-audit --no-fund --ignore-scripts {SPECTRAL}", tmp_path, tools)
    processes.sh(
        f"npx spectral lint --ruleset ruleset.yaml --fail-severity error {project}/apps/api/openapi.json",
        tmp_path,
        tools,
    )


def test_the_description_says_what_every_operation_is_called(document: Document) -> None:
    for name, operation in operations(document):
        assert operation["operationId"], name
        assert operation["summary"], name
        assert {tag["name"] for tag in document["tags"]} >= set(operation["tags"]), name
