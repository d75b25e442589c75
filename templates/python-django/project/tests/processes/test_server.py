"""The server as it is in production: stopped under load, and cut off from its database."""

import json
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import allauth
import pytest
from django.apps import apps
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import connections
from django.test import Client

from backend.accounts.models import User
from backend.env import PROJECT
from tests.processes.conftest import ALIAS, SERVER, Deployment, wait_for
from tests.processes.wire import Wire


def test_a_server_told_to_stop_answers_every_request_it_has_taken(deployment: Deployment) -> None:
    # Nothing that has a limit of its own: of several who log in at once, allauth may refuse all.
    body = b'{"name": ""}'
    head = (
        "POST /api/teams HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {deployment.member_of()}\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    # A busy machine may take longer to see that nobody is let in any more than a server has to stop.
    with deployment.server(SHUTDOWN_SECONDS="600") as server, ExitStack() as open_until_the_end:
        address = urlsplit(server.url)
        taken = []
        for _ in range(6):
            connection = socket.create_connection((address.hostname, address.port), timeout=60)
            taken.append(open_until_the_end.enter_context(connection))
            connection.sendall(head.encode())
            # A thread of the server has the request now, and waits for its body.
            assert connection.recv(64).startswith(b"HTTP/1.1 100")
        server.popen.send_signal(signal.SIGTERM)
        wait_for(lambda: server.status("/livez") == 0)
        for connection in taken:
            connection.sendall(body)
        assert [connection.recv(65536)[:12] for connection in taken] == [b"HTTP/1.1 422"] * len(taken)
        assert server.popen.wait(120) == 0


def test_nobody_waits_for_those_who_send_half_a_request(deployment: Deployment) -> None:
    # A form without its token, which is looked for in the body: 403 when all of it is there.
    form = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    head = form + b"Cookie: csrftoken=" + b"a" * 32 + b"\r\nContent-Length: "
    rest_of = {
        b"": b"GET /admin/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        head: b"2\r\n\r\na=",
        head + b"50\r\n\r\na=": b"b" * 48,
        head + b"100000\r\n\r\na=": b"b" * 99_998,
    }
    with deployment.server() as server, ExitStack() as open_until_the_end:
        address = urlsplit(server.url)

        def connect(start: bytes) -> socket.socket:
            connection = socket.create_connection((address.hostname, address.port), timeout=60)
            connection.sendall(start)
            return open_until_the_end.enter_context(connection)

        sent = {half: [connect(half) for _ in range(20)] for half in rest_of}
        assert [server.status(path) for path in ("/livez", "/readyz", "/api/me")] == [200, 200, 401]
        # Those that become whole are answered, also those that are too large for all to be read at once.
        for half, connections in sent.items():
            for connection in connections:
                connection.sendall(rest_of[half])
        for half, connections in sent.items():
            assert {connection.recv(65536)[9:12] for connection in connections} == {b"302" if half == b"" else b"403"}
        # Nor does anybody wait for those who have their answer, and do not close.
        for _ in range(10):
            assert connect(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").recv(4096)
        assert server.status("/livez") == 200


def test_six_who_sign_up_with_one_address_at_the_same_moment_get_no_error(deployment: Deployment) -> None:
    person = json.dumps({"email": "twins@example.com", "password": "correct-horse-battery"}).encode()
    with deployment.server(ALLOW_SIGN_UP="open") as server:

        def sign_up(_: int) -> int:
            request = urllib.request.Request(
                f"{server.url}/_allauth/app/v1/auth/signup", person, {"Content-Type": "application/json"}
            )
            with pytest.raises(urllib.error.HTTPError) as answer:
                urllib.request.urlopen(request, timeout=60)
            answer.value.close()
            return int(answer.value.code)

        with ThreadPoolExecutor(6) as six:
            answers = set(six.map(sign_up, range(6)))
    # 429: the mail with the code has been sent a moment ago, or allauth could not count so many at once in time.
    assert answers <= {401, 429}, answers
    assert User.objects.using(ALIAS).filter(email="twins@example.com").count() == (401 in answers)


def test_what_root_has_collected_is_served_to_everybody_by_a_user_of_its_own(deployment: Deployment) -> None:
    # An image is built by root, and runs as a user who owns none of its files.
    collected = [path for path in Path(deployment.environment["STATIC_ROOT"]).rglob("*") if path.is_file()]
    assert len(collected) > 100
    assert [path.name for path in collected if not path.stat().st_mode & stat.S_IROTH] == []
    with deployment.server() as server:
        assert server.status("/readyz") == 200
        assert server.status("/admin/login/") == 200
        assert server.status("/static/core/admin.css") == 200
    with deployment.server(STATIC_ROOT=str(deployment.folder / "nothing")) as server:
        assert server.status("/livez") == 200
        assert server.status("/readyz") == 503


@pytest.mark.django_db
def test_the_image_has_every_file_that_the_pages_of_any_setting_need(deployment: Deployment, settings: Any) -> None:
    settings.STATIC_ROOT = deployment.environment["STATIC_ROOT"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    assert Client().get("/accounts/login/").status_code == 200
    names = [
        name
        for folder in ("account", "mfa", "socialaccount")
        for page in (Path(allauth.__file__).parent / "templates" / folder).rglob("*.html")
        for name in re.findall(r"{% static ['\"](.+?)['\"]", page.read_text())
    ]
    assert "mfa/js/webauthn.js" in names
    for name in names:
        assert staticfiles_storage.url(name)  # an error where it is not in the list


def test_who_has_a_second_factor_can_be_deleted_when_those_are_switched_off_again(deployment: Deployment) -> None:
    someone = User.objects.using(ALIAS).create(email="someone@example.com")
    factors = apps.get_model("mfa.Authenticator").objects.using(ALIAS).filter(user=someone)
    # In bulk: for a single one the audit log would write to the database of this process.
    factors.bulk_create([factors.model(user=someone, type="totp", data={})])
    accounts = apps.get_model("socialaccount.SocialAccount").objects.using(ALIAS).filter(user=someone)
    accounts.bulk_create([accounts.model(user=someone, provider="sso", uid="1")])

    code = "from backend.accounts.models import User; User.objects.get(email='someone@example.com').delete()"
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code]
    environment = deployment.without_doors()
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not User.objects.using(ALIAS).filter(pk=someone.pk).exists()
    assert not factors.exists()
    assert not accounts.exists()


def test_a_database_that_goes_and_comes_back_is_found_again(deployment: Deployment, tmp_path: Path) -> None:
    with (
        _breakable_database(deployment, tmp_path) as (environment, breakable),
        deployment.server(**environment) as server,
    ):
        assert server.status("/readyz") == 200
        assert server.status("/api/me") == 401
        breakable.set()
        wait_for(lambda: server.status("/readyz") == 503)
        wait_for(lambda: _with_key(server.url) == 503)
        assert server.status("/livez") == 200
        breakable.clear()
        wait_for(lambda: server.status("/readyz") == 200)
        # A connection that has been cut may be found by the request that is given it.
        wait_for(lambda: _with_key(server.url) == 401)
        assert server.stop() == 0


def _with_key(url: str) -> int:
    request = urllib.request.Request(f"{url}/api/me", headers={"Authorization": "Bearer key_unknown"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


class Folder:
    """A folder with a database file that can be taken away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set(self) -> None:
        """Take it away."""
        self.folder.rename(self.folder.with_suffix(".away"))

    def clear(self) -> None:
        """Bring it back."""
        self.folder.with_suffix(".away").rename(self.folder)


@contextmanager
def _breakable_database(deployment: Deployment, tmp_path: Path) -> Iterator[tuple[dict[str, str], Wire | Folder]]:
    if not SERVER:
        folder = tmp_path / "database"
        # Reading a file that SQLite has open in this process would end its locks.
        connections[ALIAS].close()
        shutil.copytree(deployment.environment["DATA_DIR"], folder)
        yield {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"}, Folder(folder)
        return
    with Wire(deployment.environment["DATABASE_URL"]) as wire:
        yield {"DATABASE_URL": wire.url}, wire
