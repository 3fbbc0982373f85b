"""One level-triggered loop: what the rows want against what Temporal does. Every step is safe to repeat.

Every worker process runs it; a Postgres advisory lock lets one act. It is woken by NOTIFY and looks every 5 s anyway.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import chain, islice
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_noop
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from jobs.failpoints import Point, reach
from jobs.models import Run, Worker
from jobs.services import admit as admission
from jobs.services.cancel import finish_cancel
from jobs.services.finish import fail
from jobs.services.retention import delete_due
from jobs.services.sweep import sweep
from jobs.services.turns import Turns, under_way
from jobs.states import RunState
from worker import contract
from worker.presence import live_workers, offered_speed
from worker.wake import Wake

logger = logging.getLogger(__name__)

TICK_SECONDS = 5.0
SWEEP_SECONDS = 3600.0
LOCK_KEY = 0x7472616E  # "tran"
RPC_TIMEOUT = timedelta(seconds=10)
COURTESY_SECONDS = 2.0
STEP_TIMEOUT = timedelta(seconds=10)  # Temporal's own: after which a step of a workflow goes to another worker
AWAY = (RPCError, RuntimeError)  # a client that never reached the server raises the second
QUICK = 30.0  # seconds of sound heard in a second: five minutes in ten seconds
WORKER_ROWS_KEPT = timedelta(days=1)


class Scheduler:
    """`run` until `stop`. All database work happens on one thread, whose session holds the advisory lock.

    The client may be lazy: cancels end while Temporal is away, even when this process never reached it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scheduler")
        self._repaired_at = self._swept_at = float("-inf")
        self._some_due = True  # recordings whose time is over; they go in slices, one a look
        self._told: dict[str, int] = {}  # slots of each model, as the workflows under way know them
        self._stopped = False

    def stop(self) -> None:
        """Let `run` return behind the look that it is at; wake it, else it sleeps first."""
        self._stopped = True

    async def run(self, wake: Wake) -> None:
        while not self._stopped:
            try:
                await self.tick()
            except DatabaseError as error:
                logger.warning("the database is away: %s", type(error).__name__)
                await self._in_thread(_hang_up)
            except AWAY as error:
                logger.warning("Temporal is away: %s", _why(error))
            except Exception:  # a fault of ours must not end the loop that mends everything else
                logger.exception("the scheduler could not look")
            await wake.wait(TICK_SECONDS)

    async def close(self) -> None:
        """Give the lock back with the session that holds it."""
        await self._in_thread(_hang_up)
        self._thread.shutdown()

    async def tick(self) -> None:
        """One look at everything; nothing when another process holds the lock."""
        if not await self._in_thread(_may_act):
            self._told = {}
            return
        # Cancels first: they need no Temporal, so they end even while it is down.
        await self._cancel()
        await self._admit()
        await self._tell_slots()
        if time.monotonic() - self._repaired_at >= settings.REPAIR_SECONDS:
            await self._repair()
            self._repaired_at = time.monotonic()
        if time.monotonic() - self._swept_at >= SWEEP_SECONDS:
            await self._in_thread(sweep)
            self._swept_at, self._some_due = time.monotonic(), True
        if self._some_due:
            self._some_due = (await self._in_thread(delete_due)).more

    async def _admit(self) -> None:
        for run in await self._in_thread(runs_to_admit):
            await self._start(run)
            await self._in_thread(admission.admit, run.pk)

    async def _start(self, run: Run) -> None:
        """Start the run's workflow; one that is there already is just as good."""
        slots = await self._in_thread(_slots)
        start = contract.Start(
            run_id=str(run.pk),
            model=run.model,
            heartbeat_seconds=settings.HEARTBEAT_TIMEOUT_SECONDS,
            spans_at_once=await self._in_thread(spans_at_once, run.model, slots.get(run.model, 1)),
        )
        reach(Point.BEFORE_WORKFLOW)
        # Already started: it ran and closed; if its run is still open, repair sees to it.
        with suppress(WorkflowAlreadyStartedError):
            await self._client.start_workflow(
                contract.WORKFLOW,
                start,
                id=run.workflow_id,
                task_queue=contract.MEDIA_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                rpc_timeout=RPC_TIMEOUT,
                task_timeout=min(STEP_TIMEOUT, timedelta(seconds=settings.HEARTBEAT_TIMEOUT_SECONDS)),
            )
        reach(Point.AFTER_WORKFLOW)

    async def _tell_slots(self) -> None:
        """Runs under way spread over workers that came later, and hold back for others when some went."""
        slots = await self._in_thread(_slots)
        changed = {model for model, count in slots.items() if count != self._told.get(model)}
        for run in await self._in_thread(_open_runs) if changed else []:
            if run.model in changed:
                await self._tell(run, await self._in_thread(spans_at_once, run.model, slots[run.model]))
        self._told = slots

    async def _tell(self, run: Run, spans: int) -> None:
        try:
            handle = self._client.get_workflow_handle(run.workflow_id)
            await handle.signal(contract.SLOTS, spans, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:  # it has ended; if its run has not, repair sees to it
                raise

    async def _cancel(self) -> None:
        cancelling = await self._in_thread(_cancelling)
        for run in cancelling:
            if not await self._in_thread(_worked_on, run.pk):
                await self._in_thread(finish_cancel, run.pk)
        # After all rows and all at once: each may take its whole time while Temporal is away, and runs whose work has
        # not stopped yet end at the next look.
        await asyncio.gather(*map(self._cancel_workflow, cancelling))

    async def _cancel_workflow(self, run: Run) -> None:
        """A courtesy: activities learn it from the row. A workflow left behind stops at its next activity.

        `rpc_timeout` is one of many: the SDK asks again for ten seconds, in which no other run would end or start.
        """
        try:
            async with asyncio.timeout(COURTESY_SECONDS):
                await self._client.get_workflow_handle(run.workflow_id).cancel(rpc_timeout=RPC_TIMEOUT)
        except (*AWAY, TimeoutError) as error:
            logger.info("run %s: its workflow was not cancelled: %s", run.pk, _why(error), extra={"run": str(run.pk)})

    async def _repair(self) -> None:
        for run in await self._in_thread(_open_runs):
            gone = await self._what_became_of(run)
            if gone is None:
                continue
            if run.restarts >= admission.RESTARTS_ALLOWED:
                await self._in_thread(_give_up, run.pk)
                continue
            logger.warning("run %s: %s; starting another workflow", run.pk, gone, extra={"run": str(run.pk)})
            # Started first and counted after: Temporal may go away between, and a chance that was counted and never
            # taken would look like a second loss.
            run.restarts += 1
            await self._start(run)
            await self._in_thread(admission.restart, run.pk, gone)
        await self._in_thread(_forget_dead_workers)

    async def _what_became_of(self, run: Run) -> str | None:
        """None while the run's workflow is open, else how it ended without the row knowing."""
        try:
            found = await self._client.get_workflow_handle(run.workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            # A server that has just come up may not know its namespace yet, which says nothing about its workflows.
            if error.status == RPCStatusCode.NOT_FOUND and "namespace" not in error.message.lower():
                return "workflow_lost"
            raise
        return None if found.status == WorkflowExecutionStatus.RUNNING else "workflow_closed"

    async def _in_thread[*A, T](self, body: Callable[[*A], T], *arguments: *A) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, body, *arguments)


def runs_to_admit() -> list[Run]:
    """Queued runs to start now, see `jobs.services.turns`. Each model has a room of its own: runs of a model that no
    worker offers any more must not hold up the others."""
    turns, slots = Turns(), _slots()
    room = {model: turns.room(model, slots[model]) for model in turns.models if model in slots}
    chosen = [
        key for model, more in room.items() if more > 0 for key in islice(turns.next_of(model, slots[model]), more)
    ]
    if not chosen or not _disk_has_room():
        return []
    runs = Run.objects.select_related("job").in_bulk(chosen)
    return [runs[key] for key in chosen if key in runs]


def _why(error: Exception) -> str:
    return error.status.name if isinstance(error, RPCError) else type(error).__name__


def _hang_up() -> None:
    """Close this thread's session. (`connection` is a proxy: its attributes belong to the thread that reads them.)"""
    connection.close()


def _may_act() -> bool:
    """The session's advisory lock; asking again while it is held is harmless, a lost session gives it back.

    When is it lost? A host that vanished closes nothing, and Postgres by itself would wait for hours: so the session
    tells it to look after its other end, as our end does (settings.SILENCE_LIMITS). A Unix socket needs none of it.
    And a process that stands still, with its host alive? Nobody else could start or cancel anything, so a session that
    asks nothing for longer than a look can take is ended, too; who wakes notices that, and asks for the lock again.
    """
    limits = [(f"tcp_{name.removeprefix('tcp_')}", str(value)) for name, value in settings.SILENCE_LIMITS.items()]
    still = settings.HEARTBEAT_TIMEOUT_SECONDS + RPC_TIMEOUT.total_seconds() + TICK_SECONDS
    limits.append(("idle_session_timeout", f"{still:.0f}s"))
    chosen = ", ".join(["set_config(%s, %s, false)"] * len(limits))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock(%s), {chosen}", [LOCK_KEY, *chain(*limits)])
        return bool(cursor.fetchone()[0])


def _slots() -> dict[str, int]:
    """Engine slots of the live workers by model."""
    return dict(live_workers().order_by().values_list("model").annotate(Sum("slots")))


def spans_at_once(model: str, slots: int) -> int:
    """Spans of a run that Temporal holds: one for each slot. Where a span takes seconds one more, so that the next is
    there when a slot comes free; where it takes minutes that would only make other people's runs wait for it."""
    return max(1, slots) + (offered_speed(model) >= QUICK)


def _disk_has_room() -> bool:
    """Samples take 115 MB for each hour of audio beside the recording."""
    free = shutil.disk_usage(settings.MEDIA_ROOT).free
    if free < settings.DISK_RESERVE_BYTES:
        logger.warning("nothing is started: only %d MB are free under the media root", free >> 20)
    return free >= settings.DISK_RESERVE_BYTES


def _cancelling() -> list[Run]:
    return list(Run.objects.filter(state=RunState.CANCELLING))


def _worked_on(run_id: UUID) -> bool:
    return live_workers().filter(runs__contains=str(run_id)).exists()


def _open_runs() -> list[Run]:
    return list(Run.objects.filter(under_way()).exclude(state=RunState.CANCELLING))


def _give_up(run_id: UUID) -> None:
    fail(
        run_id,
        reason="lost",
        detail=gettext_noop(
            "The work on this recording was lost twice. Run it again; if that fails too, tell your operator."
        ),
    )


def _forget_dead_workers() -> None:
    Worker.objects.filter(seen_at__lt=timezone.now() - WORKER_ROWS_KEPT).delete()
