"""Django's entry to this part."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Connects the signal of `attempts.py`, also in processes that enqueue nothing."""

    name = "backend.tasks"

    def ready(self) -> None:
        """Import what registers itself."""
        from backend.tasks import attempts  # noqa: F401, PLC0415 - models are not loaded any earlier
