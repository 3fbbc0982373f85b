"""In front of Django: `/healthz`, the doors that stream bodies themselves, and a cap on every other body.

Django takes any body whole, to disk, before a view or a login check runs; here its size is bounded first.
"""

import logging
from collections.abc import Mapping

from django.conf import settings
from django.utils import translation
from django.utils.csp import build_policy

from accounts.tokens import genuine
from jobs.errors import JobError, TooLarge
from jobs.uploads.access import language_of, request_of
from jobs.uploads.answers import wants_page
from jobs.uploads.wire import (
    App,
    Body,
    ClientGone,
    ClientSlow,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    as_json,
    declared_length,
    header,
    problem,
)
from transcribe.theme.views import bare_page

ANONYMOUS_LIMIT = 64 << 10  # bytes; a request without cookies or a token has no business with more
DISCONNECT: Message = {"type": "http.disconnect"}
logger = logging.getLogger(__name__)


class Gate:
    """An ASGI application around Django; `doors` maps paths to applications that read their own bodies.

    A door whose path ends in a slash also gets what lies directly below it.
    """

    def __init__(self, django: App, doors: Mapping[str, App]) -> None:
        self._django = django
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/healthz":
            await answer(send, 200, as_json({"status": "ok"}))
        elif (door := self._door(path)) is not None:
            await door(scope, receive, send)
        elif declared_length(scope) is None and header(scope, b"transfer-encoding") is None:
            await self._django(scope, receive, send)  # no body
        else:
            await self._capped(scope, receive, send)

    def _door(self, path: str) -> App | None:
        return self._doors.get(path) or self._doors.get(path[: path.rfind("/") + 1])

    async def _capped(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive, settings.BODY_SILENCE_SECONDS)
        cap = _Cap(body, await body_limit(scope))
        if (declared_length(scope) or 0) > cap.limit:
            return await _refuse(scope, send, cap.too_large(), body)
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        await self._django(scope, cap.receive, noting_send)
        if cap.refusal is not None and not started:
            await _refuse(scope, send, cap.refusal, body)


class _Cap:
    """Hands a body on up to its limit; beyond, Django sees a client that went away and drops what it had."""

    def __init__(self, body: Body, limit: int) -> None:
        self.body = body
        self.limit = limit
        self.refusal: JobError | None = None

    async def receive(self) -> Message:
        if self.body.ended:
            return await self.body.receive()  # Django waits here for a disconnect, however long the answer takes
        try:
            piece = await self.body.next()
        except ClientGone:
            return DISCONNECT
        except ClientSlow as slow:
            self.refusal = slow
            return DISCONNECT
        if self.body.read > self.limit:
            self.refusal = self.too_large()
            return DISCONNECT
        return {"type": "http.request", "body": piece, "more_body": not self.body.ended}

    def too_large(self) -> TooLarge:
        return TooLarge("The request is too large. Upload recordings on the upload page.")


async def body_limit(scope: Scope) -> int:
    """Bytes that this request may carry to Django. A token that is not genuine is as good as none."""
    known = header(scope, b"cookie") is not None or await genuine(scope)
    return settings.BODY_LIMIT_BYTES if known else min(ANONYMOUS_LIMIT, settings.BODY_LIMIT_BYTES)


async def _refuse(scope: Scope, send: Send, error: JobError, body: Body) -> None:
    """A page for browsers, where there is one for this status; JSON for everyone else."""
    logger.info("A request was refused: %s", error.code)
    request = request_of(scope)
    if not (isinstance(error, TooLarge) and wants_page(request)):
        with translation.override(language_of(scope)):
            said = as_json(problem(scope, error))
        return await answer(send, error.status, said, body=body)
    policy = [(b"content-security-policy", build_policy(settings.SECURE_CSP).encode())]
    page = bare_page(request, "413.html").encode()
    await answer(send, error.status, (page, b"text/html; charset=utf-8"), policy, body=body)
