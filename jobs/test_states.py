"""The table of moves, every pair of it, and the one write that follows it."""

from collections.abc import Callable

import pytest

from accounts.models import User
from jobs.models import Job, Run, RunEvent
from jobs.services.moves import move
from jobs.states import FINAL, MOVES, OPEN, RunState, sources

LEGAL = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("queued", "failed"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelling"),
    ("cancelling", "cancelled"),
}


def test_the_table_says_exactly_the_legal_moves() -> None:
    assert {(a.value, b.value) for a, targets in MOVES.items() for b in targets} == LEGAL


def test_final_states_are_left_by_nothing() -> None:
    assert {"succeeded", "failed", "cancelled"} == FINAL
    assert {"queued", "running", "cancelling"} == OPEN
    assert not any(state in FINAL for target in RunState for state in sources(target))


@pytest.mark.parametrize("target", list(RunState))
@pytest.mark.parametrize("source", list(RunState))
def test_a_move_is_won_exactly_when_the_table_allows_it(
    source: RunState, target: RunState, alice: User, make_job: Callable[..., Job]
) -> None:
    run = make_job(alice, state=source).current_run
    assert run is not None
    won = move(run.pk, target, reason="why", detail="A sentence.", worker="box:1", attempt=2)
    run.refresh_from_db()
    assert won == ((source, target) in LEGAL)
    assert run.state == (target if won else source)
    assert (run.finished_at is not None) == (won and target in FINAL)
    events = list(RunEvent.objects.filter(run=run).values_list("state", "reason", "detail", "worker", "attempt"))
    assert events == ([(target, "why", "A sentence.", "box:1", 2)] if won else [])


def test_a_move_announces_the_job_with_a_higher_revision(alice: User, make_job: Callable[..., Job]) -> None:
    job = make_job(alice)
    assert job.current_run is not None
    move(job.current_run.pk, RunState.RUNNING)
    assert Job.objects.get(pk=job.pk).revision == job.revision + 1


def test_a_run_that_is_gone_is_not_moved(db: None) -> None:
    assert not move(Run().pk, RunState.RUNNING)
