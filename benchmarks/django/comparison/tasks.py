"""A task that costs nothing: what remains is the worker's own work."""

from django_tasks import task


@task()
def nothing() -> None:
    pass
