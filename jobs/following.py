"""How an open page or script follows its recordings: when it is told, that the last state arrives, and when it ends.

The same for sockets and for event streams; what is said is the page's business, how it is carried the connection's.
"""

import asyncio
import math
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from uuid import UUID

from django.db import Error

from accounts.models import User
from jobs.live import Watch, hub

FOLLOWED_BY_EACH_USER = 20
PAUSE_SECONDS = 0.5  # after each message: at most two a second, and the first after a quiet while goes out at once
RETRY_SECONDS = 2.0  # after a reading that failed
QUEUE_SECONDS = 5.0  # a place in the queue moves with other people's recordings, of which this page hears nothing
RECHECK_SECONDS = 30.0  # a session that ended closes its sockets within a minute
SLOTS = 10  # regular looks of all pages fall on so many moments of their interval, so that they are one question
_open: Counter[int] = Counter()


class Page(Protocol):
    """What is followed. `queued`: the jobs shown as waiting."""

    def group(self, user: User) -> str: ...
    def queued(self) -> frozenset[UUID]: ...
    async def render(self, user: User, language: str, changed: frozenset[UUID] | None, since: float) -> str:
        """What is new, from readings that began after `since`. Raises NotFound, and django.db.Error."""


class Follower:
    """One person who follows one page over one connection."""

    def __init__(self, page: Page, user: User, language: str) -> None:
        self.user = user
        self._page, self._language = page, language

    async def snapshot(self) -> str:
        """All of it. Raises NotFound, and django.db.Error."""
        return await self._render(None, time.monotonic())

    async def news(self, watch: Watch) -> str:
        """What is new since the last time, as soon as there is something. Raises NotFound.

        News during a pause, or while a slow reader holds the sending, waits in the watch: so the last state always goes
        out, and older ones do not pile up.
        """
        while True:
            changed, since = await self._changed(watch)
            try:
                text = await self._render(changed, since)
            except Error:
                watch.note(None)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if text:
                return text

    async def until_nobody(self, who: Callable[[], Awaitable[User | None]]) -> None:
        """Return once the session or token has ended or the person was disabled: asked again and again, and at once
        when a session of this person ends."""
        wait = RECHECK_SECONDS * secrets.randbelow(SLOTS) / SLOTS  # spread: a restart brings all pages at once
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_until_slot(wait, RECHECK_SECONDS / SLOTS)):
                    await hub().ending(self.user.pk)
            wait = RECHECK_SECONDS
            try:
                user = await who()
            except Error:
                continue
            if user is None or user.pk != self.user.pk:
                return
            self.user = user

    async def _changed(self, watch: Watch) -> tuple[frozenset[UUID] | None, float]:
        """News, or after a while without any what waits in the queue; and how old a reading of it may be."""
        queued = self._page.queued()
        try:
            async with asyncio.timeout(_until_slot(QUEUE_SECONDS, QUEUE_SECONDS / SLOTS) if queued else None):
                return await watch.changed(), watch.since
        except TimeoutError:
            return queued, time.monotonic() - QUEUE_SECONDS / SLOTS

    async def _render(self, changed: frozenset[UUID] | None, since: float) -> str:
        return await self._page.render(self.user, self._language, changed, since)


def too_many(user: User) -> bool:
    """Whether this person follows as much as one person may in this process."""
    return _open[user.pk] >= FOLLOWED_BY_EACH_USER


@contextmanager
def counted(user: User) -> Iterator[None]:
    """One connection more, until the end of this."""
    _open[user.pk] += 1
    try:
        yield
    finally:
        _open[user.pk] -= 1
        if not _open[user.pk]:
            del _open[user.pk]


async def first[T](*endings: Coroutine[Any, Any, T]) -> T | None:
    """The result of whatever ends first; the others are cancelled. A connection that broke is None."""
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


def _until_slot(seconds: float, slot: float) -> float:
    """Seconds until the first multiple of `slot` on the clock that is so many seconds away."""
    now = time.monotonic()
    return math.ceil((now + seconds) / slot) * slot - now
