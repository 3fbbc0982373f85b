"""Temporal's side of the oracle: every run under way has its open workflow, every open workflow its run."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from jobs.integrity.checks import Check, Keys, Room, keys_of
from jobs.models import Run
from jobs.services.turns import under_way
from jobs.states import RunState
from worker import contract

RPC_TIMEOUT = timedelta(seconds=10)
PREFIX = "run-"


class Witness:
    """Asks through the loop that made the client. Its checks raise RPCError while Temporal is away."""

    def __init__(self, client: Client, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner
        self._open: dict[UUID, set[str]] = {}

    def rooms(self) -> Sequence[Room]:
        begun = Run.objects.filter(under_way()).exclude(state=RunState.CANCELLING)  # that one needs no workflow
        return [
            Room(
                "transcriptions under way",
                lambda: keys_of(begun),
                [
                    Check(
                        "workflow_gone",
                        "Nothing works on a transcription that is under way.",
                        "A running worker starts it again within REPAIR_SECONDS: start one, and look at its log.",
                        self._without_workflow,
                    )
                ],
            ),
            Room(
                "open workflows",
                self._named,
                [
                    Check(
                        "workflow_left",
                        "A workflow is open whose transcription is not there, or which another one replaced.",
                        "It ends at its next step while a worker runs: start one. Else terminate it in Temporal.",
                        self._left,
                    )
                ],
            ),
        ]

    def _without_workflow(self, keys: Keys) -> Iterator[UUID]:
        for run in Run.objects.filter(under_way(), pk__in=keys).exclude(state=RunState.CANCELLING):
            if not self._is_open(run.workflow_id):
                yield run.pk

    def _named(self) -> Iterable[UUID]:
        """The runs that open workflows are named after. What Temporal lists may be seconds old."""
        self._open = self._runner.run(self._list())
        return list(self._open)

    def _left(self, keys: Keys) -> Iterator[UUID]:
        runs = Run.objects.in_bulk(keys)
        for key in keys:
            meant = {runs[key].workflow_id} if key in runs else set[str]()
            if any(self._is_open(name) for name in self._open[key] - meant):
                yield key

    async def _list(self) -> dict[UUID, set[str]]:
        query = f"WorkflowType = '{contract.WORKFLOW}' AND ExecutionStatus = 'Running'"
        found: dict[UUID, set[str]] = {}
        async for each in self._client.list_workflows(query, rpc_timeout=RPC_TIMEOUT):
            key = _run_of(each.id)
            if key is not None:
                found.setdefault(key, set()).add(each.id)
        return found

    def _is_open(self, workflow_id: str) -> bool:
        try:
            found = self._runner.run(self._client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT))
        except RPCError as error:
            # A namespace that is not there yet says nothing about its workflows.
            if error.status == RPCStatusCode.NOT_FOUND and "namespace" not in error.message.lower():
                return False
            raise
        return found.status == WorkflowExecutionStatus.RUNNING


def _run_of(workflow_id: str) -> UUID | None:
    """`run-<id>`, or with the number of its restart behind."""
    try:
        return UUID(workflow_id.removeprefix(PREFIX)[:36]) if workflow_id.startswith(PREFIX) else None
    except ValueError:
        return None
