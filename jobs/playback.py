"""Recordings and captions for the player: bytes by range, straight from the disk, and never a page.

What people uploaded is hostile until proven otherwise, and it is served from our own origin. So the type is ours, from
what the decode child found, browsers may not guess another, and whoever opens the address itself gets a file to save
in an empty sandbox. Media elements heed none of that: they take the bytes.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack
from os import fstat
from typing import BinaryIO, cast
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET, require_safe

from accounts import audit
from accounts.models import User
from jobs.exports import export
from jobs.exports.response import file_name, give_back, saved_as, streamed
from jobs.listening import source_of
from jobs.models import Job
from jobs.ranges import Bytes, Unsatisfiable, asked

PIECE = 256 << 10  # bytes in memory for each reader
# `no-cache`: kept, but asked for again each time, so that nobody plays it after signing out.
HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


@require_safe
def media(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The recording, or what browsers play in its place; whole or one range of it."""
    job = _mine(request, job_id)
    source = source_of(job)
    with ExitStack() as kept:
        try:
            file = kept.enter_context(source.path.open("rb"))
        except FileNotFoundError:
            raise Http404 from None
        rendition = source.path != job.path
        tag = _rendition_tag(job, file) if rendition else f'"{job.sha256}"'
        suffix = ".mp3" if rendition else "".join(re.findall(r"\.\w{1,5}$", job.title))
        headers = HEADERS | saved_as(file_name(job.title, suffix)) | {"ETag": tag, "Accept-Ranges": "bytes"}
        response = _send(request, file, headers | {"Content-Type": source.type})
        if response.streaming:
            audit.note(audit.Kind.PLAYED, cast(User, request.user), job.pk, hourly=True)
            kept.pop_all()  # Django closes it with the response, also when the browser left before the end
    # A paused player holds its connection for hours. It may not hold one to the database as well.
    give_back()
    return response


@require_GET
def captions(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The current run's text as a track, as far as it is written."""
    job = _mine(request, job_id)
    run = job.current_run
    if run is None:
        raise Http404
    run.job = job
    headers = HEADERS | {"ETag": f'W/"{run.pk}-{job.revision}"'}  # read before the text: it may be older, never newer
    unchanged = get_conditional_response(request, etag=headers["ETag"])
    if unchanged is not None:
        return _with(unchanged, headers)
    return streamed(request, export(run, "vtt"), "text/vtt; charset=utf-8", headers)


def _mine(request: HttpRequest, job_id: UUID) -> Job:
    return get_object_or_404(Job.objects.visible_to(request.user).select_related("current_run"), pk=job_id)


def _rendition_tag(job: Job, file: BinaryIO) -> str:
    """It may be made again, and other encoders make other bytes."""
    facts = fstat(file.fileno())
    return f'"{job.sha256}-{facts.st_size:x}-{facts.st_mtime_ns:x}"'


def _send(request: HttpRequest, file: BinaryIO, headers: dict[str, str]) -> HttpResponseBase:
    size = fstat(file.fileno()).st_size
    ruled_out = get_conditional_response(request, etag=headers["ETag"])
    if ruled_out is not None:
        return _with(ruled_out, headers)
    try:
        part = asked(_range_header(request, headers["ETag"]), size)
    except Unsatisfiable:
        return HttpResponse(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    if part is not None:
        headers |= {"Content-Range": f"bytes {part.first}-{part.last}/{size}"}
    wanted = part or Bytes(0, size - 1)
    headers |= {"Content-Length": str(len(wanted))}
    if request.method == "HEAD":  # Django would read the file to its end to throw it away
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(_Pieces(file, wanted), status=206 if part else 200, headers=headers)


def _range_header(request: HttpRequest, tag: str) -> str | None:
    """None where the range does not count: not a GET, or of a file that is another one by now."""
    condition = request.headers.get("If-Range")
    if request.method != "GET" or condition not in (None, tag):  # weak tags and dates never match: we send neither
        return None
    return request.headers.get("Range")


def _with(response: HttpResponseBase, headers: dict[str, str]) -> HttpResponseBase:
    for name, value in headers.items():
        response[name] = value
    return response


class _Pieces:
    """A part of an open file, a piece at a time from a thread; whoever is done with the response closes the file."""

    def __init__(self, file: BinaryIO, part: Bytes) -> None:
        self._file, self._part = file, part
        self.close = file.close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._file.seek(self._part.first)
        left = len(self._part)
        while left and (piece := await asyncio.to_thread(self._file.read, min(PIECE, left))):
            left -= len(piece)
            yield piece
