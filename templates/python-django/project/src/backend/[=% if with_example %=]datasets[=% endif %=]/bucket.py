"""Files in a bucket of S3, or of what speaks like it. Only imported where FILES_BUCKET_URL names one."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible

from backend.datasets.files import Begun, FilesAwayError, Section, Source

# For the address of a part. It takes that part of that upload alone, and uploads last no longer.
ADDRESS_SECONDS = 24 * 3600
IN_ONE_THREAD = TransferConfig(use_threads=False)
SETTINGS = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=32,
    retries={"mode": "standard", "max_attempts": 3},
    # Not every server knows the checksums of newer versions, and a browser would have to reckon them.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


@contextmanager
def asking() -> Iterator[None]:
    """Tell every failure of the bucket by one name."""
    try:
        yield
    except (BotoCoreError, Boto3Error, ClientError) as error:
        raise FilesAwayError(str(error)) from error


@deconstructible
class Bucket(Storage):
    """A bucket. Parts go there from whoever uploads, past this server, by addresses that it signs."""

    def __init__(self, *, endpoint: str, name: str, region: str, key: str, secret: str) -> None:
        self.name = name
        self.server = {"endpoint_url": endpoint, "region_name": region}
        # Without a key, boto3 looks for the one that the machine or the pod was given.
        self.key = {"aws_access_key_id": key or None, "aws_secret_access_key": secret or None}

    @cached_property
    def client(self) -> Any:
        """The client, which all threads share."""
        return boto3.session.Session().client("s3", config=SETTINGS, **self.server, **self.key)

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        with asking():
            try:
                self._head(name)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return False
                raise
        return True

    def size(self, name: str) -> int:
        """Give the size of a file."""
        with asking():
            return int(self._head(name)["ContentLength"])

    def get_modified_time(self, name: str) -> datetime:
        """Tell since when it is there."""
        with asking():
            changed: datetime = self._head(name)["LastModified"]
        return changed

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Give the names of the files in a folder; none of ours has folders below it."""
        with asking():
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=f"{path}/")
            names = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return [], [name.removeprefix(f"{path}/") for name in names]

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is no fault."""
        with asking():
            self.client.delete_object(Bucket=self.name, Key=name)

    def _save(self, name: str, content: "File[Any]") -> str:
        with asking():
            self.client.upload_fileobj(content, self.name, name, Config=IN_ONE_THREAD)
        return name

    def _open(self, name: str, _mode: str = "rb") -> "File[Any]":
        copy = tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115
        with asking():
            self.client.download_fileobj(self.name, name, copy, Config=IN_ONE_THREAD)
        copy.seek(0)
        return File(copy, name)

    @contextmanager
    def on_disk(self, name: str) -> Iterator[Path]:
        """Give a file as one of this machine, for as long as somebody looks at it."""
        path = Path(settings.FILE_UPLOAD_TEMP_DIR) / f"{uuid.uuid4().hex}.upload"
        try:
            with asking(), path.open("wb") as copy:
                self.client.download_fileobj(self.name, name, copy, Config=IN_ONE_THREAD)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def whole(self, name: str, size: int) -> Source:
        """Open a file."""
        return self._read(name, size)

    def section(self, name: str, first: int, length: int) -> Source:
        """Open some bytes of a file."""
        return self._read(name, length, Range=f"bytes={first}-{first + length - 1}")

    def begin(self, name: str, _size: int) -> str:
        """Make a place for the parts of a file."""
        with asking():
            return str(self.client.create_multipart_upload(Bucket=self.name, Key=name)["UploadId"])

    def address(self, name: str, place: str, number: int, length: int) -> str | None:
        """Give the address that takes a part."""
        part = {"Bucket": self.name, "Key": name, "UploadId": place, "PartNumber": number, "ContentLength": length}
        return str(self.client.generate_presigned_url("upload_part", part, ADDRESS_SECONDS, "PUT"))

    def received(self, name: str, place: str) -> dict[int, int] | None:
        """Give the numbers of the parts that have come, and the length of each; None where their place is gone."""
        with asking():
            try:
                return {part["PartNumber"]: part["Size"] for part in self._parts(name, place)}
            except self.client.exceptions.NoSuchUpload:
                return None

    def finish(self, name: str, place: str) -> None:
        """Make a file of the parts, unless somebody else has just done it."""
        with asking():
            try:
                parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in self._parts(name, place)]
                self.client.complete_multipart_upload(
                    Bucket=self.name, Key=name, UploadId=place, MultipartUpload={"Parts": parts}
                )
            except self.client.exceptions.NoSuchUpload:
                if not self.exists(name):
                    raise

    def abandon(self, name: str, place: str) -> None:
        """Forget the parts; those of a file that has become one are forgotten already."""
        with asking():
            try:
                self.client.abort_multipart_upload(Bucket=self.name, Key=name, UploadId=place)
            except self.client.exceptions.NoSuchUpload:
                return

    def begun(self, folder: str) -> Iterator[Begun]:
        """Give every place for parts of a file in a folder."""
        with asking():
            pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=f"{folder}/")
            found = [upload for page in pages for upload in page.get("Uploads", [])]
        for upload in found:
            yield Begun(upload["Key"], upload["UploadId"], upload["Initiated"])

    def _head(self, name: str) -> Any:
        return self.client.head_object(Bucket=self.name, Key=name)

    def _read(self, name: str, length: int, **part: str) -> Source:
        with asking():
            return Section(self.client.get_object(Bucket=self.name, Key=name, **part)["Body"], length)

    def _parts(self, name: str, place: str) -> list[Any]:
        pages = self.client.get_paginator("list_parts").paginate(Bucket=self.name, Key=name, UploadId=place)
        return [part for page in pages for part in page.get("Parts", [])]
