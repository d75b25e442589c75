"""`manage.py export_openapi`: writes the API's description to the file that is kept in the repository."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from backend.env import PROJECT

FILE = PROJECT / "openapi.json"


def description() -> str:
    """Give the API's OpenAPI description as text."""
    from backend.api import api  # noqa: PLC0415 - URLs exist only once Django is set up

    return json.dumps(api.get_openapi_schema(), indent=2, ensure_ascii=False) + "\n"


class Command(BaseCommand):
    """Export the API's description."""

    help = f"Write {FILE.name}; a test fails while it differs from the code"

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Write the file."""
        Path(FILE).write_text(description(), encoding="utf-8")
        self.stdout.write(f"wrote {FILE.name}")
