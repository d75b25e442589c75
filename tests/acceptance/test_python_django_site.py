"""The site of a python-django project in Debian's Chromium: axe, three widths, light and dark."""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import processes
import pytest

# It installs a project, Playwright and axe, and wants a browser.
pytestmark = [pytest.mark.release]
PLAYWRIGHT, AXE = "playwright==1.60.0", "axe-core@4.14.1"
ISOLATED = ("uv", "run", "--no-project")
# A small server that speaks S3.
BUCKETS = ("--with", "moto==5.2.5", "--with", "flask==3.1.3", "--with", "flask-cors==6.0.5")
PASSWORD = "a-password-of-the-owner"
MANAGE = (".venv/bin/python", "manage.py")
FILL = f"""
from allauth.account.models import EmailAddress
from backend.accounts.models import ApiKey, User
from backend.teams.models import Team
user = User.objects.create_superuser("owner@example.com", "{PASSWORD}")
EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
print(Team.start("Owners", user).pk, ApiKey.issue(user, "mine")[1])
"""
COLUMNS = "city,a rather long name of a column that nobody would choose,price,when,"


def _table() -> bytes:
    """A table that is wider than any window: 34 columns, one of them with long texts."""
    lines = [COLUMNS + ",".join(f"x{number}" for number in range(30))]
    for row in range(40):
        city = ("Oslo", "Bergen", "")[row % 3]
        lines.append(f"{city},{'long ' * (row + 1)},{row}.5,2020-01-{row % 28 + 1:02}," + ",".join(["1.25"] * 30))
    return "\n".join(lines).encode()


@dataclass(frozen=True)
class Site:
    """A project with its packages and tables, and its first owner, who has a team and a key."""

    project: Path
    url: str
    environment: Mapping[str, str]
    team: str
    key: str

    @property
    def server(self) -> list[str]:
        """The command of the server."""
        return [*MANAGE, "runserver", "--noreload", self.url.rpartition(":")[2]]


@pytest.fixture
def site(render: Callable[..., Path], tools: Mapping[str, str], tmp_path: Path) -> Site:
    """A project to look at in a browser."""
    if not shutil.which("chromium"):
        pytest.skip("no browser: apt-get install chromium")
    project, port = render("python-django"), processes.free_port()
    environment = {**tools, "UV_PYTHON_DOWNLOADS": "never", "DEBUG": "true", "DATA_DIR": str(tmp_path / "data")}
    for command in (
        "uv venv --quiet --python '>=3.11'",
        "uv pip sync --quiet --python .venv --require-hashes requirements.txt",
    ):
        processes.sh(command, project, environment)
    environment["PYTHONPATH"] = "src"
    processes.sh([*MANAGE, "migrate", "-v0"], project, environment)
    team, key = processes.sh([*MANAGE, "shell", "-v0", "-c", FILL], project, environment).stdout.split()[-2:]
    return Site(project, f"http://127.0.0.1:{port}", environment, team, key)


def test_every_page_is_accessible_and_fits_its_window(site: Site, tools: Mapping[str, str], tmp_path: Path) -> None:
    project, url, environment = site.project, site.url, site.environment
    processes.sh(
        f"npm install --no-save --no-audit --no-fund --ignore-scripts --prefix {tmp_path} {AXE}", tmp_path, tools
    )
    axe = tmp_path / "node_modules/axe-core/axe.min.js"
    (pictures := tmp_path / "pictures").mkdir()
    look = Path(__file__).with_name("site_in_browser.py")
    with processes.serve(site.server, project, environment, f"{url}/readyz") as server:
        for name in ("wide.csv", "wide.csv", "broken.csv"):  # the first has two versions
            head = f'--x\r\nContent-Disposition: form-data; name="team_id"\r\n\r\n{site.team}\r\n--x\r\n'
            head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
            form = {"Authorization": f"Bearer {site.key}", "Content-Type": "multipart/form-data; boundary=x"}
            content = _table() if name == "wide.csv" else b"\x00"
            sent = head.encode() + content + b"\r\n--x--\r\n"
            assert processes.http("POST", f"{url}/api/datasets", sent, form).status == 202
            processes.sh([*MANAGE, "worker", "--once"], project, environment)
        command = [*ISOLATED, "--with", PLAYWRIGHT, "python", str(look), url, "owner@example.com"]
        told = processes.sh([*command, PASSWORD, str(axe), str(pictures)], tmp_path, tools).stdout
        server.stop(group=True)
    assert len(list(pictures.iterdir())) == 6 * 13
    assert [line for line in told.splitlines() if line.startswith(("/", "http"))] == []


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_file_is_uploaded_in_parts_that_break_off(
    site: Site, tools: Mapping[str, str], tmp_path: Path, place: str
) -> None:
    """The bucket is on another origin, so the policy of the pages and its own have to allow it."""
    port = processes.free_port()
    bucket = f"http://127.0.0.1:{port}/files"
    at = {"FILES_BUCKET_URL": bucket, "FILES_BUCKET_KEY": "known", "FILES_BUCKET_SECRET": "known"}
    environment = dict(site.environment) | (at if place == "bucket" else {})
    file = tmp_path / "large.csv"
    file.write_bytes(b"name,price\n" + b"Apple,1.5\n" * 2_000_000)
    look = Path(__file__).with_name("upload_in_browser.py")
    with ExitStack() as running:
        if place == "bucket":
            command = [*ISOLATED, *BUCKETS, "moto_server", "--port", str(port)]
            running.enter_context(processes.serve(command, tmp_path, tools, bucket.removesuffix("files")))
            assert processes.http("PUT", bucket).status == 200
        running.enter_context(processes.serve(site.server, site.project, environment, f"{site.url}/readyz"))
        command = [*ISOLATED, "--with", PLAYWRIGHT, "python", str(look), site.url, "owner@example.com"]
        told = processes.sh([*command, PASSWORD, str(file)], tmp_path, tools).stdout
    again, broken, further = json.loads(told.splitlines()[-1])
    assert (again["parts"], again["ended"]) == ([1, 2, 3], "tried again"), told
    assert (broken["parts"], broken["ended"][:20]) == ([1], "The connection broke"), told
    assert (further["parts"], further["ended"]) == ([2, 3], "gone on with"), told
    origin = bucket if place == "bucket" else f"{site.url}/api/uploads/"
    assert all(address.startswith(origin) for page in (again, broken, further) for address in page["addresses"])
