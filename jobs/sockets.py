"""One open socket: who may have it, and what the browser may say. `jobs.following` knows what is sent when."""

import asyncio
import time
from contextlib import suppress

from django.conf import settings
from django.db import Error
from django.utils import translation

from accounts.models import User
from accounts.signed_in import users_of
from jobs import following
from jobs.errors import NotFound
from jobs.following import Follower, Page
from jobs.live import Watch, hub
from jobs.uploads.access import request_of
from jobs.uploads.wire import Receive, Scope, Send

SIGNED_OUT, NOT_THERE, TOO_MANY, TOO_LARGE, FLOOD, TRY_AGAIN = 4401, 4404, 4429, 1009, 1008, 1013
MESSAGE_LIMIT = 64 << 10  # characters or bytes; pages have nothing to say
MESSAGES_A_MINUTE = 60


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
        if following.too_many(user):
            return await self._close(TOO_MANY)
        follower = Follower(self._page, user, self._language)
        with suppress(OSError), following.counted(user), hub().watching(self._page.group(user)) as watch:
            await self._show(follower, watch)

    async def _show(self, follower: Follower, watch: Watch) -> None:
        try:
            snapshot = await follower.snapshot()
        except NotFound:
            return await self._close(NOT_THERE)
        except Error:
            return await self._close(TRY_AGAIN)
        await self._send({"type": "websocket.accept"})
        if snapshot:
            try:
                await self._send({"type": "websocket.send", "text": snapshot})
            except RuntimeError:  # of uvicorn, where the browser left before it was accepted
                return
        code = await following.first(self._ignore(), self._follow(follower, watch), self._recheck(follower))
        if code is not None:
            await self._close(code)

    async def _follow(self, follower: Follower, watch: Watch) -> int:
        while True:
            await asyncio.sleep(following.PAUSE_SECONDS)  # the snapshot was a message too
            try:
                html = await follower.news(watch)
            except NotFound:
                return NOT_THERE
            await self._send({"type": "websocket.send", "text": html})

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

    async def _recheck(self, follower: Follower) -> int:
        await follower.until_nobody(self._session_user)
        return SIGNED_OUT

    async def _session_user(self) -> User | None:
        """Asked afresh each time: sessions end and people are disabled while their pages are open."""
        found = await hub().desk(users_of).ask([self._session], time.monotonic())
        return found.get(self._session)

    async def _close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code})
