"""Uploads go to disk as they arrive, and stop at the limit."""

import re
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

UPLOAD_PATHS = {"/api/datasets", "/datasets/new/", "/admin/datasets/dataset/add/"}
PART_PATHS = re.compile(r"/api/uploads/[0-9a-f-]{36}/parts/\d{1,5}")


def allowed(request: HttpRequest) -> int:
    """Give the bytes that a request may bring which brings a file or a part of one; 0 for every other."""
    if request.method == "PUT" and PART_PATHS.fullmatch(request.path):
        return int(settings.PART_BYTES)
    is_upload = request.content_type == "multipart/form-data" and request.path in UPLOAD_PATHS
    # A form wraps its file in a few lines of its own.
    return int(settings.MAX_UPLOAD_BYTES) + 65_536 if is_upload else 0


class UploadTooLargeError(RequestDataTooBig):
    """The body holds more bytes of files than a request may bring."""


class SizeLimit(FileUploadHandler):
    """Count the bytes of a request's files as they arrive."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002 - the interface's signature
        """Hand the chunk on to the handler that stores it."""
        self.received += len(raw_data)
        if self.received > settings.MAX_UPLOAD_BYTES:
            # Any other exception would leave the half-written file open.
            raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the next handler."""

    def upload_complete(self) -> None:
        """Refuse the request when the limit has stopped it."""
        if self.received > settings.MAX_UPLOAD_BYTES:
            msg = f"The file is larger than {settings.MAX_UPLOAD_BYTES} bytes."
            raise UploadTooLargeError(msg)
