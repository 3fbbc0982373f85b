"""Many askers, few readings: who is answered by which, and that nobody gets an older answer than asked for."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from django.db import OperationalError, connection

from jobs.desk import BATCH, KEPT, Desk, Threads


class Shelf:
    """Something to read that notes every reading, and can be made to wait or fail."""

    def __init__(self) -> None:
        self.readings: list[list[int]] = []
        self.free = threading.Event()
        self.free.set()
        self.failures = 0

    def read(self, keys: Sequence[int]) -> dict[int, int]:
        self.free.wait(10)
        self.readings.append(sorted(keys))
        if self.failures:
            self.failures -= 1
            raise OperationalError
        return {key: len(self.readings) for key in keys if key >= 0}


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    found = Threads()
    yield found
    await found.close()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_all_who_ask_at_once_share_one_reading(threads: Threads, shelf: Shelf) -> None:
    desk = Desk(threads, shelf.read)
    now = time.monotonic()
    answers = await asyncio.gather(*(desk.ask([1, 2], now) for _ in range(100)))
    assert answers == [{1: 1, 2: 1}] * 100
    assert shelf.readings == [[1, 2]]


async def test_who_asks_during_a_reading_gets_the_next_one(threads: Threads, shelf: Shelf) -> None:
    """What the running one has read may be older than the news that made them ask."""
    desk = Desk(threads, shelf.read)
    shelf.free.clear()
    first = asyncio.create_task(desk.ask([1], time.monotonic()))
    while desk._waiting or not desk._task:
        await asyncio.sleep(0)
    second = [asyncio.create_task(desk.ask([1], time.monotonic())) for _ in range(3)]
    await asyncio.sleep(0)
    shelf.free.set()
    assert await first == {1: 1}
    assert await asyncio.gather(*second) == [{1: 2}] * 3


async def test_an_answer_is_kept_for_those_who_know_nothing_newer(threads: Threads, shelf: Shelf) -> None:
    desk = Desk(threads, shelf.read)
    before = time.monotonic()
    assert await desk.ask([1], before) == {1: 1}
    assert await desk.ask([1], before) == {1: 1}
    assert await desk.ask([1], time.monotonic()) == {1: 2}
    await desk.ask(range(2, KEPT + 50), before)
    assert len(desk._kept) == KEPT


async def test_what_is_not_there_is_left_out(threads: Threads, shelf: Shelf) -> None:
    assert await Desk(threads, shelf.read).ask([1, -1], time.monotonic()) == {1: 1}


async def test_many_keys_are_read_in_pieces(threads: Threads, shelf: Shelf) -> None:
    found = await Desk(threads, shelf.read).ask(range(BATCH * 2 + 1), time.monotonic())
    assert len(found) == BATCH * 2 + 1
    assert [len(keys) for keys in shelf.readings] == [BATCH, BATCH, 1]


async def test_who_leaves_takes_nobodys_answer_along(threads: Threads, shelf: Shelf) -> None:
    desk = Desk(threads, shelf.read)
    shelf.free.clear()
    leaving, staying = (asyncio.create_task(desk.ask([1], time.monotonic())) for _ in range(2))
    await asyncio.sleep(0.01)
    leaving.cancel()
    shelf.free.set()
    assert await staying == {1: 1}


async def test_a_connection_that_died_is_replaced_and_a_database_that_is_away_is_said(
    threads: Threads, shelf: Shelf
) -> None:
    desk = Desk(threads, shelf.read)
    shelf.failures = 1
    assert await desk.ask([1], time.monotonic()) == {1: 2}
    shelf.failures = 2
    with pytest.raises(OperationalError):
        await desk.ask([1], time.monotonic())
    assert await desk.ask([1], time.monotonic()) == {1: 5}


@pytest.mark.django_db(transaction=True)
async def test_connections_are_few_kept_and_given_back() -> None:
    threads = Threads()
    desks = [Desk(threads, read_own_pid) for _ in range(4)]
    answers = await asyncio.gather(*(desk.ask([key], time.monotonic()) for desk in desks for key in range(5)))
    pids = {pid for answer in answers for pid in answer.values()}
    assert len(pids) <= 2
    await threads.close()
    assert await asyncio.to_thread(still_there, pids) == 0


def read_own_pid(keys: Sequence[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found = cursor.fetchone()[0]
    return dict.fromkeys(keys, found)


def still_there(pids: set[int]) -> int:
    """How many of these backends live; one that was told to end needs a moment."""
    try:
        for _ in range(100):
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", [list(pids)])
                count: int = cursor.fetchone()[0]
            if not count:
                break
            time.sleep(0.05)
        return count
    finally:
        connection.close()
