"""The listener on a real Postgres: it hears, survives the loss of its connection, and notices a silent one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.db import connection, connections, transaction

from accounts.models import User
from jobs import live
from jobs.live import Hub, Watch, announce, hub, job_group, user_group
from jobs.models import Job

pytestmark = pytest.mark.django_db(transaction=True)
in_thread = database_sync_to_async


@pytest.fixture
async def listening() -> AsyncIterator[Hub]:
    yield hub()
    await hub().stop()


@pytest.fixture
def job(alice: User, make_job: Callable[..., Job]) -> Job:
    return make_job(alice)


async def settled(watch: Watch) -> None:
    """Wait until the listener listens: it then tells every page to look again."""
    assert await asyncio.wait_for(watch.changed(), 10) is None


async def test_an_announcement_reaches_the_pages_of_the_job_and_of_its_owner(listening: Hub, job: Job) -> None:
    with (
        listening.watching(job_group(job.pk)) as page,
        listening.watching(user_group(job.owner_id)) as board,
        listening.watching(job_group(uuid4())) as other,
    ):
        for watch in (page, board, other):
            await settled(watch)
        await in_thread(announce)(job.pk)
        assert await asyncio.wait_for(page.changed(), 5) == frozenset({job.pk})
        assert await asyncio.wait_for(board.changed(), 5) == frozenset({job.pk})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.changed(), 0.1)


async def test_what_was_rolled_back_is_not_announced(listening: Hub, job: Job) -> None:
    def roll_back() -> None:
        with suppress(ZeroDivisionError), transaction.atomic():
            announce(job.pk)
            raise ZeroDivisionError

    with listening.watching(job_group(job.pk)) as watch:
        await settled(watch)
        await in_thread(roll_back)()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.changed(), 0.2)


async def test_many_announcements_are_held_as_one(listening: Hub, job: Job) -> None:
    with listening.watching(job_group(job.pk)) as watch:
        await settled(watch)
        for _ in range(300):
            listening._deliver(f'{{"id": "{job.pk}", "owner": {job.owner_id}}}')
        assert await watch.changed() == frozenset({job.pk})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.changed(), 0.05)


async def test_a_payload_that_makes_no_sense_sends_every_page_to_look(listening: Hub, job: Job) -> None:
    with listening.watching(job_group(job.pk)) as watch:
        await settled(watch)
        await in_thread(notify)("not json")
        assert await asyncio.wait_for(watch.changed(), 5) is None


async def test_the_listener_comes_back_after_its_connection_was_killed(listening: Hub, job: Job) -> None:
    with listening.watching(job_group(job.pk)) as watch:
        await settled(watch)
        assert await in_thread(kill_listeners)() >= 1  # servers of other tests listen on this database too
        await settled(watch)  # whatever was missed meanwhile is read again
        await in_thread(announce)(job.pk)
        assert await asyncio.wait_for(watch.changed(), 5) == frozenset({job.pk})


async def test_a_connection_that_fell_silent_is_noticed(
    listening: Hub, job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy between us and Postgres stops passing bytes on, and closes nothing: only the own message tells."""
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(live, "ANSWER_SECONDS", 0.2)
    proxy = Proxy(live._parameters())
    parameters = await proxy.start(tmp_path)
    monkeypatch.setattr(live, "_parameters", lambda: parameters)
    with listening.watching(job_group(job.pk)) as watch:
        await settled(watch)
        proxy.freeze()
        await settled(watch)
        await in_thread(announce)(job.pk)
        assert job.pk in (await asyncio.wait_for(watch.changed(), 5) or frozenset({job.pk}))
    await listening.stop()
    await proxy.stop()
    assert proxy.connections >= 2


async def test_nothing_is_kept_for_pages_that_left(listening: Hub, job: Job) -> None:
    with listening.watching(job_group(job.pk)):
        pass
    assert not listening._groups


def notify(payload: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [live.CHANNEL, payload])


def kill_listeners() -> int:
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'live' AND datname = current_database()"
        )
        return len(cursor.fetchall())


class Proxy:
    """Passes bytes between a Unix socket of its own and Postgres, until told to hold the connections it has."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._parameters = parameters
        self._flowing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def start(self, folder: Path) -> dict[str, Any]:
        """The parameters that lead through it."""
        self._server = await asyncio.start_unix_server(self._accept, folder / ".s.PGSQL.5432")
        return self._parameters | {"host": str(folder), "port": 5432}

    def freeze(self) -> None:
        self._flowing.set()
        self._flowing = asyncio.Event()

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        host, port = self._parameters.get("host", ""), self._parameters.get("port") or 5432
        if not host or host.startswith("/"):
            there = await asyncio.open_unix_connection(f"{host or '/var/run/postgresql'}/.s.PGSQL.{port}")
        else:
            there = await asyncio.open_connection(host, int(port))
        frozen = self._flowing
        for source, sink in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._pass_on(source, sink, frozen))
            self._tasks.add(task)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, frozen: asyncio.Event) -> None:
        try:
            while data := await source.read(65536):
                if frozen.is_set():
                    continue
                sink.write(data)
        finally:
            sink.close()
