"""`manage.py export_openapi`: writes the API's description to the file in the repository; `--check` looks at it."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.env import PROJECT

FILE = PROJECT / "openapi.json"


def description() -> str:
    """Give the API's OpenAPI description as text."""
    from backend.api import api  # noqa: PLC0415 - URLs exist only once Django is set up

    return json.dumps(api.get_openapi_schema(), indent=2, ensure_ascii=False) + "\n"


class Command(BaseCommand):
    """Export the API's description."""

    help = f"Write {FILE.name}; a test fails while it differs from the code"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the option."""
        parser.add_argument("--check", action="store_true", help="write nothing, and fail where it would change")

    def handle(self, *_args: Any, check: bool = False, **_options: Any) -> None:
        """Write the file, or compare it."""
        if check:
            if FILE.read_text(encoding="utf-8") != description():
                msg = f"{FILE.name} is not what the code says: run manage.py export_openapi"
                raise CommandError(msg)
            return
        Path(FILE).write_text(description(), encoding="utf-8")
        self.stdout.write(f"wrote {FILE.name}")
