"""Django's entry to this part."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Listens to what others do."""

    name = "backend.audit"
    verbose_name = "Audit log"

    def ready(self) -> None:
        """Connect the signals, once there are all models."""
        from backend.audit import signals  # noqa: F401, PLC0415 - models are not there before
