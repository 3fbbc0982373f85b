"""The order of the work on one run. Imports the contract alone: the sandbox must find no Django and no house code."""

import asyncio
from collections import deque
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from worker import contract

# Retried without end: a worker that died or a database that is away says nothing about the recording. What is hopeless
# is said by the activity itself, as a non-retryable error with a code.
RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=15)
)
ACTIVITY_LIMIT = timedelta(days=2)
STOPPED = "stopped"  # the run was cancelled, deleted or has ended: nothing to report, nothing to mend


# A fault in here (or a history written by an older form of it) would otherwise be tried again for ever, behind a run
# that says "running". Failed, the scheduler starts another workflow, which goes on from the rows.
@workflow.defn(name=contract.WORKFLOW, failure_exception_types=[Exception])
class TranscribeWorkflow:
    """inspect -> vote on the language where it was not chosen -> hear the spans -> finish.

    Beside all that, from the inspection on, the rendition of a recording that browsers cannot play.
    """

    def __init__(self) -> None:
        self._rendition: asyncio.Task[None] | None = None
        self._slots = 0  # as told by the signal; 0: nothing was told

    @workflow.signal(name=contract.SLOTS)
    def tell_slots(self, count: int) -> None:
        """Workers came or went: the run spreads over them, or holds back."""
        self._slots = count

    @workflow.run
    async def run(self, start: contract.Start) -> None:
        try:
            await self._to_an_end(start)
            if self._rendition is not None:
                await self._rendition
        except (asyncio.CancelledError, ActivityError):
            if self._rendition is not None:
                self._rendition.cancel()
                await asyncio.gather(self._rendition, return_exceptions=True)
            raise

    async def _to_an_end(self, start: contract.Start) -> None:
        try:
            await self._transcribe(start)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            code, detail = _reason(error)
            if code != STOPPED:
                await _on_media(contract.fail_run, contract.Failure(start.run_id, code, detail), start)

    async def _transcribe(self, start: contract.Start) -> None:
        run = contract.RunRef(start.run_id)
        inspection = await _on_media(contract.inspect, run, start)
        if inspection.rendition:
            self._rendition = asyncio.create_task(_render(run, start))
        if inspection.vote_needed:
            await _on_engine(contract.vote_language, run, start)
        await self._hear(start, inspection.spans)
        await _on_media(contract.finish_run, run, start)

    async def _hear(self, start: contract.Start, spans: int) -> None:
        """All spans, as many outstanding as there are slots. After a failure the others are left alone: they stop by
        the row."""
        waiting = deque(range(spans))
        hearing: list[asyncio.Task[None]] = []

        def has_room() -> bool:
            return bool(waiting) and len(hearing) < (self._slots or start.spans_at_once)

        try:
            while waiting or hearing:
                while has_room():
                    span = contract.SpanRef(start.run_id, waiting.popleft())
                    hearing.append(asyncio.create_task(_on_engine(contract.transcribe_span, span, start)))
                await workflow.wait_condition(lambda: has_room() or any(task.done() for task in hearing))
                for task in [task for task in hearing if task.done()]:
                    hearing.remove(task)
                    task.result()
        except asyncio.CancelledError:
            for task in hearing:
                task.cancel()
            await asyncio.gather(*hearing, return_exceptions=True)
            raise


async def _render(run: contract.RunRef, start: contract.Start) -> None:
    try:
        await _call(contract.make_rendition, run, start, contract.RENDITION_QUEUE)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        # The activity has said so on the job. The text is worth the same without a player.


async def _on_media(body: Any, argument: Any, start: contract.Start) -> Any:
    return await _call(body, argument, start, contract.MEDIA_QUEUE)


async def _on_engine(body: Any, argument: Any, start: contract.Start) -> Any:
    return await _call(body, argument, start, contract.transcribe_queue(start.model))


async def _call(body: Any, argument: Any, start: contract.Start, queue: str) -> Any:
    return await workflow.execute_activity(
        body,
        argument,
        task_queue=queue,
        start_to_close_timeout=ACTIVITY_LIMIT,
        heartbeat_timeout=timedelta(seconds=start.heartbeat_seconds),
        retry_policy=RETRIES,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


def _reason(error: ActivityError) -> tuple[str, str]:
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type:
        return cause.type, cause.message
    return "internal", "Something failed on our side. Run it again; if it fails again, tell your operator."
