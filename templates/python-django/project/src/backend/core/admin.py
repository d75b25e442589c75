"""What the admin pages of several parts share."""

from typing import Generic, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html

M = TypeVar("M", bound=Model)


def badge(text: str, kind: str) -> str:
    """Show a word in a colour: neutral, busy, good or bad."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, text)


class ReadOnlyAdmin(admin.ModelAdmin[M], Generic[M]):
    """Pages that show what the program writes by itself."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - the interface's signature
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False
