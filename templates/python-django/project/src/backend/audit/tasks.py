"""What workers do for the audit log."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django_tasks import task

from backend.audit.models import Entry


@task()
def forget_entries() -> int:
    """Delete the entries that are older than AUDIT_DAYS."""
    return int(Entry.objects.filter(at__lt=timezone.now() - timedelta(days=settings.AUDIT_DAYS)).delete()[0])
