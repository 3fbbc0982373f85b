"""The states of a run and the table of legal moves. Every writer asks this table; nothing else knows it."""

from enum import StrEnum


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Rendition(StrEnum):
    """Of a recording that browsers cannot play; one that they can has none."""

    WANTED = "wanted"
    READY = "ready"
    FAILED = "failed"


MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED, RunState.FAILED}),
    RunState.RUNNING: frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLING}),
    RunState.CANCELLING: frozenset({RunState.CANCELLED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

FINAL = frozenset(state for state, targets in MOVES.items() if not targets)
OPEN = frozenset(MOVES) - FINAL


def sources(target: RunState) -> frozenset[RunState]:
    """The states from which a run may move to `target`."""
    return frozenset(state for state, targets in MOVES.items() if target in targets)
