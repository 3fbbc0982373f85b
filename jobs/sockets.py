"""One open socket: who may have it, what is sent when, and when it ends."""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.utils import translation

from accounts.models import User
from jobs.errors import NotFound
from jobs.live import Watch, hub
from jobs.uploads.access import request_of, session_user
from jobs.uploads.wire import Receive, Scope, Send

SIGNED_OUT, NOT_THERE, TOO_MANY, TOO_LARGE = 4401, 4404, 4429, 1009
SOCKETS_FOR_EACH_USER = 20
MESSAGE_LIMIT = 64 << 10  # characters or bytes; pages have nothing to say
PAUSE_SECONDS = 0.5  # between two messages: at most two a second
QUEUE_SECONDS = 5.0  # a place in the queue moves with other people's recordings, of which this page hears nothing
RECHECK_SECONDS = 30.0  # a session that ended closes its sockets within a minute
logger = logging.getLogger(__name__)
_open: Counter[int] = Counter()


class Page(Protocol):
    """What a socket shows. `render` runs in a thread and may use the database; `queued`: the jobs shown as waiting."""

    def group(self, user: User) -> str: ...
    def queued(self) -> frozenset[UUID]: ...
    def render(self, user: User, changed: frozenset[UUID] | None) -> str: ...


class Socket:
    """Serves one page over one connection, from handshake to close."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, page: Page) -> None:
        self._scope, self._receive, self._send, self._page = scope, receive, send, page
        self._language = translation.get_language_from_request(request_of(scope))

    async def serve(self) -> None:
        """Closing before accepting answers the handshake with 403: htmx then waits longer before each new try."""
        await self._receive()  # websocket.connect
        user = await self._session_user()
        if user is None:
            return await self._close(SIGNED_OUT)
        if _open[user.pk] >= SOCKETS_FOR_EACH_USER:
            return await self._close(TOO_MANY)
        self._user = user
        with suppress(OSError), _counted(user.pk), hub().watching(self._page.group(user)) as watch:
            await self._show(watch)

    async def _show(self, watch: Watch) -> None:
        try:
            snapshot = await self._render(None)
        except NotFound:
            return await self._close(NOT_THERE)
        await self._send({"type": "websocket.accept"})
        if snapshot:
            await self._send({"type": "websocket.send", "text": snapshot})
        code = await _first(self._ignore(), self._follow(watch), self._recheck())
        if code is not None:
            await self._close(code)

    async def _follow(self, watch: Watch) -> int:
        """Send what changed. News during the pause waits in the watch, so the last state always goes out."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            changed = await self._changed(watch)
            try:
                html = await self._render(changed)
            except NotFound:
                return NOT_THERE
            except DatabaseError as error:
                logger.warning("A live page could not be read (%s); again soon.", type(error).__name__)
                watch.note(None)
                continue
            if html:
                await self._send({"type": "websocket.send", "text": html})

    async def _changed(self, watch: Watch) -> frozenset[UUID] | None:
        """News, or after a while without any, what waits in the queue."""
        queued = self._page.queued()
        try:
            async with asyncio.timeout(QUEUE_SECONDS if queued else None):
                return await watch.changed()
        except TimeoutError:
            return queued

    async def _ignore(self) -> int | None:
        """Read until the browser leaves (None); what it says has no meaning, but a flood ends the socket."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return None
            if len(message.get("text") or message.get("bytes") or "") > MESSAGE_LIMIT:
                return TOO_LARGE

    async def _recheck(self) -> int:
        """End with the session, and when the person was disabled."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                user = await self._session_user()
            except DatabaseError:
                continue
            if user is None or user.pk != self._user.pk:
                return SIGNED_OUT
            self._user = user

    async def _session_user(self) -> User | None:
        """Asked afresh each time: sessions end and people are disabled while their pages are open."""
        ask = database_sync_to_async(session_user, thread_sensitive=False)
        user: User | None = await ask(request_of(self._scope))
        return user

    async def _render(self, changed: frozenset[UUID] | None) -> str:
        def render() -> str:
            with translation.override(self._language):
                return self._page.render(self._user, changed)

        html: str = await database_sync_to_async(render, thread_sensitive=False)()
        return html

    async def _close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code})


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
