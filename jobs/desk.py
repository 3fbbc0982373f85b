"""Few readings for many askers: whoever asks while a reading runs is answered by the next one.

A reading is a function of the database for many keys at once. It runs in one of a few threads, each with one connection
that it keeps: a thousand open pages cost as many connections as one.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from django.db import Error, connections

THREADS = 2
BATCH = 20  # keys of one reading: few enough that the first asker does not wait long for the last
REST_SECONDS = 0.04  # between the beginnings of small readings: when much happens they are fewer, and each is for more
KEPT = 512  # answers for those who ask later and would be content with them
logger = logging.getLogger(__name__)

type Read[K, V] = Callable[[Sequence[K]], Mapping[K, V]]
"""Answers by key; a key without one is left out. Blocks: it asks the database."""


class Threads:
    """A few threads with a database connection each."""

    def __init__(self, count: int = THREADS) -> None:
        self._all = [ThreadPoolExecutor(1, thread_name_prefix="live") for _ in range(count)]
        self._free: asyncio.Queue[ThreadPoolExecutor] = asyncio.Queue()
        for thread in self._all:
            self._free.put_nowait(thread)

    @asynccontextmanager
    async def free(self) -> AsyncIterator[ThreadPoolExecutor]:
        """One that has nothing to do, for as long as this lasts."""
        thread = await self._free.get()
        try:
            yield thread
        finally:
            self._free.put_nowait(thread)

    async def close(self) -> None:
        """Give the connections back; the threads end."""
        for thread in self._all:
            await asyncio.get_running_loop().run_in_executor(thread, connections.close_all)
            thread.shutdown()


class Desk[K: Hashable, V]:
    """Answers of one kind of reading."""

    def __init__(self, threads: Threads, read: Read[K, V]) -> None:
        self._threads, self._read = threads, read
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._kept: OrderedDict[K, tuple[float, V | None]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._began = float("-inf")

    async def ask(self, keys: Iterable[K], since: float) -> dict[K, V]:
        """Answers from readings that began after `since` (time.monotonic); keys without one are left out.

        Raises django.db.Error where the database could not be read.
        """
        answers: dict[K, V | None] = {}
        waiting: dict[K, asyncio.Future[V | None]] = {}
        for key in keys:
            began, answer = self._kept.get(key, (float("-inf"), None))
            if began > since:
                answers[key] = answer
            else:
                waiting[key] = self._ask(key)
        for key, future in waiting.items():
            answers[key] = await asyncio.shield(future)  # others wait for it too
        return {key: answer for key, answer in answers.items() if answer is not None}

    def _ask(self, key: K) -> asyncio.Future[V | None]:
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().create_future()
            self._waiting[key].add_done_callback(_seen)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve(), name="live desk")
        return self._waiting[key]

    async def _serve(self) -> None:
        while self._waiting:
            if len(self._waiting) < BATCH:
                await asyncio.sleep(max(0.0, self._began + REST_SECONDS - time.monotonic()))
            async with self._threads.free() as thread:
                asked = {key: self._waiting.pop(key) for key in list(self._waiting)[:BATCH]}
                self._began = began = time.monotonic()
                body = partial(_reading, self._read, list(asked))
                try:
                    found = await asyncio.get_running_loop().run_in_executor(thread, body)
                except Exception as error:
                    self._fail(asked, error)
                else:
                    self._answer(asked, found, began)

    def _answer(self, asked: Mapping[K, asyncio.Future[V | None]], found: Mapping[K, V], began: float) -> None:
        for key, future in asked.items():
            self._kept[key] = began, found.get(key)
            self._kept.move_to_end(key)
            if not future.done():
                future.set_result(found.get(key))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _fail(self, asked: Mapping[K, asyncio.Future[V | None]], error: Exception) -> None:
        """Everyone who waits is told; the log is told once."""
        known = isinstance(error, Error)  # a database that is away; anything else is a fault of ours
        logger.warning("Live pages could not be read (%s).", type(error).__name__, exc_info=None if known else error)
        for future in asked.values():
            if not future.done():
                future.set_exception(error)


def _reading[K, V](read: Read[K, V], keys: Sequence[K]) -> Mapping[K, V]:
    """Twice at most: a connection that was kept may have died while nobody asked."""
    try:
        return read(keys)
    except Error:
        connections.close_all()
    try:
        return read(keys)
    except Error:
        connections.close_all()
        raise


def _seen(future: asyncio.Future[Any]) -> None:
    """An error that nobody waits for any more is no news to the event loop."""
    if not future.cancelled():
        future.exception()
