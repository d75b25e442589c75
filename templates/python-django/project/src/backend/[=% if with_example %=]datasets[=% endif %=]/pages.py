"""The pages about data sets: the list, an upload, what was found in a file, and what the workers are at."""

import uuid
from http import HTTPMethod
from typing import cast
from urllib.parse import urlencode

import ninja
from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django_tasks_db.models import DBTaskResult
from pydantic import ValidationError

from backend.accounts.auth import current_user
from backend.core.pages import View, action, in_words, page, telling
from backend.core.problems import Refused
from backend.datasets import api
from backend.datasets.formats import FORMATS
from backend.datasets.models import Copy, Dataset, Format, Making, Status
from backend.datasets.plots import DRAWN, drawings
from backend.datasets.profile import PREVIEW_COLUMNS, Profile
from backend.datasets.tasks import make_copy, profile_dataset
from backend.tasks.models import Worker
from backend.teams.models import Invitation, Role, Team

ON_A_PAGE = 50
ORDERS = {"-created_at": "Newest first", "created_at": "Oldest first", "name": "Name", "-size": "Largest first"}
FIRST_ROWS = 10
STRONGEST = 10
VERSIONS = 10
# What is done with a file that cannot be read is done well, so a task says nothing of success.
TASK_WORDS = {"READY": "Waiting", "RUNNING": "Running", "SUCCESSFUL": "Done", "FAILED": "Failed"}


@page
def show_datasets(request: HttpRequest) -> HttpResponse:
    """List the data sets of one's teams, or some of them."""
    user = current_user(request)
    wanted = {name: value for name, value in request.GET.items() if value and name in api.Filters.model_fields}
    try:
        filters = api.Filters.model_validate(wanted)
    except ValidationError:  # an address that somebody has typed
        filters = api.Filters.model_validate({})
    found = Paginator(api.matching(request, filters).select_related("team"), ON_A_PAGE)
    shown = found.get_page(request.GET.get("page"))
    in_progress = any(not dataset.state.is_final for dataset in shown)
    teams = Team.objects.of(user)
    context = {
        "section": "datasets",
        "datasets": shown,
        "filters": filters,
        "is_filtered": bool(wanted),
        "query": urlencode(filters.model_dump(mode="json", exclude_none=True)),
        "teams": teams,
        "may_upload": any(Role(team.role).allows(Role.EDITOR) for team in teams),
        "invited": Invitation.objects.open().filter(email=user.email).exists(),
        "statuses": Status,
        "orders": ORDERS,
        "in_progress": in_progress,
        "nobody_works": in_progress and not Worker.objects.alive().exists(),
    }
    return render(request, "datasets/list.html", context)


def upload_page(view: View[[]]) -> View[[]]:
    """Open a page with a form for a file, of which nothing is read before it is known who sends it.

    Django looks for the CSRF token in the form, for which it reads the whole body: here that is done last.
    """
    return csrf_exempt(page(csrf_protect(view)))


@upload_page
def new_dataset(request: HttpRequest) -> HttpResponse:
    """Show the form for an upload, and take it from browsers that run no scripts: the others send it to the API."""
    problem = ""
    if request.method == HTTPMethod.POST:
        try:
            dataset = _take(request)
        except (Refused, ValidationError) as error:
            problem = in_words(error)
        else:
            messages.success(request, "The file has arrived.")
            return redirect("dataset", dataset.pk)
    teams = [team for team in Team.objects.of(current_user(request)) if Role(team.role).allows(Role.EDITOR)]
    context = {
        "section": "datasets",
        "teams": teams,
        "chosen": request.POST.get("team_id") or request.GET.get("team_id"),
        "named": request.POST.get("name") or request.GET.get("name", ""),
        "problem": problem,
        "extensions": ",".join(f".{name}" for name in FORMATS),
        "most": settings.MAX_UPLOAD_BYTES,
    }
    return render(request, "datasets/new.html", context, status=422 if problem else 200)


def _take(request: HttpRequest) -> Dataset:
    fields = {"team_id": request.POST.get("team_id"), "name": request.POST.get("name") or None}
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        raise Refused(422, "Choose a file.")
    return api.upload_dataset(request, api.DatasetIn.model_validate(fields), cast("ninja.UploadedFile", file)).value


@page
def show_dataset(request: HttpRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """Show what is known about a data set."""
    dataset = api.get_dataset(request, dataset_id)
    found = dataset.found
    copy = Copy.objects.filter(pk=dataset.pk).first()
    is_being_copied = copy is not None and copy.status == Making.MAKING
    in_progress = is_being_copied or not dataset.state.is_final
    versions = list(Dataset.objects.versions_of(dataset).defer("profile")[: VERSIONS + 1])
    context = {
        "section": "datasets",
        "dataset": dataset,
        "may_edit": Role(dataset.role).allows(Role.EDITOR),
        "found": found,
        **(_rows(request, found) if found else {}),
        "copy": copy,
        "other": Format(dataset.format).other.label,
        "is_being_copied": is_being_copied,
        "in_progress": in_progress,
        "versions": versions[:VERSIONS],
        "newest": versions[0] if versions else dataset,  # somebody may have deleted it meanwhile
        "more_versions": len(versions) > VERSIONS,
        "columns": drawings(found.columns) if found else [],
        "more": len(found.columns[DRAWN:]) if found else 0,
        "correlations": sorted(found.correlations, key=lambda each: -abs(each.pearson))[:STRONGEST] if found else [],
        "nobody_works": in_progress and not Worker.objects.alive().exists(),
    }
    return render(request, "datasets/dataset.html", context)


def _rows(request: HttpRequest, found: Profile) -> dict[str, object]:
    """Give the first rows, or those that have a text in a column or in any, of all that the profile holds."""
    columns = [column.name for column in found.columns[:PREVIEW_COLUMNS]]
    chosen, text = request.GET.get("column", ""), request.GET.get("text", "").strip()
    rows = found.preview[:FIRST_ROWS]
    if text:
        places = [place for place, name in enumerate(columns) if chosen in {"", name}]
        wanted = text.casefold()
        rows = [row for row in found.preview if any(wanted in (row[place] or "").casefold() for place in places)]
    return {"previewed": columns, "rows": rows, "chosen": chosen, "text": text}


@action
def rename(request: HttpRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """Give a data set another name."""
    with telling(request, "The data set has its new name."):
        api.rename_dataset(request, dataset_id, api.NameIn(name=request.POST.get("name", "")))
    return redirect("dataset", dataset_id)


@action
def profile_again(request: HttpRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """Have the file read once more."""
    with telling(request, "A worker will read the file again."):
        api.profile_again(request, dataset_id)
    return redirect("dataset", dataset_id)


@action
def ask_for_copy(request: HttpRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """Have the data set written in the other format."""
    with telling(request, "A worker will write the file, which can be downloaded here then."):
        api.ask_for_copy(request, dataset_id)
    return redirect("dataset", dataset_id)


@action
def delete(request: HttpRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """Delete a data set with its file."""
    with telling(request, "The data set is deleted."):
        api.delete_dataset(request, dataset_id)
    return redirect("datasets")


@page
def show_tasks(request: HttpRequest) -> HttpResponse:
    """Show the newest tasks that read files of one's teams, and whether a worker is there."""
    kinds = {profile_dataset.module_path: "Read", make_copy.module_path: "Write a copy"}
    tasks = list(DBTaskResult.objects.filter(task_path__in=kinds).order_by("-enqueued_at")[:200])
    ids = {str(task.args_kwargs["args"][0]) for task in tasks}
    mine = Dataset.objects.visible_to(current_user(request)).filter(pk__in=ids).only("pk", "name", "status", "problem")
    names = {str(dataset.pk): dataset for dataset in mine}
    rows = [
        {
            "task": task,
            "dataset": names[task.args_kwargs["args"][0]],
            "kind": kinds[task.task_path],
            "word": TASK_WORDS[task.status],
        }
        for task in tasks
        if task.args_kwargs["args"][0] in names
    ]
    workers = Worker.objects.alive().count()
    in_progress = any(row["task"].finished_at is None for row in rows)
    context = {"section": "tasks", "rows": rows[:ON_A_PAGE], "workers": workers, "in_progress": in_progress}
    return render(request, "datasets/tasks.html", context)
