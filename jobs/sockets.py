"""One open socket: who may have it, what is sent when, and when it ends."""

import asyncio
import math
import secrets
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.utils import translation

from accounts.models import User
from accounts.signed_in import users_of
from jobs.errors import NotFound
from jobs.live import Watch, hub
from jobs.uploads.access import request_of
from jobs.uploads.wire import Receive, Scope, Send

SIGNED_OUT, NOT_THERE, TOO_MANY, TOO_LARGE, FLOOD, TRY_AGAIN = 4401, 4404, 4429, 1009, 1008, 1013
SOCKETS_FOR_EACH_USER = 20
MESSAGE_LIMIT = 64 << 10  # characters or bytes; pages have nothing to say
MESSAGES_A_MINUTE = 60
PAUSE_SECONDS = 0.5  # after each message: at most two a second, and the first after a quiet while goes out at once
RETRY_SECONDS = 2.0  # after a reading that failed
QUEUE_SECONDS = 5.0  # a place in the queue moves with other people's recordings, of which this page hears nothing
RECHECK_SECONDS = 30.0  # a session that ended closes its sockets within a minute
SLOTS = 10  # regular looks of all sockets fall on so many moments of their interval, so that they are one question
_open: Counter[int] = Counter()


class Page(Protocol):
    """What a socket shows. `queued`: the jobs shown as waiting."""

    def group(self, user: User) -> str: ...
    def queued(self) -> frozenset[UUID]: ...
    async def render(self, user: User, language: str, changed: frozenset[UUID] | None, since: float) -> str:
        """What is new, from readings that began after `since`. Raises NotFound, and django.db.Error."""


class Socket:
    """Serves one page over one connection, from handshake to close."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, page: Page) -> None:
        self._receive, self._send, self._page = receive, send, page
        request = request_of(scope)
        self._session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        self._language = translation.get_language_from_request(request)

    async def serve(self) -> None:
        """Closing before accepting answers the handshake with 403: htmx then waits longer before each new try."""
        await self._receive()  # websocket.connect
        try:
            user = await self._session_user()
        except Error:
            return await self._close(TRY_AGAIN)
        if user is None:
            return await self._close(SIGNED_OUT)
        if _open[user.pk] >= SOCKETS_FOR_EACH_USER:
            return await self._close(TOO_MANY)
        self._user = user
        with suppress(OSError), _counted(user.pk), hub().watching(self._page.group(user)) as watch:
            await self._show(watch)

    async def _show(self, watch: Watch) -> None:
        try:
            snapshot = await self._render(None, time.monotonic())
        except NotFound:
            return await self._close(NOT_THERE)
        except Error:
            return await self._close(TRY_AGAIN)
        await self._send({"type": "websocket.accept"})
        if snapshot:
            await self._send({"type": "websocket.send", "text": snapshot})
        code = await _first(self._ignore(), self._follow(watch), self._recheck())
        if code is not None:
            await self._close(code)

    async def _follow(self, watch: Watch) -> int:
        """Send what changed. News during a pause, or while a slow reader holds the sending, waits in the watch: so the
        last state always goes out, and older ones do not pile up."""
        await asyncio.sleep(PAUSE_SECONDS)  # the snapshot was a message too
        while True:
            changed, since = await self._changed(watch)
            try:
                html = await self._render(changed, since)
            except NotFound:
                return NOT_THERE
            except Error:
                watch.note(None)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if html:
                await self._send({"type": "websocket.send", "text": html})
                await asyncio.sleep(PAUSE_SECONDS)

    async def _changed(self, watch: Watch) -> tuple[frozenset[UUID] | None, float]:
        """News, or after a while without any what waits in the queue; and how old a reading of it may be."""
        queued = self._page.queued()
        try:
            async with asyncio.timeout(_until_slot(QUEUE_SECONDS, QUEUE_SECONDS / SLOTS) if queued else None):
                return await watch.changed(), watch.since
        except TimeoutError:
            return queued, time.monotonic() - QUEUE_SECONDS / SLOTS

    async def _ignore(self) -> int | None:
        """Read until the browser leaves (None); what it says has no meaning, but a flood ends the socket."""
        began, heard = time.monotonic(), 0
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return None
            if len(message.get("text") or message.get("bytes") or "") > MESSAGE_LIMIT:
                return TOO_LARGE
            if time.monotonic() - began > 60:
                began, heard = time.monotonic(), 0
            heard += 1
            if heard > MESSAGES_A_MINUTE:
                return FLOOD

    async def _recheck(self) -> int:
        """End with the session, and when the person was disabled."""
        wait = RECHECK_SECONDS * secrets.randbelow(SLOTS) / SLOTS  # spread: a restart brings all sockets at once
        while True:
            await asyncio.sleep(_until_slot(wait, RECHECK_SECONDS / SLOTS))
            wait = RECHECK_SECONDS
            try:
                user = await self._session_user()
            except Error:
                continue
            if user is None or user.pk != self._user.pk:
                return SIGNED_OUT
            self._user = user

    async def _session_user(self) -> User | None:
        """Asked afresh each time: sessions end and people are disabled while their pages are open."""
        found = await hub().desk(users_of).ask([self._session], time.monotonic())
        return found.get(self._session)

    async def _render(self, changed: frozenset[UUID] | None, since: float) -> str:
        return await self._page.render(self._user, self._language, changed, since)

    async def _close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code})


def _until_slot(seconds: float, slot: float) -> float:
    """Seconds until the first multiple of `slot` on the clock that is so many seconds away."""
    now = time.monotonic()
    return math.ceil((now + seconds) / slot) * slot - now


async def _first(*endings: Coroutine[Any, Any, int | None]) -> int | None:
    """The close code of whatever ends first; the others are cancelled. A connection that broke counts as left."""
    tasks = [asyncio.ensure_future(ending) for ending in endings]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    error = next(iter(done)).exception()
    if isinstance(error, OSError):
        return None
    return next(iter(done)).result()


@contextmanager
def _counted(user_id: int) -> Iterator[None]:
    _open[user_id] += 1
    try:
        yield
    finally:
        _open[user_id] -= 1
        if not _open[user_id]:
            del _open[user_id]
