"""The go template: what it generates builds, passes its own checks, serves and stops."""

import fcntl
import json
import queue
import re
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import backups
import copier
import following
import monitoring
import pytest
import verifying
import working_page
from museum import repository_of_today
from processes import Answer, closed_to_others, free_port
from sizes import in_turn, is_everybodys, is_release, seed

import hatch_build
import stackgen.render
from stackgen import update
from stackgen.errors import UsageError
from stackgen.plan import Plan

ROOT = Path(__file__).parents[2]
Sh = Callable[..., subprocess.CompletedProcess[str]]

NAME = "uptime"
SERVICE = {"kind": "service"}  # by default, as are all other answers
BOTH = {
    "kind": "both",
    "rpc": "connect",
    "deploy": "kubernetes",
    "ci": "gitlab",
    "license": "apache-2.0",
    "module_path": "git.example.com/Acme_1/uptime",
}
CLI = {"kind": "cli", "deploy": "kubernetes", "ci": "none", "license": "proprietary"}
JOBS = {"kind": "both", "jobs": True, "deploy": "kubernetes", "ci": "none", "license": "mit"}
BARE = {"kind": "service", "example": False}
BARE_ALL = {**BARE, "jobs": True, "rpc": "connect"}


@pytest.fixture(scope="module")
def go(tools: dict[str, str]) -> dict[str, str]:
    """Go as a new owner has it, without a way to fetch another toolchain."""
    return tools | {"CGO_ENABLED": "0"}


Answers = dict[str, object]


@pytest.fixture(scope="module")
def released_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository in which release 0.2.0 has its tag."""
    clone = tmp_path_factory.mktemp("released") / "template"
    git = hatch_build.Git(ROOT)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    release = hatch_build.find_releases(git)["0.2.0"]
    subprocess.run(["git", "-C", str(clone), "tag", "-f", "v0.2.0", release], check=True)
    return clone


def by_everybody(default: Answers, *others: Answers) -> list[object]:
    """Give the default answers for every run, others for runs of everything, and what those hold before a release."""
    size = dict.fromkeys([label(BOTH), label(BARE)], pytest.mark.release)
    return [default, *(pytest.param(each, marks=size.get(label(each), pytest.mark.full)) for each in others)]


def label(answers: Answers) -> str:
    return f"{answers['kind']}{'-jobs' if answers.get('jobs') else ''}{'' if answers.get('example', True) else '-bare'}"


@pytest.fixture(scope="module")
def generate(render: Callable[..., Path], sh: Sh, go: dict[str, str]) -> Callable[[Answers], Path]:
    """A project of each set of answers, generated once, with its modules downloaded."""
    made: dict[str, Path] = {}

    def make(answers: Answers) -> Path:
        if label(answers) not in made:
            made[label(answers)] = render("go", NAME, **answers)
            sh("go mod download", made[label(answers)], go)
        return made[label(answers)]

    return make


OTHERS = [pytest.param(each, marks=in_turn(place, 3)) for place, each in enumerate((CLI, JOBS, BARE_ALL))]
PROJECTS = [*by_everybody(SERVICE, BOTH, BARE), *OTHERS]


@pytest.fixture(params=PROJECTS, ids=label)
def project(request: pytest.FixtureRequest, generate: Callable[[Answers], Path]) -> Path:
    return generate(request.param)


@pytest.fixture(params=by_everybody(SERVICE, BOTH, JOBS), ids=label)
def service(request: pytest.FixtureRequest, generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]) -> Path:
    made = generate(request.param)
    sh("make build", made, go)
    assert closed_to_others(made / "bin") == []
    return made


@pytest.fixture(params=[BOTH, CLI], ids=label)
def tool(request: pytest.FixtureRequest, generate: Callable[[Answers], Path]) -> Path:
    return generate(request.param)


def shorter(command: str) -> str:
    """Give a part of a command that takes minutes: the tests of half of the packages, by the seed."""
    if command == "make check":  # without vet, which reads every package of every module
        return "make leftovers && go mod tidy -diff && go mod verify"
    return f"go test $(go list ./... | awk 'NR % 2 == {seed() % 2}')" if command == "make test" else command


@pytest.mark.parametrize(
    "project",
    [pytest.param(SERVICE, marks=pytest.mark.repeated), *PROJECTS[1:]],  # in test_first_push.py
    indirect=True,
    ids=label,
)
def test_it_builds_and_passes_its_own_checks_without_a_network(
    request: pytest.FixtureRequest, project: Path, sh: Sh, go: dict[str, str]
) -> None:
    is_larger = request.node.callspec.params["project"] in (JOBS, BARE_ALL)
    is_shorter = is_everybodys() or (is_larger and not is_release())
    offline = go | {"GOPROXY": "off", "GOFLAGS": "-mod=readonly"}
    assert sh("gofmt -l .", project, go).stdout == ""
    modules, *others = working_page.commands(project, working_page.PASS)
    # Looks at what the tests of its modules need, too.
    sh(shorter(modules) if is_shorter else modules, project, go)
    for command in (shorter(each) for each in others) if is_shorter else others:
        sh(command, project, offline)
    if (project / "api").exists():
        for command in working_page.commands(project, working_page.CHANGE):
            sh(command, project, offline)
    assert sh("git status --porcelain", project, go).stdout == ""


@pytest.mark.full
@pytest.mark.parametrize("answers", [SERVICE, CLI, BARE], ids=label)
def test_stackgen_verifies_it(answers: Answers, generate: Callable[[Answers], Path], go: dict[str, str]) -> None:
    verifying.assert_proven(generate(answers), go, "tests")


# By the turns of OTHERS: a run that has JOBS, the largest kind, compiles neither the linter nor the generators.
@in_turn(2, 3)
def test_the_linter_that_it_pins_finds_nothing(project: Path, sh: Sh, go: dict[str, str]) -> None:
    sh("make lint", project, go)  # the linter is compiled first


@in_turn(2, 3)
def test_the_linter_waits_for_another_one(
    generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str], tmp_path: Path
) -> None:
    project = generate(SERVICE)
    sh("make lint", project, go)  # the linter is compiled first
    with (tmp_path / "golangci-lint.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = go | {"TMPDIR": str(tmp_path)}
        with subprocess.Popen(["make", "lint"], cwd=project, env=environment, start_new_session=True) as waiting:
            with pytest.raises(subprocess.TimeoutExpired):  # by default it gives up after five seconds
                waiting.wait(20)
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert waiting.wait(1800) == 0


@in_turn(0, 3)
@pytest.mark.parametrize("answers", [BOTH, JOBS, BARE_ALL], ids=label)
def test_generated_files_are_what_their_generators_write(
    answers: Answers, generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]
) -> None:
    project = generate(answers)
    sh("make generate", project, go)  # buf and sqlc are compiled first
    sh("git diff --exit-code", project, go)


DEADCODE = "go run golang.org/x/tools/cmd/deadcode@v0.52.0"
FOR_TESTS = "internal/store/storetest/"  # what the tests of both engines share


KINDS = (SERVICE, BOTH, CLI, JOBS, {"kind": "service", "jobs": True})


@pytest.mark.full
@pytest.mark.parametrize("answers", KINDS if is_release() else [KINDS[seed() % len(KINDS)]], ids=label)
def test_none_of_its_functions_is_unreachable(
    answers: Answers, generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]
) -> None:
    project = generate(answers)
    sh(f"{DEADCODE} -h", project, go)  # what it downloads on a machine's first time stands in the output, too
    without_tests = sh(f"{DEADCODE} ./...", project, go).stdout.splitlines()
    assert [line for line in without_tests if not line.startswith(FOR_TESTS)] == []
    assert sh(f"{DEADCODE} -test ./...", project, go).stdout == ""


FUNCTION = re.compile(r"^(.+\.go):\d+:\d+: unreachable func: (?:\w+\.)?(\w+)$")


@pytest.mark.full
def test_without_the_example_nothing_is_unreachable_but_what_the_first_feature_uses(
    generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]
) -> None:
    project = generate(BARE_ALL)
    pages = [(project / name).read_text(encoding="utf-8") for name in (GUIDE, "docs/rpc.md")]
    found = [FUNCTION.fullmatch(line) for line in sh(f"{DEADCODE} ./...", project, go).stdout.splitlines()]
    unreachable = [(hit[1], hit[2]) for hit in found if hit and not hit[1].startswith(FOR_TESTS)]
    # A procedure needs all of its file.
    told = {name for file, name in unreachable if file != "internal/httpx/rpc.go"}
    assert {"NewPage", "InvalidFields"} <= told
    assert [name for name in told if not re.search(rf"\.{name}\b", pages[0])] == []
    assert "NewRPC" in {name for _, name in unreachable}
    assert "httpx.NewRPC" in pages[1]


RECORD = ROOT / "docs/decisions/0005-go-size-and-speed.md"
NEARLY = 0.01


@pytest.mark.full
@pytest.mark.parametrize("answers", KINDS if is_release() else [KINDS[seed() % len(KINDS)]], ids=label)
def test_its_size_is_what_the_record_says(
    answers: Answers, generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]
) -> None:
    project = generate(answers)
    sh("make build", project, go)
    options = ["`jobs`"] * bool(answers.get("jobs")) + ["`rpc: connect`"] * ("rpc" in answers)
    row = ", ".join([f"`kind: {answers['kind']}`", *options])
    record = RECORD.read_text(encoding="utf-8")
    [told] = re.findall(rf"^\| {re.escape(row)} \| ([\d,]+) \|$", record, re.MULTILINE)
    assert (project / "bin" / NAME).stat().st_size == pytest.approx(int(told.replace(",", "")), rel=NEARLY)
    [limit] = re.findall(r"maxBinarySize = (\d+) << 20", next(project.glob("cmd/*/size_test.go")).read_text("utf-8"))
    words = "with jobs to {} MiB" if answers.get("jobs") else "held to {} MiB"
    assert words.format(limit) in record


GUIDE = "docs/adding-a-feature.md"
FILES_BY_HAND = 8


@pytest.fixture(scope="module", params=[SERVICE, BARE], ids=label)
def grown(request: pytest.FixtureRequest, render: Callable[..., Path]) -> Path:
    """A project with the feature that the guide adds, as typed: nothing is generated yet."""
    project = render("go", NAME, **request.param)
    for block in following.blocks(project, "", GUIDE):
        if block.kind != "sh":
            block.write(project)
    return project


def test_a_feature_takes_eight_files_by_hand_and_copies_no_helper(grown: Path, sh: Sh, go: dict[str, str]) -> None:
    touched = sh("git status --porcelain --untracked-files=all", grown, go).stdout.splitlines()
    assert len(touched) <= FILES_BY_HAND, touched
    made = [grown / line[3:] for line in touched if line.startswith("??") and line.endswith(".go")]
    assert sh(["gofmt", "-l", *map(str, made)], grown, go).stdout == ""
    own = {function for file in made for function in plain_functions(file)}
    others = [file for file in grown.rglob("*.go") if file not in made]
    assert own & {function for file in others for function in plain_functions(file)} == set()


def plain_functions(file: Path) -> list[tuple[str, str]]:
    """Give what each function of a file does that belongs to no type, with its name; tests apart."""
    found = re.findall(r"^func (\w+)[^\n]*\{\n(.*?)^\}", file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [(name, body) for name, body in found if not name.startswith("Test")]


@pytest.mark.release
def test_the_feature_that_the_guide_adds_passes_every_check(
    request: pytest.FixtureRequest, grown: Path, sh: Sh, go: dict[str, str]
) -> None:
    environment = go | {"TEST_DATABASE_URL": request.getfixturevalue("postgres_url")}
    sh("git add --all && git -c user.name=t -c user.email=t@t commit --quiet --message=typed", grown, environment)
    for block in following.blocks(grown, "Then", GUIDE):
        sh(block.text, grown, environment)  # sqlc is compiled first
    changed = set(sh("git status --porcelain --untracked-files=all", grown, environment).stdout.split()[1::2])
    shared = "internal/store/shared"
    assert changed == {"api/openapi.json", f"{shared}/oncall.sql.go", f"{shared}/gen_models.go"}
    sh("make lint", grown, environment)
    unreachable = sh(f"{DEADCODE} ./...", grown, environment).stdout.splitlines()
    assert [line for line in unreachable if not line.startswith(FOR_TESTS)] == []


def only_local_urls(document: object) -> object:
    """The same OpenAPI document, whose only URLs belong to this machine: the service probes what it is given."""
    if isinstance(document, list):
        return [only_local_urls(value) for value in document]
    if not isinstance(document, dict):
        return document
    pattern = str(document.get("pattern"))
    if "https?://" in pattern:
        return {"enum": ["http://127.0.0.1:9/", *(["", None] if pattern.startswith("^(") else [])]}
    return {key: only_local_urls(value) for key, value in document.items() if key != "examples"}


@pytest.mark.full
def test_random_requests_find_no_server_error_and_no_broken_promise(
    generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str], serve: Callable, tmp_path: Path
) -> None:
    project, port = generate(SERVICE), free_port()
    sh("make build", project, go)
    document = json.loads((project / "api/openapi.json").read_text(encoding="utf-8"))
    (tmp_path / "openapi.json").write_text(json.dumps(only_local_urls(document)), encoding="utf-8")
    environment = {
        "PORT": str(port),
        "ADMIN_PORT": str(free_port()),
        "DATABASE_URL": f"sqlite:{tmp_path}/fuzz.db",
        "RATE_LIMIT_PER_SECOND": "1e6",
        "RATE_LIMIT_BURST": "1000000",
        "WEBHOOK_SECRET": "0123456789abcdef0123456789abcdef",
    }
    url = f"http://127.0.0.1:{port}"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    with serve([f"bin/{NAME}", "serve"], project, environment, f"{url}/readyz") as server:
        # The live stream never ends, so it cannot be asked like the rest.
        sh(
            "uv run --no-project --quiet --with schemathesis==4.32.5 schemathesis run openapi.json"
            f" --url {url} --exclude-path /v1/events --max-examples 15 --checks {checks}"
            " --generation-deterministic --phases coverage,fuzzing > fuzz.log 2>&1 || (cut -c1-300 fuzz.log; exit 1)",
            tmp_path,
            go,
        )
        server.await_output(r'"route":"POST /v1/targets","status":201')
        assert server.stop() == 0


def test_it_serves_and_stops_cleanly(service: Path, sh: Sh, serve: Callable, http: Callable[..., Answer]) -> None:
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


@pytest.mark.parametrize("answers", by_everybody(BARE, BARE_ALL), ids=label)
def test_without_the_example_it_serves_what_every_service_does_and_stops_cleanly(
    answers: Answers,
    generate: Callable[[Answers], Path],
    sh: Sh,
    go: dict[str, str],
    serve: Callable,
    http: Callable[..., Answer],
) -> None:
    project = generate(answers)
    sh("make build", project, go)
    port, admin = free_port(), free_port()
    environment = {"PORT": str(port), "ADMIN_PORT": str(admin), "DATABASE_URL": "sqlite:data/acceptance.db"}
    with serve([f"bin/{NAME}", "serve"], project, environment, f"http://127.0.0.1:{port}/readyz") as server:
        assert http("GET", f"{server.url}/livez").status == 200
        document = json.loads((project / "api/openapi.json").read_text(encoding="utf-8"))
        assert http("GET", f"{server.url}/openapi.json").json == document
        assert "paths" not in document
        refused = http("GET", f"{server.url}/v1/targets")
        assert (refused.status, refused.headers["content-type"]) == (404, "application/problem+json")
        scrape = http("GET", f"http://127.0.0.1:{admin}/metrics").body.decode()
        for suffix in ("", "-jobs") if answers.get("jobs") else ("",):
            missing = monitoring.asked(project / "monitoring", suffix) - monitoring.offered(scrape)
            assert not {name for name in missing if not name.startswith("job")}  # a job is measured once it is worked
        assert sh([f"bin/{NAME}", "healthcheck"], project, environment).returncode == 0
        assert server.stop() == 0


def test_without_the_example_nothing_of_it_is_there(
    generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]
) -> None:
    words = re.compile(
        r"/v1/targets|webhook|WEBHOOK|netguard|PROBE_|MAX_STREAMS|alerts_total|internal/monitor|deliver_alert"
    )
    project = generate(BARE_ALL)
    names = sh("git ls-files", project, go).stdout.splitlines()
    assert "internal/app/serve.go" in names
    assert [name for name in names if words.search((project / name).read_text(encoding="utf-8"))] == []


@pytest.mark.full
def test_the_example_is_taken_out_by_an_update_and_what_is_left_builds_and_passes(
    tmp_path: Path, sh: Sh, go: dict[str, str]
) -> None:
    repository = repository_of_today(tmp_path / "repository")
    repository.release("90.0.0")
    bundle = repository.pack(tmp_path / "packed") / "templates.bundle"
    plan = Plan(str(bundle), "v90.0.0", tmp_path / NAME, {"stack": "go", "name": NAME, "jobs": True})
    made = stackgen.render.generate(plan).project
    commands = made.path / "internal/app/commands.go"
    text, own = commands.read_text(encoding="utf-8"), "\t\tversionCommand(env),\n\t\tgreetCommand(env),\n"
    commands.write_text(text.replace("\t\tversionCommand(env),\n", own), encoding="utf-8")
    (made.path / "internal/app/greet.go").write_text(
        'package app\n\nimport "github.com/spf13/cobra"\n\n'
        'func greetCommand(Env) *cobra.Command { return &cobra.Command{Use: "greet"} }\n'
    )
    sh("git add -A && git -c user.name=t -c user.email=t@t commit -qm Ours", made.path, go)
    report = update.run(made, {"example": False}, {})
    assert (report.kept, report.conflicts) == ((), ())
    assert own in commands.read_text(encoding="utf-8")
    assert not (made.path / "internal/monitor").exists()
    sh("make check test build", made.path, go)


SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
VERIFY = """
import json, sys
from standardwebhooks.webhooks import Webhook
headers, body = json.load(sys.stdin)
for secret in sys.argv[1:]:
    print(Webhook(secret).verify(body, headers)["type"])
"""


@pytest.mark.full
def test_its_signatures_verify_with_the_library_of_the_specification_before_and_after_a_rotation(
    generate: Callable[[Answers], Path],
    sh: Sh,
    go: dict[str, str],
    serve: Callable,
    http: Callable[..., Answer],
    tmp_path: Path,
) -> None:
    project = generate(SERVICE)
    sh("make build", project, go)
    received: queue.Queue[object] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.put([{name.lower(): value for name, value in self.headers.items()}, body])
            self.send_response(204)
            self.end_headers()

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=receiver.serve_forever, daemon=True).start()
    port = free_port()
    environment = {
        "PORT": str(port),
        "ADMIN_PORT": str(free_port()),
        "DATABASE_URL": f"sqlite:{tmp_path}/alerts.db",
        "ALLOWED_PRIVATE_CIDRS": "127.0.0.0/8",
        "WEBHOOK_SECRET": ",".join(SECRETS),
    }
    with serve([f"bin/{NAME}", "serve"], project, environment, f"http://127.0.0.1:{port}/readyz") as server:
        target = {
            "name": "nowhere",
            "url": "http://127.0.0.1:9/",
            "failure_threshold": 1,
            "webhook_url": f"http://127.0.0.1:{receiver.server_port}/",
        }
        assert http("POST", f"{server.url}/v1/targets", target).status == 201
        alert = received.get(timeout=60)
        assert server.stop() == 0
    receiver.shutdown()
    receiver.server_close()
    (tmp_path / "verify.py").write_text(VERIFY, encoding="utf-8")
    (tmp_path / "alert.json").write_text(json.dumps(alert), encoding="utf-8")
    command = "uv run --no-project --quiet --with standardwebhooks==1.1.0 python verify.py"
    verified = sh(f"{command} {' '.join(SECRETS)} < alert.json", tmp_path, go)
    assert verified.stdout.split() == ["target.down"] * 2
    stranger = "whsec_" + "A" * 32
    assert sh(f"{command} {stranger} < alert.json", tmp_path, go, check=False).returncode != 0


def shell_blocks(project: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (project / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_readme_of_a_service_can_be_followed_line_by_line(
    service: Path, sh: Sh, go: dict[str, str], serve: Callable
) -> None:
    run_it, try_it, *calls = shell_blocks(service)
    assert run_it.split("\n") == ["make test", "make build", "make run", ""]
    port, admin = str(free_port()), str(free_port())
    environment = go | {"PORT": port, "ADMIN_PORT": admin}
    with serve(["make", "run"], service, environment, f"http://127.0.0.1:{port}/readyz", timeout=900) as server:
        # The last line follows the probes until Ctrl-C; the first one that it prints is enough.
        script = "set -e\n" + try_it.replace("127.0.0.1:8080", f"127.0.0.1:{port}").rstrip()
        *lines, follow = script.split("\n")
        lines.append(f"grep --max-count=1 '^event: check' <(timeout --signal=INT 300 {follow} 2>/dev/null)")
        lines.extend(block.replace("127.0.0.1:8080", f"127.0.0.1:{port}") for block in calls)
        done = sh(["bash", "-c", "\n".join(lines)], service, environment)
        for shown in ('"name":"self"', '"healthy":true', '"name":"me"', '"status":409', "event: check"):
            assert shown in done.stdout
        assert not calls or '"code":"invalid_argument"' in done.stdout
        assert '"interval_seconds":60' not in done.stdout  # a change does not put it back
        for url in (f"http://127.0.0.1:{port}/openapi.json", f"http://127.0.0.1:{admin}/metrics"):
            answer = sh(["curl", "--fail", "--silent", url], service, environment).stdout
        assert monitoring.asked(service / "monitoring") - monitoring.offered(answer) == set()
        server.stop(group=True)


@pytest.mark.full
def test_the_readme_of_a_tool_can_be_followed_line_by_line(
    generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str], serve: Callable, tmp_path: Path
) -> None:
    project = generate(CLI)
    build_it, try_it = shell_blocks(project)
    assert build_it.split("\n") == ["make test", "make build", ""]
    sh("make build", project, go)
    port = str(free_port())
    site = f"http://127.0.0.1:{port}/"
    environment = go | {"ALLOWED_PRIVATE_CIDRS": "127.0.0.0/8", "DATABASE_URL": f"sqlite:{tmp_path}/readme.db"}
    with serve([sys.executable, "-m", "http.server", "--bind=127.0.0.1", port], tmp_path, go, site):
        done = sh(["bash", "-ec", try_it.replace("https://example.com", site)], project, environment)
    assert '"healthy":true' in done.stdout.replace(" ", "")
    sh(f"make install PREFIX={tmp_path}/local", project, environment)
    assert "site" not in sh([f"{tmp_path}/local/bin/{NAME}", "targets", "list"], tmp_path, environment).stdout


@pytest.mark.full
def test_the_tests_tell_which_lines_they_reach(project: Path, sh: Sh, go: dict[str, str]) -> None:
    sh("make cover", project, go)


def test_every_wrong_setting_is_named_in_one_message(service: Path, sh: Sh) -> None:
    wrong = {"PORT": "x", "LOG_LEVEL": "loud", "DATABASE_URL": "oracle://db"}
    refused = sh([f"bin/{NAME}", "serve"], service, wrong, check=False)
    assert refused.returncode == 1
    assert all(variable in refused.stdout for variable in wrong)
    assert "goroutine" not in refused.stdout


@pytest.mark.full
def test_the_tool_manages_targets_and_its_exit_status_tells_their_health(
    tool: Path, sh: Sh, go: dict[str, str]
) -> None:
    sh("make build", tool, go)
    environment = {"DATABASE_URL": "sqlite:data/tool.db"}
    run = lambda *args, check=True: sh([f"bin/{NAME}", *args], tool, environment, check=check)  # noqa: E731
    run("targets", "add", "nowhere", "http://127.0.0.1:9/")
    assert "nowhere" in run("targets", "list").stdout
    refused = run("check", check=False)
    assert refused.returncode == 1
    assert "not a public address" in refused.stdout
    run("man", "man")
    assert (tool / "man" / f"{NAME}-targets-add.1").is_file()
    assert "nowhere" in run("__complete", "check", "").stdout


@pytest.mark.full
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
    assert "deploy/kustomize/base/deployment.yaml" in files["both"]
    assert not any(f.startswith("deploy") for f in files["cli"] | files["service"])


@pytest.mark.full
def test_a_tool_calls_itself_no_backend(generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]) -> None:
    elsewhere = "':!docs/decisions' ':!.copier-answers.yml'"  # the article's title, and the default
    found = sh(f"git grep -n --ignore-case --word-regexp backend -- {elsewhere}", generate(CLI), go, check=False)
    assert found.stdout == ""


@in_turn(0, 2)
@pytest.mark.parametrize("answers", [pytest.param(BOTH, marks=pytest.mark.release), JOBS], ids=label)
def test_both_engines_pass_the_same_suite(
    answers: Answers, generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str], postgres_url: str
) -> None:
    ran = sh(
        "go test -count=1 -v ./internal/store ./internal/app",
        generate(answers),
        go | {"TEST_DATABASE_URL": postgres_url},
    )
    if answers is JOBS:
        assert "--- PASS: TestPostgresJobs/a_change_and_its_job_commit_or_roll_back_together" in ran.stdout
    for test in ("TestPostgres/", "TestEnginesHaveTheSameSchema", "TestMigrateRunsOnce"):
        assert f"--- PASS: {test}" in ran.stdout
    assert "--- SKIP" not in ran.stdout
    killed = sh(
        "go test -count=1 -v -run SIGKILL ./cmd/...", generate(answers), go | {"TEST_DATABASE_URL": postgres_url}
    )
    assert "--- PASS: TestWhatWasAcknowledgedSurvivesSIGKILL/PostgreSQL" in killed.stdout
    assert "--- SKIP" not in killed.stdout


@in_turn(1, 2)
def test_without_the_example_both_engines_pass_the_same_suite(
    generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str], postgres_url: str
) -> None:
    ran = sh(
        "go test -count=1 -v ./internal/store/... ./internal/app",
        generate(BARE_ALL),
        go | {"TEST_DATABASE_URL": postgres_url},
    )
    for test in ("TestPostgresJobs/a_job_that_fails", "TestEnginesHaveTheSameSchema", "TestMigrateRunsOnce"):
        assert f"--- PASS: {test}" in ran.stdout
    assert "--- SKIP" not in ran.stdout


@pytest.mark.release
def test_a_backup_is_restored_as_its_page_says(
    render: Callable[..., Path], sh: Sh, go: dict[str, str], tmp_path: Path
) -> None:
    project = render("go", jobs=True)
    sh("make build", project, go)
    with backups.own_server() as server:
        backups.owned(server)

        def migrate(database: str) -> None:
            settings = {**go, "DATABASE_URL": backups.address(server, backups.OWNER, database)}
            sh("bin/my-shop migrate up", project, settings)

        migrate("my_shop")
        backups.proven(project, server, go, tmp_path, migrate)


@pytest.mark.full
def test_a_worker_takes_what_serve_leaves_and_stops_cleanly(
    generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str], serve: Callable, free_port: Callable[[], int]
) -> None:
    project = generate(JOBS)
    sh("make build", project, go)
    admin = free_port()
    environment = {"ADMIN_PORT": str(admin), "DATABASE_URL": "sqlite:data/worker.db"}
    with serve([f"bin/{NAME}", "worker"], project, environment, f"http://127.0.0.1:{admin}/readyz") as worker:
        assert worker.stop() == 0


@pytest.mark.full
def test_only_jobs_link_what_works_them(generate: Callable[[Answers], Path], sh: Sh, go: dict[str, str]) -> None:
    linked = {label(a): sh("go list -deps ./...", generate(a), go).stdout for a in (SERVICE, BOTH, CLI, JOBS)}
    assert {name for name, packages in linked.items() if "riverqueue" in packages} == {"both-jobs"}


@pytest.mark.full
def test_jobs_come_into_a_released_project_and_its_edits_stay(
    tmp_path: Path, released_template: Path, sh: Sh, go: dict[str, str]
) -> None:
    project = tmp_path / NAME
    answers = {"stack": "go", "name": NAME, "kind": "both"}
    copier.run_copy(str(released_template), project, data=answers, vcs_ref="v0.2.0", defaults=True, quiet=True)
    edits = {
        "internal/app/commands.go": (
            "\t\tversionCommand(env),\n",
            "\t\tversionCommand(env),\n\t\tgreetCommand(env),\n",
        ),
        "internal/app/routes.go": ("\tmonitor *monitor.Service\n", "\tmonitor *monitor.Service\n\tgreeting string\n"),
        "internal/app/serve.go": (
            "features{monitor: monitors}",
            'features{monitor: monitors, greeting: "hello"}',
        ),
        "internal/store/store.go": ("\tmonitor.Store\n", "\tmonitor.Store\n\tgreeter\n"),
        "internal/store/sqlite/sqlite.go": ("const readers = 4", "const readers = 8"),
        "internal/config/settings.go": (
            '`env:"WEBHOOK_SECRET"`\n',
            '`env:"WEBHOOK_SECRET"`\n\tGreeting string `env:"GREETING"`\n',
        ),
    }
    for name, (old, new) in edits.items():
        content = (project / name).read_text(encoding="utf-8")
        assert content.count(old) == 1
        (project / name).write_text(content.replace(old, new), encoding="utf-8")
    (project / "internal/store/greeter.go").write_text("package store\n\ntype greeter interface{ Close() error }\n")
    (project / "internal/app/greet.go").write_text(
        'package app\n\nimport "github.com/spf13/cobra"\n\n'
        'func greetCommand(Env) *cobra.Command { return &cobra.Command{Use: "greet", Short: features{}.greeting} }\n'
    )
    for command in ("git init -q -b main", "git add -A", "git -c user.name=t -c user.email=t@t commit -qm Ours"):
        sh(command, project, go)
    copier.run_update(project, data={"jobs": True}, vcs_ref="HEAD", defaults=True, overwrite=True, quiet=True)
    for name, (_, new) in edits.items():
        content = (project / name).read_text(encoding="utf-8")
        assert new in content
        # Both have changed this line; releases/0.10.0.maintenance.yml says where the owner's part of it goes.
        assert name == "internal/app/serve.go" or "<<<<<<<" not in content, f"{name} has a conflict"
    routes, serve = project / "internal/app/routes.go", project / "internal/app/serve.go"
    settled = re.sub(
        r"<<<<<<< .*?=======\n(.*?)>>>>>>> [^\n]*\n", r"\1", serve.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    serve.write_text(settled, encoding="utf-8")
    parts = routes.read_text(encoding="utf-8").replace("monitor: monitors,", 'monitor: monitors, greeting: "hello",', 1)
    routes.write_text(parts, encoding="utf-8")
    assert "workerCommand(env)" in (project / "internal/app/commands.go").read_text(encoding="utf-8")
    assert not list(project.rglob("*.rej"))
    sh("gofmt -w internal", project, go)
    sh("go vet ./...", project, go)
    sh("go test ./internal/store/... ./internal/config", project, go)


@pytest.mark.parametrize(
    "path",
    [
        *("uptime", "log", "github.com", "https://github.com/a/b", "github.com/a/b/v2", "github.com/con/b"),
        *("github.com/a b", "github.com/a/../b", "github.com/ä/b", "-x.com/a", "github.com/a/", "g.com/internal/b"),
        "github.com/a\nreplace x => y",
    ],
)
def test_a_module_path_that_go_would_refuse_is_refused(path: str, render: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="module_path"):
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
