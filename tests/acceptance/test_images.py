"""Each stack's images, built from a fresh clone by a real engine and run beside PostgreSQL, as docs/deploy.md tells.

The base images are stand-ins that we make ourselves (`stand_ins/`): what is in upstream's is not proven here.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import engine as engines
import pipelines
import processes
import pytest
from sizes import in_turn
from storage import packed, storage
from test_python_django_readme import READY, WAIT, Browser

pytestmark = [pytest.mark.full, pytest.mark.engine]

EMAIL, PASSWORD = "owner@example.com", "a-password-of-the-owner"
NOTHING = "0" * 16


@dataclass(frozen=True)
class Stack:
    """What is told of a stack's trial run: its port, what runs on, and what its README's requests show."""

    port: int
    services: tuple[str, ...]
    shown: tuple[str, ...]
    # Lines of .env that the trial's own requests need.
    settings: str = ""


NODE = Stack(
    3000, ("api",), ('"name":"Apollo"', '"status":"archived"', '"status":412'), "PUBLIC_URL=http://localhost:PORT"
)
STACKS = {
    "node-ts": NODE,
    "hybrid-node-python-ml": replace(NODE, services=("api", "ml"), shown=(*NODE.shown, '"predictions"')),
    "python-django": Stack(8000, ("api", "worker"), ('"Analysts"', '"rows": 3', "price,number,1")),
    # As `make run` has it, whose target is the service itself.
    "go": Stack(
        8080, ("api",), ('"name":"self"', '"healthy":true', '"status":409'), "ALLOWED_PRIVATE_CIDRS=127.0.0.0/8"
    ),
}
# In the place of a pipeline's: the job that builds images has another one, beside it.
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"


class Trial:
    """A project's containers, as `docker compose` in its folder has them."""

    def __init__(self, engine: engines.Engine, project: Path, environment: Mapping[str, str], port: int) -> None:
        self.project, self.port = project, port
        self.environment = engine.environment(environment)

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run `docker compose` and give what it printed."""
        command = ["docker", "compose", "--progress", "quiet", *arguments]
        return processes.sh(command, self.project, self.environment, check=check).stdout

    def containers(self) -> dict[str, dict[str, Any]]:
        """Give what is known of each service's container, ended ones too."""
        listed = self.compose("ps", "--all", "--format", "json").splitlines()
        return {each["Service"]: each for each in map(json.loads, listed)}

    def processes_of(self, service: str) -> list[int]:
        """Give a container's processes, by the numbers that they have outside of it."""
        lines = [line.split() for line in self.compose("top", service).splitlines() if line.strip()]
        (column,) = (line.index("PID") for line in lines if "PID" in line)
        return [int(line[column]) for line in lines if len(line) > column and line[column].isdigit()]

    def status(self, path: str) -> int:
        """Give the status that a request is answered with, 0 where nobody answers."""
        with suppress(OSError):
            return processes.http("GET", f"http://localhost:{self.port}{path}", timeout=60).status
        return 0

    def await_status(self, path: str, wanted: int, seconds: float = 180) -> None:
        """Wait until a request is answered so."""
        deadline = time.monotonic() + seconds
        while (seen := self.status(path)) != wanted:
            if time.monotonic() > deadline:
                pytest.fail(f"{path} answers {seen}, not {wanted}:\n{self.compose('logs', '--tail', '60')[-6000:]}")
            time.sleep(0.3)


@pytest.fixture(scope="module")
def engine() -> Iterator[engines.Engine]:
    """A running engine; where none can be started, the tests are skipped with the reason, and counted."""
    if reason := engines.missing():
        pytest.skip(f"no engine: {reason}")
    with engines.started() as running:
        yield running


@pytest.fixture
def fresh_clone(render: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """Clone a new project, as a pipeline does."""

    def clone(stack: str) -> Path:
        made = tmp_path / "my-shop"
        subprocess.run(["git", "clone", "--quiet", str(render(stack)), str(made)], check=True)
        return made

    return clone


def trial_run(project: Path) -> list[str]:
    """Give the commands of a trial run, as docs/deploy.md has them."""
    page = (project / "docs/deploy.md").read_text(encoding="utf-8")
    found = re.search(r"^## A trial run on one machine\n.*?```sh\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    assert found
    return found[1].splitlines()


def first_requests(stack: str, project: Path, port: int) -> str:
    """Give the README's first requests, as a script for this port."""
    blocks = re.findall(r"```sh\n(.*?)```", (project / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    block = next(block for block in blocks if block.startswith("api="))
    address = re.compile(rf"^(api=http://[\w.]+):{STACKS[stack].port}\b", re.MULTILINE)
    assert address.search(block)
    script = address.sub(rf"\1:{port}", block)
    if stack == "go":  # the last line follows the probes until Ctrl-C; its first one is enough
        *lines, follow = script.rstrip().splitlines()
        script = "\n".join([*lines, f"grep --max-count=1 '^event: check' <(timeout 120 {follow})"])
    if stack == "python-django":
        secret = key_of_a_team(f"http://localhost:{port}")
        script = script.replace("<the secret>", secret).replace(READY, f"{WAIT}{os.linesep}{READY}")
    if stack == "hybrid-node-python-ml":  # jobs and streams are switched off, as the README says
        script = script.partition("# The same as a job")[0]
    return f"set -e\nshopt -s expand_aliases\n{script}"


def key_of_a_team(site: str) -> str:
    """Enter python-django's site where docs/deploy.md sends its first owner, start a team, and make a key."""
    browser = Browser(site)
    browser.submit("/admin/login/", username=EMAIL, password=PASSWORD)
    assert "Analysts" in browser.submit("/teams/", to="/teams/start/", name="Analysts")
    secret = re.search(r"key_[A-Za-z0-9_-]{40,}", browser.submit("/keys/", name="trial"))
    assert secret, "the key is not shown"
    return secret[0]


def script_of_the_trial(stack: str, project: Path, port: int) -> str:
    """Give docs/deploy.md's commands for this port, and with what would have been asked, since nobody is there."""
    up, told = "docker compose up --build --wait", STACKS[stack]
    asking = "docker compose exec api python manage.py createsuperuser"
    given = (
        f"-T -e DJANGO_SUPERUSER_PASSWORD={PASSWORD} api python manage.py createsuperuser --no-input --email {EMAIL}"
    )
    lines = trial_run(project)
    assert up in lines
    setting = told.settings.replace("PORT", str(port))
    lines.insert(lines.index(up), f"echo '{setting}' >> .env")
    script = "\n".join(["set -e", *lines]).replace(asking, f"docker compose exec {given}")
    return script.replace("curl ", "curl --fail ").replace(f"localhost:{told.port}", f"localhost:{port}")


def publish(stack: str, project: Path, port: int) -> None:
    """Give a project's containers a port that is free."""
    ports = f'services:\n  api:\n    ports: !override ["127.0.0.1:{port}:{STACKS[stack].port}"]\n'
    (project / "compose.override.yaml").write_text(ports, encoding="utf-8")


@contextmanager
def running(stack: str, engine: engines.Engine, project: Path, environment: Mapping[str, str]) -> Iterator[Trial]:
    """Follow docs/deploy.md in a project's folder, on a port that is free; at last everything is removed."""
    trial = Trial(engine, project, environment, processes.free_port())
    publish(stack, project, trial.port)
    script = script_of_the_trial(stack, project, trial.port)
    try:
        done = processes.sh(["bash", "-c", script], project, trial.environment, check=False)
        if done.returncode:
            pytest.fail(f"{script}\n{done.stdout[-6000:]}\n{trial.compose('logs', check=False)[-6000:]}")
        yield trial
    finally:
        trial.compose("down", "--volumes", "--timeout", "1", check=False)


def assert_confined(pid: int, user: str) -> None:
    """See that a container's process has its image's user, no capability, no way to get one, and nowhere to write."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert status["Uid"].split() == [user] * 4, text
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NOTHING}, text
    assert status["NoNewPrivs"] == "1"
    with pytest.raises(OSError, match="Read-only"):
        os.open(f"/proc/{pid}/root/probe", os.O_CREAT | os.O_WRONLY)


def user_of(dockerfile: Path) -> str:
    """Give the user that an image names last."""
    *_, last = re.findall(r"^USER (\d+):\d+$", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    return str(last)


@pytest.mark.parametrize("stack", STACKS)
def test_a_fresh_clone_is_built_and_run_as_its_documents_tell(
    stack: str, engine: engines.Engine, fresh_clone: Callable[[str], Path], tools: dict[str, str]
) -> None:
    project, services = fresh_clone(stack), STACKS[stack].services
    engine.stand_in(engines.base_images(project))
    with running(stack, engine, project, tools) as trial:
        # All that keeps running has become healthy, and what migrates has done so.
        at_first = trial.containers()
        assert {*at_first} == {"database", "migrate", *services}
        assert at_first["migrate"]["State"] == "exited"
        assert {(at_first[name]["State"], at_first[name]["Health"]) for name in services} == {("running", "healthy")}
        own = {name: project / "services" / name / "Dockerfile" for name in services}
        before = {name: trial.processes_of(name) for name in services}
        for name in services:
            assert_confined(before[name][0], user_of(own[name] if own[name].exists() else project / "Dockerfile"))

        requests = first_requests(stack, project, trial.port)
        done = processes.sh(["timeout", "600", "bash", "-c", requests], project.parent, trial.environment)
        assert [shown for shown in STACKS[stack].shown if shown not in done.stdout] == [], done.stdout

        # Without its database it says so and waits; with it, it goes on, and it is the same process all the time.
        trial.compose("stop", "database")
        trial.await_status("/readyz", 503)
        trial.compose("start", "database")
        trial.await_status("/readyz", 200)
        after = {name: trial.processes_of(name) for name in services}
        assert [name for name in services if before[name][0] not in after[name]] == []

        # Told to end, they end well; what has to be killed for being slow ends with 137.
        trial.compose("stop", *services)
        ended = {name: each["ExitCode"] for name, each in trial.containers().items() if name != "database"}
        assert ended == dict.fromkeys(["migrate", *services], 0), trial.compose("logs", "--tail", "60")


# Answers with which an image is built from other files, holds other packages, or has other containers beside it.
OTHER_ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("node-ts", {"example": False}),
    *(("hybrid-node-python-ml", {"ml_task": task}) for task in ("regression", "tensor", "text")),
    ("hybrid-node-python-ml", {"ml_training": "torch"}),
    ("python-django", {"data_tools": False}),
    ("python-django", {"example": False}),
    ("go", {"kind": "both", "jobs": True, "rpc": "connect"}),
    ("go", {"jobs": True, "example": False}),
]


@pytest.mark.parametrize(
    ("stack", "ci", "answers"),
    [
        *(pytest.param(stack, "github", {}, id=f"{stack}-github") for stack in STACKS),
        *(
            pytest.param(stack, "gitlab", {}, id=f"{stack}-gitlab", marks=in_turn(place, len(STACKS)))
            for place, stack in enumerate(STACKS)
        ),
        *(
            pytest.param(
                stack,
                "github",
                answers,
                id="-".join([stack, *(f"{key}={answers[key]}" for key in answers)]),
                marks=pytest.mark.release,
            )
            for stack, answers in OTHER_ANSWERS
        ),
    ],
)
def test_the_job_that_builds_it_passes_and_leaves_nothing(
    stack: str,
    ci: str,
    answers: Mapping[str, Any],
    engine: engines.Engine,
    render: Callable[..., Path],
    tools: dict[str, str],
    tmp_path: Path,
) -> None:
    machine = engine.environment(pipelines.runner(tools, tmp_path))
    made, own, port = render(stack, ci=ci, **answers), STACKS[stack].port, processes.free_port()
    project = pipelines.clone(made, tmp_path / ci / "my-shop", ci, NO_DATABASE, machine["STAND_INS"])
    engine.stand_in(engines.base_images(project))
    publish(stack, project, port)
    if ci == "github":  # GitLab's asks inside of the container, where the port is its own
        file, asked = project / pipelines.FILES[ci], f"http://127.0.0.1:{own}/readyz"
        written = file.read_text(encoding="utf-8")
        assert asked in written
        file.write_text(written.replace(asked, asked.replace(str(own), str(port))), encoding="utf-8")
    subprocess.run(["git", "-C", str(project), "add", "compose.override.yaml"], check=True)
    pipelines.commit(project)
    said = pipelines.RUN[ci](project, tmp_path, pipelines.IMAGE[ci], machine)
    assert "Healthy" in said, said[-4000:]
    assert processes.sh("docker compose ls --all --quiet", project, machine).stdout == "", said[-4000:]


# What docs/machine-learning.md gives `docker build`, as Compose has it. The build asks a server of this machine.
FETCHING = """
services:
  ml:
    image: my-shop-ml:fetched
    build:
      context: services/ml
      network: host
      args: {ML_MODEL_SHA256: "${ML_MODEL_SHA256}"}
      secrets: [ml_model_url]
    environment: {ML_HOST: 0.0.0.0, ML_SERVICE_TOKEN: a-token-of-the-tests}
secrets:
  ml_model_url: {environment: ML_MODEL_URL}
"""


@pytest.mark.release
def test_an_image_fetches_its_model_and_trains_none(
    engine: engines.Engine, fresh_clone: Callable[[str], Path], tools: dict[str, str], tmp_path: Path
) -> None:
    project = fresh_clone("hybrid-node-python-ml")
    engine.stand_in(engines.from_lines((project / "services/ml/Dockerfile").read_text(encoding="utf-8")))
    (project / "fetching.yaml").write_text(FETCHING, encoding="utf-8")
    environment = {**engine.environment(tools), "COMPOSE_FILE": "fetching.yaml"}

    def compose(*arguments: str, check: bool = True, **more: str) -> str:
        command = ["docker", "compose", *arguments]
        return processes.sh(command, project, {**environment, **more}, check=check).stdout

    def models(to: str) -> Path:
        """Copy what an image has in models/."""
        compose("create", "ml")
        compose("cp", "ml:/srv/models", str(tmp_path / to))
        compose("rm", "--force", "--stop", "ml")
        return tmp_path / to

    # It trains one, whose card then says what no training does.
    compose("build", ML_MODEL_SHA256="", ML_MODEL_URL="none")
    trained = models("trained")
    (card,) = trained.glob("*/model.json")
    told = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps({**told, "name": "fetched"}), encoding="utf-8")
    version, sha256 = packed(trained, tmp_path / "version.tar")
    with storage(tmp_path) as (url, _):
        address = f"{url}/version.tar?X-Amz-Signature=of-the-tests"
        with pytest.raises(pytest.fail.Exception, match=f"the archive's SHA-256 is {sha256}, not 000") as refused:
            compose("build", ML_MODEL_SHA256="0" * 64, ML_MODEL_URL=address)
        built = compose("build", ML_MODEL_SHA256=sha256, ML_MODEL_URL=address)
        assert "of-the-tests" not in f"{refused.value}{built}"
    fetched = models("fetched")
    assert json.loads((fetched / version / "model.json").read_text(encoding="utf-8"))["name"] == "fetched"
    try:
        # Its health check asks whether it has a model that answers its example.
        compose("up", "--wait", "ml")
    finally:
        compose("down", "--timeout", "1", check=False)
