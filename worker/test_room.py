"""Spans are taken from Temporal, a real one, as the slots of a pool have room for them."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from worker.room import tuner

PATIENCE = timedelta(seconds=60)


class Slots:
    """One slot, as far as a worker's polls are concerned."""

    room = 1
    now = most = 0

    def __init__(self) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self.taken: asyncio.Queue[int] = asyncio.Queue()
        self.free = asyncio.Event()

    def has_room(self, count: int) -> None:
        self.room = count
        self.on_room()

    @activity.defn(name="hear")
    async def hear(self, number: int) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        self.taken.put_nowait(number)
        await self.free.wait()
        self.now -= 1


@workflow.defn(sandboxed=False)
class Spans:
    @workflow.run
    async def run(self, queue: str) -> None:
        calls = [("hear", number) for number in range(3)]
        hear = [workflow.execute_activity(*call, task_queue=queue, start_to_close_timeout=PATIENCE) for call in calls]
        await asyncio.gather(*hear)


async def test_the_next_span_is_taken_shortly_before_a_slot_is_free(temporal_address: str) -> None:
    client, pool, queue = await Client.connect(temporal_address), Slots(), uuid.uuid4().hex
    async with (
        asyncio.timeout(50),
        Worker(client, task_queue=f"{queue}-order", workflows=[Spans]),
        Worker(client, task_queue=queue, activities=[pool.hear], tuner=tuner(pool)),
    ):
        spans = await client.start_workflow(Spans.run, queue, id=queue, task_queue=f"{queue}-order")
        taken = [await pool.taken.get()]
        pool.has_room(2)
        taken.append(await pool.taken.get())
        pool.has_room(1)
        pool.free.set()
        await spans.result()
    assert sorted([*taken, pool.taken.get_nowait()]) == [0, 1, 2]
    assert pool.most == 2
