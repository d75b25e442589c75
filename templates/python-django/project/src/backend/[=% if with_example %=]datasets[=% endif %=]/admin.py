"""Data sets in the admin, with their profiles drawn."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from backend.accounts.auth import current_user
from backend.audit.admin import AuditedAdmin
from backend.audit.log import record
from backend.audit.models import Action
from backend.core.admin import badge
from backend.core.pages import refusal
from backend.core.problems import Refused
from backend.datasets import api
from backend.datasets.models import Dataset, Status
from backend.datasets.plots import DRAWN, drawings
from backend.datasets.tasks import profile_dataset
from backend.teams.models import Team


class UploadForm(forms.Form):
    """A file for any team."""

    team = forms.ModelChoiceField(Team.objects.order_by("name"))
    file = forms.FileField(help_text="CSV or Parquet, not compressed")
    name = forms.CharField(max_length=200, required=False, help_text="Without one, it is called as the file is.")


@admin.register(Dataset)
class DatasetAdmin(AuditedAdmin[Dataset]):
    """Data sets: they are uploaded, read, renamed, profiled again and deleted."""

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

    # The CSRF token is looked for in the form, for which all of it is read: that is done last, as on the site's page.
    @method_decorator(csrf_exempt)
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Take a file: a data set begins with an upload."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        try:
            return self._upload(request)
        except RequestDataTooBig as error:
            return refusal(request, 413, str(error))

    @method_decorator(csrf_protect)
    def _upload(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            given = form.cleaned_data
            try:
                dataset = api.take(given["team"], current_user(request), given["file"], given["name"])
            except Refused as refused:
                form.add_error("file", refused.detail or "The file cannot be taken.")
            else:
                messages.success(request, "The file has arrived.")
                return redirect("admin:datasets_dataset_change", dataset.pk)
        shown = self.admin_site.each_context(request) | {"title": "Upload a file", "form": form, "opts": self.opts}
        return render(request, "admin/datasets/dataset/upload.html", shown)

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
