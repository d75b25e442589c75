"""The go template: what it generates builds, passes its own checks, serves and stops."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Answer

Sh = Callable[..., subprocess.CompletedProcess[str]]

NAME = "uptime"
SERVICE = {
    "kind": "service",
    "deploy": "kubernetes",
    "ci": "gitlab",
    "license": "mit",
    "module_path": "git.example.com/Acme_1/uptime",
}
BOTH = {"kind": "both", "deploy": "docker", "ci": "github", "license": "apache-2.0"}
CLI = {"kind": "cli", "deploy": "kubernetes", "ci": "none", "license": "proprietary"}


@pytest.fixture(scope="module")
def go(tools: dict[str, str]) -> dict[str, str]:
    """Go as a new owner has it, without a way to fetch another toolchain."""
    return tools | {"CGO_ENABLED": "0"}


Answers = dict[str, str]


@pytest.fixture(scope="module")
def generate(render: Callable[..., Path], sh: Sh, go: dict[str, str]) -> Callable[[Answers], Path]:
    """A project of each kind, generated once, with its modules downloaded."""
    made: dict[str, Path] = {}

    def make(answers: Answers) -> Path:
        if answers["kind"] not in made:
            made[answers["kind"]] = render("go", NAME, **answers)
            sh("go mod download", made[answers["kind"]], go)
        return made[answers["kind"]]

    return make


@pytest.fixture(params=[SERVICE, BOTH, CLI], ids=lambda answers: answers["kind"])
def project(request: pytest.FixtureRequest, generate: Callable[[Answers], Path]) -> Path:
    return generate(request.param)


@pytest.fixture(params=[SERVICE, BOTH], ids=lambda answers: answers["kind"])
def service(request: pytest.FixtureRequest, generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]) -> Path:
    made = generate(request.param)
    sh("make build", made, go)
    return made


@pytest.fixture(params=[BOTH, CLI], ids=lambda answers: answers["kind"])
def tool(request: pytest.FixtureRequest, generate: Callable[[Answers], Path]) -> Path:
    return generate(request.param)


def test_it_builds_and_passes_its_own_checks_without_a_network(project: Path, sh: Sh, go: dict[str, str]) -> None:
    offline = go | {"GOPROXY": "off", "GOFLAGS": "-mod=readonly"}
    assert sh("gofmt -l .", project, go).stdout == ""
    sh("make build", project, offline)
    sh("go vet ./...", project, offline)
    sh("go mod tidy -diff", project, go)
    sh("go mod verify", project, offline)
    sh("go test ./...", project, offline, timeout=420)
    assert sh("git status --porcelain", project, go).stdout == ""


def test_it_serves_and_stops_cleanly(
    service: Path, sh: Sh, serve: Callable, http: Callable[..., Answer], free_port: Callable[[], int]
) -> None:
    port, admin = free_port(), free_port()
    environment = {"PORT": str(port), "ADMIN_PORT": str(admin), "DATABASE_URL": "sqlite:data/acceptance.db"}
    with serve([f"bin/{NAME}", "serve"], service, environment, f"http://127.0.0.1:{port}/readyz") as server:
        made = http(
            "POST", f"{server.url}/v1/targets", {"name": "shop", "url": "https://example.com", "enabled": False}
        )
        assert made.status == 201
        assert http("GET", server.url + made.headers["location"]).json["name"] == "shop"
        assert http("GET", f"{server.url}/openapi.json").json["openapi"].startswith("3.1")
        for method, path, status in (("GET", "/nothing", 404), ("PATCH", "/v1/targets", 405), ("GET", "/metrics", 404)):
            refused = http(method, server.url + path)
            assert (refused.status, refused.headers["content-type"]) == (status, "application/problem+json")
        assert b"http_request_duration_seconds_bucket" in http("GET", f"http://127.0.0.1:{admin}/metrics").body
        assert sh([f"bin/{NAME}", "healthcheck"], service, environment).returncode == 0
        assert server.stop() == 0


def test_every_wrong_setting_is_named_in_one_message(service: Path, sh: Sh) -> None:
    wrong = {"PORT": "x", "LOG_LEVEL": "loud", "DATABASE_URL": "oracle://db"}
    refused = sh([f"bin/{NAME}", "serve"], service, wrong, timeout=20, check=False)
    assert refused.returncode == 1
    assert all(variable in refused.stdout for variable in wrong)
    assert "goroutine" not in refused.stdout


def test_the_tool_manages_targets_and_its_exit_status_tells_their_health(
    tool: Path, sh: Sh, go: dict[str, str]
) -> None:
    sh("make build", tool, go)
    environment = {"DATABASE_URL": "sqlite:data/tool.db"}
    run = lambda *args, check=True: sh([f"bin/{NAME}", *args], tool, environment, timeout=30, check=check)  # noqa: E731
    run("targets", "add", "nowhere", "http://127.0.0.1:9/")
    assert "nowhere" in run("targets", "list").stdout
    refused = run("check", check=False)
    assert refused.returncode == 1
    assert "not a public address" in refused.stdout
    run("man", "man")
    assert (tool / "man" / f"{NAME}-targets-add.1").is_file()
    assert "nowhere" in run("__complete", "check", "").stdout


def test_each_kind_has_only_its_own_files(generate: Callable[[Answers], Path]) -> None:
    files = {a["kind"]: {str(p.relative_to(generate(a))) for p in generate(a).rglob("*")} for a in (SERVICE, BOTH, CLI)}
    served = {
        "Dockerfile",
        "compose.yaml",
        "api/openapi.json",
        "internal/httpx",
        "internal/monitor/api.go",
        "docs/deploy.md",
    }
    managed = {"internal/cli", "internal/app/manage.go"}
    assert served <= files["service"]
    assert not managed & files["service"]
    assert served | managed <= files["both"]
    assert managed <= files["cli"]
    assert not served & files["cli"]
    assert "deploy/kustomize/base/deployment.yaml" in files["service"]
    assert not any(f.startswith("deploy") for f in files["cli"] | files["both"])


def test_both_engines_pass_the_same_suite(
    generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str], postgres_url: str
) -> None:
    ran = sh(
        "go test -count=1 -v ./internal/store ./internal/app", generate(BOTH), go | {"TEST_DATABASE_URL": postgres_url}
    )
    for test in ("TestPostgres/", "TestEnginesHaveTheSameSchema", "TestMigrateRunsOnce"):
        assert f"--- PASS: {test}" in ran.stdout
    assert "--- SKIP" not in ran.stdout


@pytest.mark.parametrize(
    "path",
    [
        *("uptime", "log", "github.com", "https://github.com/a/b", "github.com/a/b/v2", "github.com/con/b"),
        *("github.com/a b", "github.com/a/../b", "github.com/ä/b", "-x.com/a", "github.com/a/", "g.com/internal/b"),
        "github.com/a\nreplace x => y",
    ],
)
def test_a_module_path_that_go_would_refuse_is_refused(path: str, render: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="module_path"):
        render("go", NAME, module_path=path)


@pytest.mark.parametrize(
    ("owner", "path"),
    [
        ("Acme Inc.", "github.com/acme-inc/uptime"),
        ("株式会社", "github.com/example/uptime"),
        ("-- x --", "github.com/x/uptime"),
    ],
)
def test_the_module_path_follows_from_the_owner(owner: str, path: str, render: Callable[..., Path]) -> None:
    made = render("go", NAME, owner=owner)
    assert (made / "go.mod").read_text(encoding="utf-8").startswith(f"module {path}\n")
