"""What uvicorn leaves out: a deadline and a size for the head of a request. `--http transcribe.deadlines:Http`.

uvicorn drops idle connections between two requests (`--timeout-keep-alive`), but waits without end for a head that was
begun, or never is, and with httptools keeps all of it in memory. Bodies have their own deadline: `jobs.uploads.wire`.
"""

import asyncio
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES = 128 << 10  # counted after each read, so up to one read (256 KiB) more is held
_TOO_LONG = STATUS_LINE[431] + b"connection: close\r\ncontent-length: 0\r\n\r\n"


class Http(HttpToolsProtocol):
    """One connection. From its start, or the first byte after an answer, a whole head must come in HEAD_SECONDS."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_body = False
        self._loose = 0  # bytes since the last piece of a body or the last whole head: parts of a head, or of trailers
        self._deadline: asyncio.TimerHandle | None = None
        self._arm()

    def data_received(self, data: bytes) -> None:
        self._loose += len(data)
        super().data_received(data)
        if self._loose > HEAD_BYTES:
            self.transport.write(_TOO_LONG if not self._in_body else b"")
            self.transport.close()
        elif not self._in_body and self._deadline is None:
            self._arm()

    def on_headers_complete(self) -> None:
        self._disarm()
        self._in_body, self._loose = True, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._loose = False, 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(settings.HEAD_SECONDS, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None

    def _late(self) -> None:
        """A client may begin its next request, or send stray line ends, while we answer: that is not late."""
        self._deadline = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._arm()
        elif self.transport.get_protocol() is self:  # else it has become a socket
            self.transport.close()
