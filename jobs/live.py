"""Announcements: the one module that notifies, listens and fans out.

`announce` runs inside the transaction that changed the row, so Postgres delivers it at commit and only then.
The payload is an id and a revision: whoever hears it reads the row again, so one lost or doubled is harmless.

Each web process has one listening connection, started by its first open page, and groups in memory (`job.<id>`,
`user.<id>`) of the pages to tell. No channel layer: the in-memory one drops messages above 100 a page and forgets
a page that was slow for a minute, while a `Watch` holds "these jobs changed" however often they do.
"""

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.db import connection
from django.db.models import F

from accounts.models import Session
from jobs.desk import Desk, Read, Threads
from jobs.models import Job

CHANNEL = "job"  # every open page
WAKE_CHANNEL = "wake"  # the scheduler
ENDED_CHANNEL = "session_ended"  # with whose it was
CHECK_CHANNEL = "live_check"  # a listener's message to itself

CHECK_SECONDS = 30.0
ANSWER_SECONDS = 10.0
FIRST_DELAY, LAST_DELAY = 0.05, 5.0  # seconds before connecting again
logger = logging.getLogger(__name__)


def announce(job_id: UUID, *, wake: bool = False) -> None:
    """Tell open pages, after commit, that this job changed; `wake` tells the scheduler that there is work too."""
    changed = Job.objects.filter(pk=job_id)
    changed.update(revision=F("revision") + 1)
    found = changed.values_list("owner_id", "revision").first()
    if found is None:
        return
    payload = json.dumps({"id": str(job_id), "owner": found[0], "revision": found[1]})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
    if wake:
        wake_scheduler()


def wake_scheduler() -> None:
    """Let the scheduler look now, after commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [WAKE_CHANNEL])


def announce_end(instance: Session, **_: object) -> None:
    """Receiver of a session's deletion: its open pages close at once, not at their next regular look."""
    if instance.user_id is not None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [ENDED_CHANNEL, str(instance.user_id)])


def job_group(job_id: UUID) -> str:
    """Pages that show this job."""
    return f"job.{job_id}"


def user_group(user_id: int) -> str:
    """Pages that list this person's jobs."""
    return f"user.{user_id}"


class Watch:
    """What changed since one open page last looked. It never holds more than one id for each job."""

    def __init__(self) -> None:
        self._jobs: set[UUID] = set()
        self._everything = False
        self._news = asyncio.Event()
        self.since = time.monotonic()  # of the last note: a reading that began later knows all that was noted

    def note(self, job_id: UUID | None) -> None:
        """This job changed; None: anything may have."""
        self._everything = self._everything or job_id is None
        if job_id is not None:
            self._jobs.add(job_id)
        self.since = time.monotonic()
        self._news.set()

    async def changed(self) -> frozenset[UUID] | None:
        """Wait for news and take it: the jobs that changed, or None where all must be read again."""
        await self._news.wait()
        self._news.clear()
        jobs, everything = frozenset(self._jobs), self._everything
        self._jobs.clear()
        self._everything = False
        return None if everything else jobs


class Hub:
    """The open pages of one event loop, and the task that hears Postgres for them."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._groups: defaultdict[str, set[Watch]] = defaultdict(set)
        self._endings: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._task: asyncio.Task[None] | None = None  # a task that nobody refers to may vanish in mid-flight
        self._threads = Threads()
        self._desks: dict[Any, Desk[Any, Any]] = {}

    @contextmanager
    def watching(self, group: str) -> Iterator[Watch]:
        """A page's watch on a group, from now on: read the rows after entering, and nothing is missed."""
        if self._task is None or self._task.done():
            self._task = self.loop.create_task(self._listen(), name="live listener")
        watch = Watch()
        self._groups[group].add(watch)
        try:
            yield watch
        finally:
            self._groups[group].discard(watch)
            if not self._groups[group]:
                del self._groups[group]

    def desk[K: Hashable, V](self, read: Read[K, V]) -> Desk[K, V]:
        """Where all pages of this process ask for what `read` reads."""
        if read not in self._desks:
            self._desks[read] = Desk(self._threads, read)
        found: Desk[K, V] = self._desks[read]
        return found

    async def ending(self, user_id: int) -> None:
        """Wait until a session of this person ended: one of any browser, so ask whether it is the one that counts."""
        await self._endings[user_id].wait()

    async def stop(self) -> None:
        """End the listener and give all connections back; the next page starts anew."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._desks.clear()
        threads, self._threads = self._threads, Threads()
        await threads.close()

    def _deliver(self, payload: str) -> None:
        try:
            found = json.loads(payload)
            job_id, owner = UUID(found["id"]), int(found["owner"])
        except (ValueError, KeyError, TypeError):
            logger.warning("An announcement could not be read; every page looks again.")
            return self._resync()
        for group in (job_group(job_id), user_group(owner)):
            for watch in self._groups.get(group, ()):
                watch.note(job_id)

    def _deliver_end(self, payload: str) -> None:
        if payload.isdecimal() and (ending := self._endings.pop(int(payload), None)):
            ending.set()

    def _resync(self) -> None:
        for watches in self._groups.values():
            for watch in watches:
                watch.note(None)
        for user_id in list(self._endings):
            self._endings.pop(user_id).set()

    async def _listen(self) -> None:
        delay = FIRST_DELAY
        while True:
            began = self.loop.time()
            try:
                await self._listen_once()
            except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
                logger.warning("Not listening to Postgres (%s); again in %.2f s.", type(error).__name__, delay)
            lasted = self.loop.time() - began
            await asyncio.sleep(delay)
            delay = FIRST_DELAY if lasted > LAST_DELAY else min(delay * 2, LAST_DELAY)

    async def _listen_once(self) -> None:
        async with await psycopg.AsyncConnection.connect(autocommit=True, **_parameters()) as listening:
            await listening.execute(f"LISTEN {CHANNEL}; LISTEN {ENDED_CHANNEL}; LISTEN {CHECK_CHANNEL}")
            self._resync()  # whatever was announced while nobody listened
            while True:
                await self._hear(listening)

    async def _hear(self, listening: psycopg.AsyncConnection[Any]) -> None:
        """One round; raises TimeoutError when a message to itself did not come back: the connection is half open."""
        own, heard = str(uuid4()), False
        async with asyncio.timeout(ANSWER_SECONDS):
            await listening.execute("SELECT pg_notify(%s, %s)", [CHECK_CHANNEL, own])
        async for notice in listening.notifies(timeout=CHECK_SECONDS):
            if notice.channel == CHANNEL:
                self._deliver(notice.payload)
            if notice.channel == ENDED_CHANNEL:
                self._deliver_end(notice.payload)
            heard = heard or notice.payload == own
        if not heard:
            raise TimeoutError


_hub: Hub | None = None


def hub() -> Hub:
    """The hub of the running event loop."""
    global _hub
    if _hub is None or _hub.loop is not asyncio.get_running_loop():
        _hub = Hub()
    return _hub


def _parameters() -> dict[str, Any]:
    """Django's own connection parameters, without what belongs to its cursors."""
    own = {"cursor_factory", "context", "prepare_threshold"}
    kept = {key: value for key, value in connection.get_connection_params().items() if key not in own}
    return kept | {"application_name": "live"}
