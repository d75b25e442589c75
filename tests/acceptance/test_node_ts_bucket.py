"""Files of a node-ts project in a bucket of a server that speaks S3 and is nobody's stand-in."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import gateway
import processes
import pytest

pytestmark = pytest.mark.release

Environment = Mapping[str, str]


@pytest.fixture
def bucket(tools: Environment, free_port: Callable[[], int], tmp_path: Path) -> Iterator[Environment]:
    """A bucket, as the project's tests are told of one."""
    (tmp_path / "buckets/files").mkdir(parents=True)
    with gateway.served(gateway.build(tools, tmp_path), tools, tmp_path, free_port()) as address:
        yield {
            "TEST_BUCKET_URL": f"{address}/files",
            "TEST_BUCKET_KEY": gateway.KEY,
            "TEST_BUCKET_SECRET": gateway.SECRET,
            "TEST_BUCKET_REGION": gateway.REGION,
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
