"""Files of a python-django project in buckets of a server that checks signatures and is nobody's stand-in."""

import sys
from collections.abc import Callable
from pathlib import Path

import gateway
import processes
import pytest

pytestmark = pytest.mark.release


def test_files_are_kept_in_a_real_bucket(
    render: Callable[..., Path],
    with_python: Callable[[str], dict[str, str]],
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    project, tools = render("python-django"), with_python(sys.executable)
    processes.sh("uv venv", project, tools)
    processes.sh("uv pip sync --python .venv --require-hashes requirements-dev.txt", project, tools)
    processes.sh("uv pip install --python .venv --no-deps --editable .", project, tools)
    with gateway.served(gateway.build(tools, tmp_path), tools, tmp_path, free_port()) as address:
        known = {
            "TEST_BUCKET_URL": address,
            "TEST_BUCKET_KEY": gateway.KEY,
            "TEST_BUCKET_SECRET": gateway.SECRET,
            "TEST_BUCKET_REGION": gateway.REGION,
        }
        tests = ["tests/datasets/test_uploads.py", "tests/processes/datasets/test_client.py", "-k", "bucket"]
        ran = processes.sh([".venv/bin/python", "-m", "pytest", "-q", *tests], project, {**tools, **known})
        assert " passed" in ran.stdout, ran.stdout[-3000:]
        assert [path for path in (tmp_path / "buckets").rglob("*") if path.is_file()]
        wrong = {**tools, **known, "TEST_BUCKET_SECRET": "another"}
        refused = processes.sh([".venv/bin/python", "-m", "pytest", "-q", "-x", *tests], project, wrong, check=False)
    assert refused.returncode == 1, refused.stdout[-3000:]
