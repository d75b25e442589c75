"""The README of a python-django project, followed line by line, with the admin's forms filled in as a browser would."""

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

    def submit(self, path: str, **fields: str) -> str:
        """Fill in the form of a page, and give the page that follows."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page(path))
        assert token, path
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        with self.opener.open(self.base + path, body, timeout=300) as answer:
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


def _key(base: str) -> str:
    """Do what the README says before its commands: sign in, add a team and an API key."""
    admin = Browser(f"{base}/admin")
    admin.submit("/login/?next=/admin/", username=EMAIL, password=PASSWORD, next="/admin/")
    me = re.search(r"/admin/accounts/user/([0-9a-f-]{36})/change/", admin.page("/accounts/user/"))
    assert me, "not signed in"
    inline = {"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0", "memberships-0-role": "owner"}
    admin.submit("/teams/team/add/", name="Analysts", **inline, **{"memberships-0-user": me[1]})
    secret = re.search(r"key_[A-Za-z0-9_-]{20,}", admin.submit("/accounts/apikey/add/", user=me[1], name="trial"))
    assert secret, "the secret is not shown"
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
    superuser, runserver = server.splitlines()
    known = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, **environment}
    processes.sh(f"{superuser} --no-input --email {EMAIL}", project, known)
    port = processes.free_port()
    base = f"http://127.0.0.1:{port}"
    with (
        processes.serve([*runserver.split(), str(port)], project, environment, f"{base}/readyz"),
        _worker(worker, project, environment),
    ):
        commands = trial.replace("http://127.0.0.1:8000", base).replace("<the secret>", _key(base))
        assert READY in commands
        script = f"set -e\nshopt -s expand_aliases\n{commands.replace(READY, f'{WAIT}{os.linesep}{READY}')}"
        done = processes.sh(["timeout", "600", "bash", "-c", script], project, environment)
        assert Browser(base).page("/admin/").count("csrfmiddlewaretoken")
        assert "Upload data sets" in Browser(base).page("/api/openapi.json")
    for told in ('"Analysts"', '"pending"', '"rows": 3', "price,number,1", '"count": 1'):
        assert told in done.stdout, done.stdout
    assert (project / "price.svg").read_text(encoding="utf-8").startswith("<svg")
    assert pytest.approx(3.0) == float(re.findall(r"\"mean\": ([0-9.]+)", done.stdout)[0])
