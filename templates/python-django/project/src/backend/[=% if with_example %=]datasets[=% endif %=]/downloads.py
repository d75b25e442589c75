"""Downloads that can be resumed: a part of a file, where a client asks for one (RFC 9110, section 14)."""

import re

from django.http import FileResponse, HttpRequest, HttpResponse

from backend.core.problems import problem
from backend.datasets.files import PIECE, files

ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
NOT_THERE = (0, 0)


def download(request: HttpRequest, file: str, *, size: int, name: str, etag: str) -> HttpResponse | FileResponse:
    """Give a stored file, or the one part of it that is asked for; whoever asks for several gets all of it."""
    wanted = _wanted(request, size, etag)
    if wanted == NOT_THERE:
        refused = problem(request, 416, f"The file has {size} bytes.")
        refused["Content-Range"] = f"bytes */{size}"
        return refused
    first, length = wanted or (0, size)
    answer = FileResponse(
        files().section(file, first, length) if wanted else files().whole(file, size),
        as_attachment=True,
        filename=name,
        content_type="application/octet-stream",
        status=206 if wanted else 200,
    )
    answer.block_size = PIECE
    answer["Accept-Ranges"] = "bytes"
    answer["ETag"] = etag
    answer["Content-Length"] = str(length)
    if wanted:
        answer["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
    return answer


def _wanted(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """Give the first byte of a part and its length, no length for a part that is not there, None for the whole file."""
    asked = ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    # The part would not fit what the client has of an older file.
    if asked is None or request.headers.get("If-Range", etag) != etag:
        return None
    begin, end = asked.groups()
    if begin:
        first, last = int(begin), min(int(end), size - 1) if end else size - 1
        if end and int(end) < int(begin):
            return None
        return (first, last - first + 1) if first < size else NOT_THERE
    if not end:
        return None
    length = min(int(end), size)
    return (size - length, length) if length else NOT_THERE
