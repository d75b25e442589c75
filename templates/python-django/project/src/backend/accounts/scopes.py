"""What keys may be made for."""

from django.db import models


class Scope(models.TextChoices):
    """What a key may be made for. Who may write may read, too, and none may do more than its owner."""

    READ_DATASETS = "datasets:read", "read data sets"
    WRITE_DATASETS = "datasets:write", "upload, change and delete data sets"
    READ_TEAMS = "teams:read", "see teams and their members"
    WRITE_TEAMS = "teams:write", "start and manage teams"

    @property
    def only_reads(self) -> bool:
        """Tell whether it opens nothing that changes anything."""
        return self.value.endswith(":read")
