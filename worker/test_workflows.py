"""The order of the work, on a real Temporal server; the bodies are fakes registered under the contract's names."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, Worker
from temporalio.workflow import NondeterminismError

from worker import contract
from worker.workflows import TranscribeWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


class Bodies:
    """Records what was called; `spans` and `vote` are what inspect answers, `trouble` raises in a span."""

    def __init__(
        self, spans: int = 2, vote: bool = False, trouble: Exception | None = None, rendition: bool = False
    ) -> None:
        self.spans, self.vote, self.trouble, self.rendition = spans, vote, trouble, rendition
        self.refuses_rendition = False
        self.calls: list[str] = []
        self.run_id = ""
        self.failures: list[contract.Failure] = []
        self.now = self.most = 0
        self.holding = asyncio.Event()
        self.hold = False

    def all(self) -> list[Callable[..., Any]]:
        bodies: list[Callable[..., Any]] = [
            self.inspect,
            self.vote_language,
            self.transcribe_span,
            self.finish_run,
            self.fail_run,
        ]
        return [*bodies, self.make_rendition]

    @activity.defn
    async def inspect(self, run: contract.RunRef) -> contract.Inspection:
        self._note(run.run_id, "inspect")
        return contract.Inspection(spans=self.spans, vote_needed=self.vote, rendition=self.rendition)

    @activity.defn
    async def vote_language(self, run: contract.RunRef) -> None:
        self._note(run.run_id, "vote")

    @activity.defn
    async def make_rendition(self, run: contract.RunRef) -> None:
        self._note(run.run_id, "rendition")
        if self.refuses_rendition:
            raise ApplicationError("It cannot be read.", type="corrupt", non_retryable=True)
        await self._work()
        self._note(run.run_id, "rendered")

    @activity.defn
    async def transcribe_span(self, span: contract.SpanRef) -> None:
        self._note(span.run_id, f"span {span.span}")
        if self.trouble is not None and span.span == 1:
            raise self.trouble
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self._work()
        finally:
            self.now -= 1

    def _note(self, run_id: str, call: str) -> None:
        """Workflows that other tests left open come along on the media queue."""
        if run_id == self.run_id:
            self.calls.append(call)

    async def _work(self) -> None:
        self.holding.set()
        while self.hold:
            activity.heartbeat()
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.05)

    @activity.defn
    async def finish_run(self, run: contract.RunRef) -> None:
        self._note(run.run_id, "finish")

    @activity.defn
    async def fail_run(self, failure: contract.Failure) -> None:
        self.failures.append(failure)


@asynccontextmanager
async def running(address: str, bodies: Bodies, spans_at_once: int = 2) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    client = await Client.connect(address)
    run_id = bodies.run_id = uuid.uuid4().hex
    media, engine = contract.MEDIA_QUEUE, contract.transcribe_queue(run_id)  # queues of this test's own
    start = contract.Start(run_id=run_id, model=run_id, heartbeat_seconds=2, spans_at_once=spans_at_once)
    async with (
        Worker(client, task_queue=media, workflows=[TranscribeWorkflow], activities=bodies.all()),
        Worker(client, task_queue=engine, activities=bodies.all()),
        Worker(client, task_queue=contract.RENDITION_QUEUE, activities=bodies.all()),
    ):
        yield await client.start_workflow(contract.WORKFLOW, start, id=run_id, task_queue=media)


async def test_the_stages_follow_each_other(temporal_address: str) -> None:
    bodies = Bodies(spans=3, vote=True)
    async with running(temporal_address, bodies, spans_at_once=1) as handle:
        await handle.result()
    assert bodies.calls == ["inspect", "vote", "span 0", "span 1", "span 2", "finish"]


async def test_a_chosen_language_needs_no_vote_and_silence_no_span(temporal_address: str) -> None:
    bodies = Bodies(spans=0)
    async with running(temporal_address, bodies) as handle:
        await handle.result()
    assert bodies.calls == ["inspect", "finish"]


async def test_no_more_spans_are_outstanding_than_allowed(temporal_address: str) -> None:
    bodies = Bodies(spans=9)
    async with running(temporal_address, bodies, spans_at_once=3) as handle:
        await handle.result()
    assert bodies.most == 3
    assert sorted(call for call in bodies.calls if call.startswith("span")) == [f"span {i}" for i in range(9)]


async def test_workers_that_come_later_are_used_and_those_that_go_are_not_waited_for(temporal_address: str) -> None:
    bodies = Bodies(spans=9)
    bodies.hold = True
    async with running(temporal_address, bodies, spans_at_once=1) as handle, asyncio.timeout(30):
        await bodies.holding.wait()
        assert bodies.now == 1
        await handle.signal(contract.SLOTS, 4)
        while bodies.now < 4:
            await asyncio.sleep(0.02)
        await handle.signal(contract.SLOTS, 1)
        bodies.most, bodies.hold = 0, False
        await handle.result()
    assert bodies.most == 1  # those outstanding came to their end, and one followed another
    assert sorted(call for call in bodies.calls if call.startswith("span")) == [f"span {i}" for i in range(9)]


async def test_a_refusal_fails_the_run_with_its_code(temporal_address: str) -> None:
    bodies = Bodies(spans=3, trouble=ApplicationError("It crashed twice.", type="poison", non_retryable=True))
    async with running(temporal_address, bodies) as handle:
        await handle.result()
    assert [(f.code, f.detail) for f in bodies.failures] == [("poison", "It crashed twice.")]
    assert "finish" not in bodies.calls


async def test_a_run_that_was_stopped_is_not_failed(temporal_address: str) -> None:
    bodies = Bodies(spans=2, trouble=ApplicationError("stopped", type="stopped", non_retryable=True))
    async with running(temporal_address, bodies) as handle:
        await handle.result()
    assert bodies.failures == []
    assert "finish" not in bodies.calls


async def test_the_text_waits_for_no_rendition_and_the_workflow_does(temporal_address: str) -> None:
    bodies = Bodies(spans=1, rendition=True)
    bodies.hold = True
    async with running(temporal_address, bodies) as handle, asyncio.timeout(20):
        await bodies.holding.wait()
        bodies.hold = False
        await handle.result()
    assert bodies.calls.index("rendition") < bodies.calls.index("finish")
    assert sorted(bodies.calls) == ["finish", "inspect", "rendered", "rendition", "span 0"]


async def test_a_rendition_that_fails_fails_nothing(temporal_address: str) -> None:
    bodies = Bodies(spans=1, rendition=True)
    bodies.refuses_rendition = True
    async with running(temporal_address, bodies) as handle:
        await handle.result()
    assert bodies.failures == []
    assert sorted(bodies.calls) == ["finish", "inspect", "rendition", "span 0"]


async def test_a_rendition_outlives_a_run_that_failed(temporal_address: str) -> None:
    trouble = ApplicationError("It crashed twice.", type="poison", non_retryable=True)
    bodies = Bodies(spans=2, rendition=True, trouble=trouble)
    async with running(temporal_address, bodies) as handle:
        await handle.result()
    assert [failure.code for failure in bodies.failures] == ["poison"]
    assert "rendered" in bodies.calls


async def test_a_cancel_stops_the_rendition_too(temporal_address: str) -> None:
    bodies = Bodies(spans=0, rendition=True)
    bodies.hold = True
    async with running(temporal_address, bodies) as handle, asyncio.timeout(20):
        await bodies.holding.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert "rendition" in bodies.calls
    assert "rendered" not in bodies.calls


async def replay(workflow: type, history: Path) -> None:
    """Raises what the workflow does that goes another way than this history."""
    async with asyncio.timeout(20):  # one that does is asked again, without end
        await Replayer(workflows=[workflow]).replay_workflow(WorkflowHistory.from_json("old", history.read_text()))


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
async def test_a_workflow_begun_by_an_older_version_goes_on(history: Path) -> None:
    """Each name begins with the version that it was recorded with. 0.1: a language vote, three spans, two at once."""
    await replay(TranscribeWorkflow, history)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
async def test_a_workflow_that_would_go_another_way_is_caught(history: Path) -> None:
    """The same replay, of a version that asks for one thing more before all others."""
    with pytest.raises(NondeterminismError):
        await replay(Broken, history)


@workflow.defn(name=contract.WORKFLOW, sandboxed=False)
class Broken(TranscribeWorkflow):
    @workflow.run
    async def run(self, start: contract.Start) -> None:
        failure = contract.Failure(start.run_id, "", "")
        await workflow.execute_activity(contract.fail_run, failure, start_to_close_timeout=timedelta(seconds=1))
        await super().run(start)


async def test_a_fault_in_the_workflow_ends_it(temporal_address: str) -> None:
    bodies = Bodies(spans=cast(int, "none of ours"))
    async with running(temporal_address, bodies) as handle, asyncio.timeout(20):
        with pytest.raises(WorkflowFailureError):
            await handle.result()


async def test_a_cancel_waits_until_the_spans_have_stopped(temporal_address: str) -> None:
    bodies = Bodies(spans=2)
    bodies.hold = True
    async with running(temporal_address, bodies) as handle:
        await bodies.holding.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert bodies.now == 0
    assert "finish" not in bodies.calls
    assert bodies.failures == []


def test_the_workflow_knows_nothing_of_django() -> None:
    code = (
        "import sys, worker.workflows\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'django', 'jobs', 'torch', 'av', 'numpy'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
