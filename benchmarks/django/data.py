"""Fills and asks the database of the project being measured: `data.py COMMAND [ARGUMENT]` prints one JSON value."""

import json
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

django.setup()

from backend.accounts.models import ApiKey, User  # noqa: E402
from backend.datasets.models import Dataset  # noqa: E402
from backend.datasets.tasks import profile_dataset  # noqa: E402
from backend.teams.models import Team  # noqa: E402
from comparison.tasks import nothing  # noqa: E402
from django_tasks_db.models import DBTaskResult  # noqa: E402


def fill(rows: str) -> str:
    """Make a team that owns data sets; gives the secret of its owner's key."""
    user = User.objects.create_user("ada@example.com")
    team = Team.start("bench", user)
    for row in range(int(rows)):
        dataset = Dataset.objects.create(
            team=team,
            uploaded_by=user,
            name=f"data set {row}",
            format="csv",
            file=f"datasets/{uuid.uuid4()}.csv",
            file_name="data.csv",
            size=row,
        )
        # Whole seconds, which all three write alike.
        created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=row)
        Dataset.objects.filter(pk=dataset.pk).update(created_at=created)
    return ApiKey.issue(user, "bench")[1]


def enqueue(count: str) -> float:
    """Replace all tasks with ones that do nothing; gives the seconds that enqueueing took."""
    DBTaskResult.objects.all().delete()
    start = time.perf_counter()
    for _ in range(int(count)):
        nothing.enqueue()
    return time.perf_counter() - start


def successful() -> int:
    """Count what `enqueue` has made; a worker that starts also takes its turn at the scheduled tasks."""
    return DBTaskResult.objects.successful().filter(task_path=nothing.module_path).count()


def dataset(size: str, file_format: str) -> str:
    """Make a data set and the task that profiles it; gives where its file belongs."""
    DBTaskResult.objects.all().delete()
    key = uuid.uuid4()
    name = f"datasets/{key}.{file_format}"
    team = Team.objects.get()
    made = Dataset.objects.create(
        pk=key, team=team, name="large", format=file_format, file=name, file_name=name, size=int(size)
    )
    profile_dataset.enqueue(str(made.pk))
    return made.file.path


def found() -> object:
    """Give what the worker found in the newest data set."""
    newest = Dataset.objects.order_by("-created_at").first()
    return newest and (newest.profile or newest.problem)


def team() -> str:
    """Give the team that owns the data sets."""
    return str(Team.objects.get().pk)


def kept(name: str) -> list[int]:
    """Count the data sets of a name, and the bytes of their files."""
    sizes = [Path(each.file.path).stat().st_size for each in Dataset.objects.filter(name=name)]
    return [len(sizes), sum(sizes)]


COMMANDS = {command.__name__: command for command in (fill, enqueue, successful, dataset, found, team, kept)}
print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
