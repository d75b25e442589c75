"""Operations on data sets."""

import uuid
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, File, Form, Query, Router, Schema, UploadedFile
from ninja.pagination import paginate
from ninja.responses import Status as Answer

from backend.accounts.auth import current_user
from backend.accounts.models import User
from backend.audit.log import done_lately, record
from backend.audit.models import Action
from backend.core.fields import Pagination, Text
from backend.core.problems import Refused, responses
from backend.datasets.downloads import download
from backend.datasets.export import to_csv
from backend.datasets.formats import FORMATS
from backend.datasets.models import Copy, Dataset, Format, Making, Status, stored_name
from backend.datasets.plots import plot
from backend.datasets.profile import Column, Profile
from backend.datasets.room import check_room
from backend.datasets.tasks import make_copy, profile_dataset
from backend.teams.access import require, team_for
from backend.teams.models import Role, Team

router = Router(tags=["data sets"])
A_FILE: dict[str, Any] = {
    "responses": {
        status: {
            "description": description,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
        for status, description in ((200, "OK"), (206, "The part that `Range` asks for"))
    }
}
# So many bytes tell an archive and a Parquet file.
START = 4


class DatasetOut(Schema):
    """A data set; `problem` says why a profile has failed."""

    id: uuid.UUID
    team_id: uuid.UUID
    name: str
    format: Format
    file_name: str
    size: int
    status: Status
    problem: str
    row_count: int | None
    column_count: int | None
    created_at: datetime
    profiled_at: datetime | None
    kept_until: datetime | None


class CopyOut(Schema):
    """A data set in the other format; `problem` says why it could not be made."""

    format: Format
    status: Making
    problem: str
    size: int
    kept_until: datetime


class DatasetIn(Schema):
    """What belongs to an upload beside the file."""

    team_id: uuid.UUID
    name: Text | None = None


class NameIn(Schema):
    """A new name."""

    name: Text


class Filters(Schema):
    """Which data sets to list."""

    team_id: uuid.UUID | None = None
    status: Status | None = None
    format: Format | None = None
    search: Text | None = Field(None, description="Part of the name, in any case")
    newest: bool = Field(default=False, description="Of those that a team gave one name, the newest alone")
    order: Literal["created_at", "-created_at", "name", "-name", "size", "-size"] = "-created_at"


@router.get("", response={200: list[DatasetOut], **responses(401, 403, 422)})
@paginate(Pagination)
def list_datasets(request: HttpRequest, filters: Annotated[Filters, Query()]) -> QuerySet[Dataset]:
    """List the data sets of one's teams."""
    return matching(request, filters)


def matching(request: HttpRequest, filters: Filters) -> QuerySet[Dataset]:
    """Give those data sets of one's teams that are wanted."""
    datasets = Dataset.objects.visible_to(current_user(request)).defer("profile")
    wanted = {"team_id": filters.team_id, "status": filters.status, "format": filters.format}
    datasets = datasets.filter(**{field: value for field, value in wanted.items() if value is not None})
    if filters.search:
        datasets = datasets.filter(name__icontains=filters.search)
    if filters.newest:
        datasets = datasets.newest()
    return datasets.order_by(filters.order, "id")


@router.post("", response={202: DatasetOut, **responses(400, 401, 403, 404, 409, 413, 415, 422)})
def upload_dataset(
    request: HttpRequest, fields: Annotated[DatasetIn, Form()], file: Annotated[UploadedFile, File()]
) -> Answer[Dataset]:
    """Upload a file for a team; a worker profiles it. Ask for the data set until its status is ready or failed."""
    team = team_for(request, fields.team_id, Role.EDITOR)
    return Answer(202, take(team, current_user(request), file, fields.name))


def take(team: Team, user: User, file: UploadedFile, name: str | None) -> Dataset:
    """Make a file that a form has brought a data set of a team, or refuse it; who may do that has been asked before."""
    file_name = file.name or "data"
    file_format = format_of(file_name)
    start = file.read(START)
    file.seek(0)
    check_start(start, file_format)
    dataset = Dataset(
        team=team,
        uploaded_by=user,
        name=name or name_of(file_name),
        format=file_format,
        file_name=file_name[-200:],
        size=file.size or 0,
    )
    # Before the transaction: a bucket takes its time.
    dataset.file.name = default_storage.save(stored_name(dataset), file)
    try:
        with transaction.atomic():
            check_room(team, dataset.size)
            keep(dataset)
    except Refused:
        default_storage.delete(dataset.file.name)
        raise
    return dataset


def keep(dataset: Dataset) -> None:
    """Make a stored file a data set, in the transaction of the caller."""
    dataset.save(force_insert=True)
    profile_dataset.enqueue(str(dataset.pk))
    record(Action.UPLOADED, dataset, team_id=dataset.team_id, file=dataset.file_name, bytes=dataset.size)


@router.get("/{uuid:dataset_id}", response={200: DatasetOut, **responses(401, 403, 404)})
def get_dataset(request: HttpRequest, dataset_id: uuid.UUID) -> Dataset:
    """Give one data set."""
    return _dataset_for(request, dataset_id)


@router.patch("/{uuid:dataset_id}", response={200: DatasetOut, **responses(400, 401, 403, 404, 413, 422)})
def rename_dataset(request: HttpRequest, dataset_id: uuid.UUID, change: NameIn) -> object:
    """Rename a data set; editors may."""
    dataset = _dataset_for(request, dataset_id, Role.EDITOR)
    was, dataset.name = dataset.name, change.name
    with transaction.atomic():
        dataset.save(update_fields=["name"])
        record(Action.RENAMED, dataset, team_id=dataset.team_id, was=was)
    return dataset


@router.delete("/{uuid:dataset_id}", response={204: None, **responses(401, 403, 404)})
def delete_dataset(request: HttpRequest, dataset_id: uuid.UUID) -> object:
    """Delete a data set with its file; editors may."""
    dataset = _dataset_for(request, dataset_id, Role.EDITOR)
    with transaction.atomic():
        record(Action.DELETED, dataset, team_id=dataset.team_id)
        dataset.delete()
    return Answer(204, None)


@router.get("/{uuid:dataset_id}/versions", response={200: list[DatasetOut], **responses(401, 403, 404, 422)})
@paginate(Pagination)
def list_versions(request: HttpRequest, dataset_id: uuid.UUID) -> QuerySet[Dataset]:
    """List the versions of a data set, the newest first: what the team has uploaded under its name."""
    return Dataset.objects.versions_of(_dataset_for(request, dataset_id)).defer("profile")


@router.post("/{uuid:dataset_id}/profile", response={202: DatasetOut, **responses(401, 403, 404, 409)})
def profile_again(request: HttpRequest, dataset_id: uuid.UUID) -> object:
    """Have the file profiled once more; editors may."""
    with transaction.atomic():
        dataset = _dataset_for(request, dataset_id, Role.EDITOR)
        if not dataset.state.is_final:
            raise Refused(409, "A worker has this data set already.")
        dataset.set_pending()
        profile_dataset.enqueue(str(dataset.pk))
        record(Action.PROFILED_AGAIN, dataset, team_id=dataset.team_id)
    return Answer(202, dataset)


@router.get("/{uuid:dataset_id}/profile", response={200: Profile, **responses(401, 403, 404, 409)})
def get_profile(request: HttpRequest, dataset_id: uuid.UUID) -> object:
    """Give what was found in the file."""
    return _profile_for(request, dataset_id)


@router.get(
    "/{uuid:dataset_id}/profile.csv",
    response=responses(401, 403, 404, 409),
    openapi_extra={"responses": {200: {"description": "OK", "content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def export_profile(request: HttpRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """Give the profile as a table for a spreadsheet."""
    columns = _profile_for(request, dataset_id).columns
    fields = [name for name in Column.model_fields if name not in {"top", "histogram", "notes"}]
    rows = [[*(getattr(column, field) for field in fields), " ".join(column.notes)] for column in columns]
    return _download(to_csv([[*fields, "notes"], *rows]), "text/csv; charset=utf-8", f"profile-{dataset_id}.csv")


@router.get(
    "/{uuid:dataset_id}/plots/{int:position}.svg",
    response=responses(401, 403, 404, 409),
    openapi_extra={
        "responses": {200: {"description": "OK", "content": {"image/svg+xml": {"schema": {"type": "string"}}}}}
    },
)
def get_plot(request: HttpRequest, dataset_id: uuid.UUID, position: int) -> HttpResponse:
    """Draw the distribution of a column; the first has the position 0."""
    columns = _profile_for(request, dataset_id).columns
    if position >= len(columns):
        raise Refused(404, f"The data set has {len(columns)} columns.")
    drawing = HttpResponse(plot(columns[position], alone=True), content_type="image/svg+xml")
    # It has a style for light and dark of its own, and nothing else that could act.
    drawing["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return drawing


@router.get("/{uuid:dataset_id}/file", response=responses(401, 403, 404, 416), openapi_extra=A_FILE)
def download_file(request: HttpRequest, dataset_id: uuid.UUID) -> HttpResponse | FileResponse:
    """Give the file back, byte for byte, or with `Range` a part of it; a file never changes, and `ETag` names it."""
    dataset = _dataset_for(request, dataset_id)
    _record_download(request, dataset)
    return download(request, str(dataset.file.name), size=dataset.size, name=dataset.file_name, etag=f'"{dataset.pk}"')


@router.post("/{uuid:dataset_id}/copy", response={202: CopyOut, **responses(401, 403, 404, 409)})
def ask_for_copy(request: HttpRequest, dataset_id: uuid.UUID) -> object:
    """Have a worker write the data set in the other format: Parquet for a CSV file, with types, and CSV for Parquet.

    Everybody who sees the data set may. Ask for the copy until its status is ready or failed; it is kept for a day.
    """
    with transaction.atomic():
        dataset = _dataset_for(request, dataset_id)
        _profile_for(request, dataset_id)
        wanted = {"format": Format(dataset.format).other}
        copy, is_new = Copy.objects.select_for_update().get_or_create(pk=dataset.pk, defaults=wanted)
        if is_new or copy.status == Making.FAILED:
            copy.status, copy.problem, copy.asked_at = Making.MAKING, "", timezone.now()
            copy.save()
            make_copy.enqueue(str(dataset.pk))
            record(Action.COPIED, dataset, team_id=dataset.team_id, format=copy.format)
    return Answer(202, copy)


@router.get("/{uuid:dataset_id}/copy", response={200: CopyOut, **responses(401, 403, 404)})
def get_copy(request: HttpRequest, dataset_id: uuid.UUID) -> Copy:
    """Tell how far the copy in the other format is; 404 where nobody has asked for one."""
    return _dataset_for(request, dataset_id).copy


@router.get("/{uuid:dataset_id}/copy/file", response=responses(401, 403, 404, 409, 416), openapi_extra=A_FILE)
def download_copy(request: HttpRequest, dataset_id: uuid.UUID) -> HttpResponse | FileResponse:
    """Give the copy in the other format, or with `Range` a part of it."""
    dataset = _dataset_for(request, dataset_id)
    copy = dataset.copy
    if copy.status != Making.READY:
        raise Refused(409, copy.problem or "The copy is not ready yet.")
    _record_download(request, dataset, format=copy.format)
    etag = f'"{dataset.pk}.{copy.asked_at.timestamp()}"'
    return download(request, copy.stored_name, size=copy.size, name=copy.file_name, etag=etag)


def _record_download(request: HttpRequest, dataset: Dataset, **details: str) -> None:
    # The parts of a file that somebody reads within an hour are one download.
    if "Range" not in request.headers or not done_lately(Action.DOWNLOADED, dataset, current_user(request)):
        record(Action.DOWNLOADED, dataset, team_id=dataset.team_id, **details)


def _dataset_for(request: HttpRequest, dataset_id: uuid.UUID, needed: Role = Role.VIEWER) -> Dataset:
    dataset = Dataset.objects.visible_to(current_user(request)).get(pk=dataset_id)
    require(Role(dataset.role), needed)
    return dataset


def _profile_for(request: HttpRequest, dataset_id: uuid.UUID) -> Profile:
    dataset = _dataset_for(request, dataset_id)
    if dataset.status == Status.FAILED:
        raise Refused(409, dataset.problem)
    if dataset.found is None:
        raise Refused(409, "The profile is not ready yet.")
    return dataset.found


def name_of(file_name: str) -> str:
    """Give the name of a data set for which nobody has chosen one."""
    return PurePath(file_name).stem[:200]


def format_of(file_name: str) -> Format:
    """Give the format that a file's name tells of."""
    extension = PurePath(file_name).suffix.lower().removeprefix(".")
    if extension not in FORMATS:
        known = " or ".join(f".{name}" for name in FORMATS)
        raise Refused(415, f"Name the file with the extension {known}.")
    return Format(extension)


def check_start(start: bytes, file_format: Format) -> None:
    """Refuse a file that begins as its format does not."""
    if not start:
        raise Refused(422, "The file is empty.")
    # Archives are refused at the door: what they would unpack to is nobody's business to find out.
    if start.startswith((b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", b"\xfd7zX")):
        raise Refused(415, "The file is an archive or compressed: upload the unpacked file.")
    if (file_format is Format.PARQUET) != (start == b"PAR1"):
        raise Refused(415, f"The content of the file is not {file_format.label}.")


def _download(content: str, content_type: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
