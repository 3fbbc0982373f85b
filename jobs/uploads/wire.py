"""ASGI without Django: its types, a body read piece by piece under a deadline, and answers that may hang up."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from jobs.errors import JobError

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]
type Headers = list[tuple[bytes, bytes]]

READ_AFTER_REFUSAL = 256 << 10  # bytes; with what the server has read ahead before and after, less than 1 MiB
LINGER_SECONDS = 0.5
STEADY_BYTES = 32 << 10  # this much of a body, or its rest, must arrive within its patience: 0.7 KiB/s by default


class ClientGone(Exception):
    """Nobody is there to answer."""


class ClientSlow(JobError):
    """Too little arrived for too long; the connection is given up."""

    code, status = "too_slow", 408


class Body:
    """A request body as pieces. `read` counts the bytes taken, `ended` says that the last piece was handed out.

    Every STEADY_BYTES, or the rest, must arrive within `patience` seconds of waiting for them: neither silence nor a
    drip holds a connection. What we do between two pieces is not the client's time.
    """

    def __init__(self, receive: Receive, patience: float) -> None:
        self.receive = receive
        self._seconds = self._left = patience
        self._arrived = 0
        self.read = 0
        self.ended = False
        self._reason: JobError | None = None
        self._patience: asyncio.Timeout | None = None

    def interrupt(self, reason: JobError) -> None:
        """Let `next` raise `reason` once instead of waiting on; what is done with earlier pieces is not disturbed."""
        self._reason = reason
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time())

    async def next(self) -> bytes | None:
        """The next piece, None after the last. Raises ClientGone, and ClientSlow when too little comes."""
        if self.ended:
            return None
        clock = asyncio.get_running_loop().time
        began = clock()
        message = await self._wait()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self.read += len(piece)
        self._left -= clock() - began
        self._arrived += len(piece)
        if self._arrived >= STEADY_BYTES:
            self._arrived, self._left = 0, self._seconds
        self.ended = not message.get("more_body", False)
        return piece

    async def _wait(self) -> Message:
        with suppress(TimeoutError):
            try:
                if self._reason is None:
                    async with asyncio.timeout(self._left) as self._patience:
                        return await self.receive()
            finally:
                self._patience = None
        slow = ClientSlow("Too little arrived for a while, so the upload was stopped. Send it again.")
        reason, self._reason = self._reason or slow, None
        raise reason


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this (lower-case) name."""
    return next((value for key, value in scope["headers"] if key == name), None)


def declared_length(scope: Scope) -> int | None:
    """Content-Length in bytes; None when the client does not say. The server has refused malformed ones."""
    value = header(scope, b"content-length")
    return int(value) if value is not None and value.isdigit() else None


def as_json(content: object) -> tuple[bytes, bytes]:
    """A body and its content type."""
    return json.dumps(content).encode(), b"application/json"


def problem(scope: Mapping[str, Any], error: JobError) -> dict[str, str]:
    """A refusal as the API says all of them, in the active language; `request_id` names the request in our logs."""
    return {"code": error.code, "detail": error.detail, "request_id": str(scope.get("request_id", "none"))}


async def answer(
    send: Send, status: int, content: tuple[bytes, bytes], headers: Headers | None = None, *, body: Body | None = None
) -> None:
    """Send a whole answer; 204 has no content. With an unread `body` the connection ends: its rest is never read."""
    hang_up = body is not None and not body.ended
    content_body, content_type = content
    described = [(b"content-type", content_type), (b"content-length", str(len(content_body)).encode())]
    all_headers = [
        *(described if status != 204 else []),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *([(b"www-authenticate", b"Bearer")] if status == 401 else []),  # HTTP wants a way in to be named
        *([(b"retry-after", b"30")] if status == 429 else []),  # when another connection or upload may have ended
        *(headers or []),
        *([(b"connection", b"close")] if hang_up else []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": content_body, "more_body": hang_up})
    if body is not None and hang_up:
        await _linger(body)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _linger(body: Body) -> None:
    """Stay a moment: closing under a client that still sends resets the connection, and the answer with it."""
    end = body.read + READ_AFTER_REFUSAL
    with suppress(TimeoutError, ClientGone, ClientSlow):
        async with asyncio.timeout(LINGER_SECONDS):
            while not body.ended and body.read < end:
                await body.next()
            if not body.ended:
                await asyncio.sleep(LINGER_SECONDS)
