"""What Temporal keeps of runs: how many events and bytes, and whether anything in them should not be there."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.client import Client

from transcribe.drill import Drill


@dataclass(frozen=True)
class History:
    """Of one workflow: events, bytes of all of them, and the largest one."""

    events: int
    size: int
    largest: int
    told: tuple[str, ...]  # of the words looked for


def histories(drill: Drill, runs: Sequence[str], words: Sequence[str]) -> list[History]:
    """Of each run's workflow; `words` are looked for in the raw events, payloads included."""
    return asyncio.run(_fetch(drill.stack.environment()["TEMPORAL_ADDRESS"], runs, words))


async def _fetch(address: str, runs: Sequence[str], words: Sequence[str]) -> list[History]:
    client = await Client.connect(address)
    found = []
    for run in runs:
        history = await client.get_workflow_handle(f"run-{run}").fetch_history()
        raw = [event.SerializeToString() for event in history.events]
        whole = b"\n".join(raw)
        told = tuple(word for word in words if word.encode() in whole)
        found.append(History(len(raw), len(whole), max(map(len, raw)), told))
    return found
