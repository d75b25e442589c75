"""Data sets in the admin, with their profiles drawn."""

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string

from backend.audit.admin import AuditedAdmin
from backend.audit.log import record
from backend.audit.models import Action
from backend.core.admin import badge
from backend.datasets.models import Dataset, Status
from backend.datasets.plots import DRAWN, drawings
from backend.datasets.tasks import profile_dataset


@admin.register(Dataset)
class DatasetAdmin(AuditedAdmin[Dataset]):
    """Data sets; they come by upload, so here they are read, renamed, profiled again and deleted."""

    list_display = ("name", "team", "state", "file_size", "rows", "columns", "created_at")
    list_filter = ("status", "format", "created_at")
    list_select_related = ("team",)
    search_fields = ("name", "file_name", "team__name", "uploaded_by__email")
    date_hierarchy = "created_at"
    actions = ("profile_again",)
    fields = (
        *("name", "team", "uploaded_by", "file_name", "format", "file_size", "created_at"),
        *("state", "problem", "row_count", "column_count", "profiled_at", "distributions"),
    )
    readonly_fields = fields[1:]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - the interface's signature
        """Refuse: a data set begins with an upload."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        """Leave the profiles where they are until one is looked at."""
        return super().get_queryset(request).defer("profile")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> None:  # noqa: ARG002
        """Delete one by one, so that the files go, too."""
        for dataset in queryset:
            dataset.delete()

    @admin.display(description="status", ordering="status")
    def state(self, dataset: Dataset) -> str:
        """Show the status in its colour."""
        return badge(dataset.get_status_display(), dataset.state.colour)

    @admin.display(description="size", ordering="size")
    def file_size(self, dataset: Dataset) -> str:
        """Show the size in units that people read."""
        return str(filesizeformat(dataset.size))

    @admin.display(description="rows", ordering="row_count")
    def rows(self, dataset: Dataset) -> int | None:
        """Show how many there are, under a title that leaves room for others."""
        return dataset.row_count

    @admin.display(description="columns", ordering="column_count")
    def columns(self, dataset: Dataset) -> int | None:
        """Show how many there are."""
        return dataset.column_count

    @admin.display(description="profile")
    def distributions(self, dataset: Dataset) -> str:
        """Draw each column."""
        found = dataset.found
        columns = found.columns if found else []
        shown = {"columns": drawings(columns), "more": len(columns[DRAWN:])}
        return render_to_string("datasets/profile.html", shown)

    @admin.action(description="Profile the selected data sets again", permissions=["change"])
    def profile_again(self, request: HttpRequest, datasets: QuerySet[Dataset]) -> None:
        """Enqueue the finished ones once more."""
        finished = datasets.filter(status__in=(Status.READY, Status.FAILED))
        with transaction.atomic():
            for dataset in finished:
                dataset.set_pending()
                profile_dataset.enqueue(str(dataset.pk))
                record(Action.PROFILED_AGAIN, dataset, team_id=dataset.team_id)
            messages.success(request, f"{len(finished)} data sets will be profiled again.")
