"""A gateway from S3 to a folder, which refuses what is not signed as it is. Building it takes minutes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import processes

SOURCE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
KEY, SECRET, REGION = "a-key-of-the-tests", "a-secret-of-the-tests", "eu-test-1"


def build(tools: Mapping[str, str], folder: Path) -> Path:
    """Build it from its source."""
    processes.sh(f"go install {SOURCE}", folder, {**tools, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"})
    return folder / "versitygw"


@contextmanager
def served(gateway: Path, tools: Mapping[str, str], folder: Path, port: int) -> Iterator[str]:
    """Serve the folders below `buckets` of a folder, and give the address."""
    for name in ("buckets", "beside"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{port}"
    command = [str(gateway), "--access", KEY, "--secret", SECRET, "--region", REGION, "--port", address]
    # What a file system may have no room for stands in files beside the objects.
    command += ["--health", "/health", "posix", "--sidecar", str(folder / "beside"), str(folder / "buckets")]
    with processes.serve(command, folder, tools, f"http://{address}/health"):
        yield f"http://{address}"
