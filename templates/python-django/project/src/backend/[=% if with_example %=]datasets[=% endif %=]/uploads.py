"""Uploads that go on where they broke off: begin one, send the parts that are missing, finish it.

The address of a part is one of this server or, where files lie in a bucket, one of the bucket's, which it has signed.
"""

import uuid
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, UnreadablePostError
from django.utils import timezone
from ninja import Field, Router, Schema
from ninja.responses import Status as Answer

from backend.accounts.auth import current_user
from backend.core.fields import Text
from backend.core.problems import Refused, responses
from backend.datasets.api import START, DatasetOut, check_start, format_of, keep, name_of
from backend.datasets.files import BrokeOffError, Folder, files
from backend.datasets.models import UPLOADS_LAST, Dataset, Format, Upload, stored_name
from backend.datasets.room import check_room
from backend.teams.access import team_for
from backend.teams.models import Role

router = Router(tags=["uploads"])
# So many addresses are given at once.
MOST_ADDRESSES = 20


class UploadIn(Schema):
    """A file that is to arrive."""

    team_id: uuid.UUID
    file_name: Text
    size: int = Field(ge=1, lt=2**63)
    name: Text | None = Field(None, description="Of the data set; without one, it is called as the file is")
    fingerprint: Text | None = Field(
        None,
        description="What tells the file from others, such as its name and the time of its last change: "
        "who begins again with all the same goes on with the upload that is there",
    )


class PartOut(Schema):
    """A part that has not come: `bytes` bytes of the file from byte `first` on are to be `PUT` to `url`."""

    number: int
    first: int
    bytes: int
    url: str


class UploadOut(Schema):
    """An upload; when nothing is missing, finish it."""

    id: uuid.UUID
    team_id: uuid.UUID
    name: str
    file_name: str
    size: int
    received: int = Field(description="Bytes that have come")
    missing: list[PartOut] = Field(description=f"The first {MOST_ADDRESSES} of the parts that have not come")
    expires_at: datetime


@router.post("", response={201: UploadOut, 200: UploadOut, **responses(400, 401, 403, 404, 409, 413, 415, 422)})
def begin_upload(request: HttpRequest, new: UploadIn) -> object:
    """Begin to upload a file for a team, or go on with it."""
    team = team_for(request, new.team_id, Role.EDITOR)
    upload = Upload(
        team=team,
        user=current_user(request),
        name=new.name or name_of(new.file_name),
        format=format_of(new.file_name),
        file_name=new.file_name,
        size=new.size,
        part_bytes=settings.PART_BYTES,
        fingerprint=new.fingerprint or "",
    )
    if new.size > settings.MAX_UPLOAD_BYTES:
        raise Refused(413, f"The file is larger than {settings.MAX_UPLOAD_BYTES} bytes.")
    if same := _same(upload):
        with suppress(Upload.DoesNotExist):
            return Answer(200, _told(same))
    upload.place = files().begin(stored_name(upload), upload.size)
    try:
        with transaction.atomic():
            check_room(team, upload.size)
            upload.save(force_insert=True)
    except Refused:
        files().abandon(stored_name(upload), upload.place)
        raise
    return Answer(201, _told(upload))


@router.get("/{uuid:upload_id}", response={200: UploadOut, **responses(401, 403, 404)})
def get_upload(request: HttpRequest, upload_id: uuid.UUID) -> object:
    """Tell what is missing."""
    return _told(_upload_for(request, upload_id))


@router.put(
    "/{uuid:upload_id}/parts/{int:number}",
    response={204: None, **responses(400, 401, 403, 404, 409, 413, 422)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def send_part(request: HttpRequest, upload_id: uuid.UUID, number: int) -> object:
    """Send a part, where its address is one of this server."""
    upload = _upload_for(request, upload_id)
    if not 1 <= number <= upload.parts:
        raise Refused(404, f"The upload has {upload.parts} parts.")
    first, length = upload.section(number)
    if request.headers.get("Content-Length") != str(length):
        raise Refused(422, f"Part {number} has {length} bytes.")
    store = files()
    if not isinstance(store, Folder):
        raise Refused(409, "Send the parts to the addresses that the upload tells.")
    try:
        store.write(upload.place, number, request, first, length)
    except (BrokeOffError, UnreadablePostError):
        raise Refused(400, "The part ends before its announced length.") from None
    except FileNotFoundError:  # it was finished or given up meanwhile
        raise Refused(404, "The upload is over.") from None
    return Answer(204, None)


@router.post("/{uuid:upload_id}/finish", response={202: DatasetOut, **responses(401, 403, 404, 409, 415, 422)})
def finish_upload(request: HttpRequest, upload_id: uuid.UUID) -> object:
    """Make the file a data set, which gets the upload's id; a worker profiles it. Who asks twice gets the same."""
    try:
        return Answer(202, _finished(_upload_for(request, upload_id)))
    except Upload.DoesNotExist:
        user = current_user(request)
        return Answer(202, Dataset.objects.visible_to(user).get(pk=upload_id, uploaded_by=user))


@router.delete("/{uuid:upload_id}", response={204: None, **responses(401, 403, 404)})
def give_up(request: HttpRequest, upload_id: uuid.UUID) -> object:
    """Give an upload up, and forget its parts."""
    upload = _upload_for(request, upload_id)
    files().abandon(stored_name(upload), upload.place)
    upload.delete()
    return Answer(204, None)


def _finished(upload: Upload) -> Dataset:
    name, store = stored_name(upload), files()
    # The last attempt may have ended in between.
    if not store.exists(name):
        if missing := _missing(upload):
            raise Refused(409, f"{len(missing)} parts are missing.")
        store.finish(name, upload.place)
    source = store.section(name, 0, min(START, upload.size))
    start = source.read(START)
    source.close()
    try:
        check_start(start, Format(upload.format))
    except Refused:
        upload.delete()
        store.delete(name)
        raise
    dataset = Dataset(
        id=upload.pk,
        team=upload.team,
        uploaded_by=upload.user,
        name=upload.name,
        format=upload.format,
        file=name,
        file_name=upload.file_name,
        size=upload.size,
    )
    with transaction.atomic():
        # Of two who finish it at once, the second finds nothing.
        Upload.objects.select_for_update().get(pk=upload.pk).delete()
        keep(dataset)
    return dataset


def _same(wanted: Upload) -> Upload | None:
    same = ("team", "user", "name", "file_name", "size", "part_bytes", "fingerprint")
    found = Upload.objects.filter(**{field: getattr(wanted, field) for field in same}).filter(**_not_over())
    return found.first() if wanted.fingerprint else None


def _upload_for(request: HttpRequest, upload_id: uuid.UUID) -> Upload:
    """Give an upload of the one who asks: nobody else goes on with it, whatever the role."""
    upload = Upload.objects.filter(user=current_user(request), **_not_over()).select_related("team", "user")
    found = upload.get(pk=upload_id)
    team_for(request, found.team_id, Role.EDITOR)
    return found


def _not_over() -> dict[str, Any]:
    return {"created_at__gt": timezone.now() - UPLOADS_LAST}


def _missing(upload: Upload) -> list[int]:
    name, store = stored_name(upload), files()
    come = store.received(name, upload.place)
    # An attempt to finish it may have ended in between: its parts are forgotten, since they are a file.
    if not come and store.exists(name):
        return []
    if come is None:
        # Somebody has removed them, such as a rule of the bucket, which takes no part for them any more.
        upload.delete()
        raise Upload.DoesNotExist
    return [number for number in range(1, upload.parts + 1) if come.get(number) != upload.section(number)[1]]


def _told(upload: Upload) -> dict[str, Any]:
    missing = _missing(upload)
    told = {field: getattr(upload, field) for field in ("id", "team_id", "name", "file_name", "size", "expires_at")}
    left = sum(upload.section(number)[1] for number in missing)
    return {**told, "received": upload.size - left, "missing": [_part(upload, n) for n in missing[:MOST_ADDRESSES]]}


def _part(upload: Upload, number: int) -> dict[str, Any]:
    first, length = upload.section(number)
    address = files().address(stored_name(upload), upload.place, number, length)
    url = address or f"/api/uploads/{upload.pk}/parts/{number}"
    return {"number": number, "first": first, "bytes": length, "url": url}
