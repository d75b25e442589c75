"""Django's entry to this part."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Connects the signals of `tasks.py` and `teams.py`, also in processes that enqueue nothing."""

    name = "backend.datasets"

    def ready(self) -> None:
        """Import what registers itself."""
        from backend.datasets import tasks, teams  # noqa: F401, PLC0415 - models are not loaded any earlier
