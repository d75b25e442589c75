"""A task for the tests of real workers."""

import time
from pathlib import Path

from django_tasks import task


@task(max_attempts=3, backoff_seconds=0.1)
def slow_at_first(folder: str) -> str:
    """Note each attempt; the first one takes longer than anybody waits."""
    notes = list(Path(folder).glob("attempt-*"))
    Path(folder, f"attempt-{len(notes) + 1}").touch()
    if not notes:
        time.sleep(120)
    return f"attempt {len(notes) + 1}"


@task()
def until(file: str) -> str:
    """Take as long as there is no such file."""
    while not Path(file).exists():
        time.sleep(0.05)
    return "done"


@task(queue_name="long")
def long_until(file: str) -> str:
    """Take as long as there is no such file, in the queue of those that do."""
    return until.call(file)


@task()
def quick() -> None:
    """Do nothing."""
