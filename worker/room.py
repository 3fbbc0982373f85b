"""How many spans a worker asks Temporal for: one for each engine slot, and the next one shortly before a slot is free.

Asked for when a slot is free, a span came a tenth of a second and more after that (Temporal's round trip, a database
connection, the worker's row). Held in advance all the time, it would be kept from other workers that are free.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)


class Pool(Protocol):
    """As `worker.engine.slots.SlotPool`."""

    on_room: Callable[[], None]

    @property
    def room(self) -> int: ...


class Room(CustomSlotSupplier):
    """Permits to poll, no more than the pool has room. Made on the loop of the worker that uses it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._given = 0
        self._lock = threading.Lock()  # permits come back on the SDK's threads
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        pool.on_room = self._ring

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        while True:
            self._changed.clear()
            if permit := self.try_reserve_slot(ctx):
                return permit
            await self._changed.wait()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        with self._lock:
            if self._given >= self._pool.room:
                return None
            self._given += 1
        return SlotPermit()

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        pass

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        with self._lock:
            self._given -= 1
        self._ring()

    def _ring(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)


def tuner(pool: Pool) -> WorkerTuner:
    """For a worker that runs activities on this pool's slots, and nothing else."""
    nothing = FixedSizeSlotSupplier(1)
    return WorkerTuner.create_composite(
        workflow_supplier=nothing,
        activity_supplier=Room(pool),
        local_activity_supplier=nothing,
        nexus_supplier=nothing,
    )
