"""The site of a python-django project in Debian's Chromium: axe, three widths, light and dark."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import processes
import pytest

# It installs a project, Playwright and axe, and wants a browser.
pytestmark = [pytest.mark.release]
PLAYWRIGHT, AXE = "playwright==1.60.0", "axe-core@4.14.1"
PASSWORD = "a-password-of-the-owner"
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


def test_every_page_is_accessible_and_fits_its_window(
    render: Callable[..., Path], tools: Mapping[str, str], tmp_path: Path
) -> None:
    if not shutil.which("chromium"):
        pytest.skip("no browser: apt-get install chromium")
    project, port = render("python-django"), processes.free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**tools, "UV_PYTHON_DOWNLOADS": "never", "DEBUG": "true", "DATA_DIR": str(tmp_path / "data")}
    for command in (
        "uv venv --quiet --python '>=3.11'",
        "uv pip sync --quiet --python .venv --require-hashes requirements.txt",
    ):
        processes.sh(command, project, environment)
    manage = [".venv/bin/python", "manage.py"]
    environment["PYTHONPATH"] = "src"
    processes.sh([*manage, "migrate", "-v0"], project, environment)
    team, key = processes.sh([*manage, "shell", "-v0", "-c", FILL], project, environment).stdout.split()[-2:]
    processes.sh(
        f"npm install --no-save --no-audit --no-fund --ignore-scripts --prefix {tmp_path} {AXE}", tmp_path, tools
    )
    axe = tmp_path / "node_modules/axe-core/axe.min.js"
    (pictures := tmp_path / "pictures").mkdir()
    look = Path(__file__).with_name("site_in_browser.py")
    server = [*manage, "runserver", "--noreload", str(port)]
    with processes.serve(server, project, environment, f"{url}/readyz") as site:
        for name in ("wide.csv", "wide.csv", "broken.csv"):  # the first has two versions
            head = f'--x\r\nContent-Disposition: form-data; name="team_id"\r\n\r\n{team}\r\n--x\r\n'
            head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
            form = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
            content = _table() if name == "wide.csv" else b"\x00"
            sent = head.encode() + content + b"\r\n--x--\r\n"
            assert processes.http("POST", f"{url}/api/datasets", sent, form).status == 202
            processes.sh([*manage, "worker", "--once"], project, environment)
        command = ["uv", "run", "--no-project", "--with", PLAYWRIGHT, "python", str(look), url, "owner@example.com"]
        told = processes.sh([*command, PASSWORD, str(axe), str(pictures)], tmp_path, tools).stdout
        site.stop(group=True)
    assert len(list(pictures.iterdir())) == 6 * 13
    assert [line for line in told.splitlines() if line.startswith(("/", "http"))] == []
