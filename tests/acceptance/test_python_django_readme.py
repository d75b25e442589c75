"""The README of a python-django project, followed line by line, with the site's forms filled in as a browser would."""

import os
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import processes
import pytest

EMAIL, PASSWORD = "owner@example.com", "a-password-of-the-owner"
READY = "# Its status is"
WAIT = "until call $api/datasets/$id | grep --quiet '\"ready\"'; do sleep 0.2; done"


class Browser:
    """Keeps cookies, and sends each form back with what the page gave for it."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def page(self, path: str) -> str:
        """Open a page."""
        with self.opener.open(self.base + path, timeout=300) as answer:
            return str(answer.read().decode())

    def submit(self, path: str, to: str | None = None, **fields: str) -> str:
        """Fill in the form of a page, which may send it elsewhere, and give the page that follows."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page(path))
        assert token, path
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        with self.opener.open(self.base + (to or path), body, timeout=300) as answer:
            return str(answer.read().decode())


def _blocks(project: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (project / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@contextmanager
def _worker(command: str, project: Path, environment: Mapping[str, str]) -> Iterator[None]:
    with (project.parent / "worker.log").open("wb") as log:
        process = subprocess.Popen(command.split(), cwd=project, env=environment, stdout=log, stderr=log)
        try:
            yield
            process.terminate()
            assert process.wait(120) in {0, -15, 143}
        finally:
            process.kill()
            process.wait()


def _key(server: processes.Server) -> str:
    """Do what the README says before its commands: sign up with the code from the log, start a team, and make a key."""
    site = Browser(server.url)
    sent = site.submit("/accounts/signup/", email=EMAIL, password1=PASSWORD)
    assert EMAIL in sent
    code = re.findall(r"^([A-Z0-9]{4}-[A-Z0-9]{4})\s*$", server.output(), re.MULTILINE)
    assert "You are in no team yet" in site.submit("/accounts/confirm-email/", code=code[-1])
    assert "Analysts" in site.submit("/teams/", to="/teams/start/", name="Analysts")
    secret = re.search(r"key_[A-Za-z0-9_-]{40,}", site.submit("/keys/", name="trial"))
    assert secret, "the key is not shown"
    return secret[0]


@pytest.mark.full
def test_the_readme_is_true_line_by_line(
    render: Callable[..., Path], with_python: Callable[[str], dict[str, str]]
) -> None:
    project = render("python-django", name="my-lab")
    environment = with_python("python3.11")
    setup, server, worker, trial = _blocks(project)[:4]
    for command in setup.splitlines():
        # Those two have tests of their own; pip would replace the uv of whoever runs the tests.
        if not command.endswith(("pytest", "check.py")) and command != "pip install uv":
            processes.sh(command, project, environment)
    (runserver,) = server.splitlines()
    port = processes.free_port()
    base = f"http://127.0.0.1:{port}"
    with (
        processes.serve([*runserver.split(), str(port)], project, environment, f"{base}/readyz") as started,
        _worker(worker, project, environment),
    ):
        commands = trial.replace("http://127.0.0.1:8000", base).replace("<the secret>", _key(started))
        assert READY in commands
        script = f"set -e\nshopt -s expand_aliases\n{commands.replace(READY, f'{WAIT}{os.linesep}{READY}')}"
        done = processes.sh(["timeout", "600", "bash", "-c", script], project, environment)
        assert Browser(base).page("/admin/").count("csrfmiddlewaretoken")
        assert "Upload data sets" in Browser(base).page("/api/openapi.json")
    for told in ('"Analysts"', '"pending"', '"rows": 3', "price,number,1", '"count": 1'):
        assert told in done.stdout, done.stdout
    assert (project / "price.svg").read_text(encoding="utf-8").startswith("<svg")
    assert pytest.approx(3.0) == float(re.findall(r"\"mean\": ([0-9.]+)", done.stdout)[0])
