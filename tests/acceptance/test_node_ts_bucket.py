"""Files of a node-ts project in a bucket of a server that speaks S3 and is nobody's stand-in."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import processes
import pytest

# A gateway from S3 to a folder, which refuses what is not signed as it is. Building it takes minutes.
pytestmark = pytest.mark.release

GATEWAY = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
KEY, SECRET, REGION = "a-key-of-the-tests", "a-secret-of-the-tests", "eu-test-1"

Environment = Mapping[str, str]


@pytest.fixture(scope="module")
def gateway(tools: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gateway, built from its source."""
    folder = tmp_path_factory.mktemp("gateway")
    processes.sh(f"go install {GATEWAY}", folder, {**tools, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"})
    return folder / "versitygw"


@pytest.fixture
def bucket(gateway: Path, tools: Environment, free_port: Callable[[], int], tmp_path: Path) -> Iterator[Environment]:
    """A bucket, as the project's tests are told of one."""
    (tmp_path / "buckets/files").mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    address = f"127.0.0.1:{free_port()}"
    command = [str(gateway), "--access", KEY, "--secret", SECRET, "--region", REGION, "--port", address]
    # What a file system may have no room for stands in files beside the objects.
    command += ["--health", "/health", "posix", "--sidecar", str(tmp_path / "beside"), str(tmp_path / "buckets")]
    with processes.serve(command, tmp_path, tools, f"http://{address}/health"):
        yield {
            "TEST_BUCKET_URL": f"http://{address}/files",
            "TEST_BUCKET_KEY": KEY,
            "TEST_BUCKET_SECRET": SECRET,
            "TEST_BUCKET_REGION": REGION,
        }


def test_files_are_kept_in_a_real_bucket(
    render: Callable[..., Path], tools: Environment, bucket: Environment, tmp_path: Path
) -> None:
    project = render("node-ts")
    processes.sh("npm ci --no-audit --no-fund", project, tools)
    ran = processes.sh("npm test -- files-bucket", project, {**tools, **bucket})
    # Both are of a bucket that stalls and fails on request.
    assert "2 skipped" in ran.stdout, ran.stdout[-3000:]
    assert [path for path in (tmp_path / "buckets/files").rglob("*") if path.is_file()]
