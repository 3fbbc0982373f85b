"""Static files for an ASGI server. WhiteNoise itself knows WSGI alone: under ASGI its files would be read whole before
the first byte goes out, with a warning for each, and every request would change threads to pass it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, BinaryIO

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.decorators import sync_and_async_middleware
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

PIECE = 64 << 10  # bytes
Next = Callable[[HttpRequest], Any]


class Storage(CompressedManifestStaticFilesStorage):
    """Hashed names in the imports of modules too: else a page could run new scripts with an old part from a cache."""

    support_js_module_import_aggregation = True


@sync_and_async_middleware
def static_files(get_response: Next) -> Next:
    """Middleware with WhiteNoise's files, headers, ranges and encodings; streamed where Django runs asynchronously."""
    noise: Any = WhiteNoiseMiddleware(get_response)

    async def answer(request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        found = await asyncio.to_thread(noise.find_file, path) if noise.autorefresh else noise.files.get(path)
        if found is None:
            response: HttpResponseBase = await get_response(request)
            return response
        return _stream(await asyncio.to_thread(found.get_response, request.method, request.META))

    return answer if iscoroutinefunction(get_response) else noise


class _Pieces:
    """An open file, a piece at a time from a thread; Django closes it, also when the browser left before the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.close = file.close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._file.read, PIECE):
            yield piece


def _stream(found: Any) -> HttpResponseBase:
    """What WhiteNoise found, with its headers and no others."""
    response = StreamingHttpResponse(_Pieces(found.file)) if found.file else HttpResponse()
    response.status_code = int(found.status)
    del response["Content-Type"]
    for name, value in found.headers:
        response[name] = value
    return response
