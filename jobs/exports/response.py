"""A transcript as a download: streamed, never shown by the browser, under a name that is safe everywhere."""

import re
import unicodedata
from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections, connection
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

NAME_LENGTH = 100


def attachment(request: HttpRequest, chunks: Iterator[str], *, name: str, content_type: str) -> StreamingHttpResponse:
    """The chunks as a file to save."""
    return streamed(request, chunks, content_type, {"Cache-Control": "private, no-store", **saved_as(name)})


def saved_as(name: str) -> dict[str, str]:
    """Headers that make browsers save what comes under this name, and never show it."""
    disposition = content_disposition_header(as_attachment=True, filename=name) or "attachment"
    return {"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"}


def streamed(
    request: HttpRequest, chunks: Iterator[str], content_type: str, headers: dict[str, str]
) -> StreamingHttpResponse:
    """Django would collect a plain iterator whole under ASGI, and an asynchronous one under WSGI: give each its own."""
    content = _stepwise(chunks) if isinstance(request, ASGIRequest) else chunks
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)


def file_name(title: str, suffix: str) -> str:
    """The title without its own suffix, without anything a file system or a header could stumble over."""
    kept = "".join(" " if _unsafe(character) else character for character in title)
    stem = re.sub(r"\.\w{1,5}$", "", " ".join(kept.split())).strip(" .")
    return (stem[:NAME_LENGTH].strip() or "transcript") + suffix


def _unsafe(character: str) -> bool:
    """Control and formatting characters (a name can be turned round with those), separators, and shell's own."""
    return unicodedata.category(character)[0] == "C" or character in '\\/:*?"<>|'


async def _stepwise(chunks: Iterator[str]) -> AsyncIterator[str]:
    """A block of chunks at a time from the database thread. Between two, a slow reader holds no connection there."""
    while block := await sync_to_async(_block)(chunks):
        yield block


def _block(chunks: Iterator[str]) -> str:
    try:
        return "".join(islice(chunks, 500))
    finally:
        give_back()


def give_back() -> None:
    """The database connection, while an answer is being read: that can take hours."""
    if not connection.in_atomic_block:  # in tests
        close_old_connections()
