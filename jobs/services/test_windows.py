"""Windows are committed once, in whole batches, and only while the run runs."""

from collections.abc import Callable

import pytest

from accounts.models import User
from jobs.models import Job, Run, Segment
from jobs.services.plan import PlannedWindow, store_language, store_plan
from jobs.services.windows import HeardSegment, batches_left, commit_windows, hand_over, record_engine_death


@pytest.fixture
def run(alice: User, make_job: Callable[..., Job]) -> Run:
    run = make_job(alice, state="running").current_run
    assert run is not None
    windows = [PlannedWindow(start=i * 30.0, end=i * 30.0 + 28, span=i // 4, batch=i // 2) for i in range(8)]
    assert store_plan(run.pk, duration=240.0, windows=windows, warnings=[])
    return run


def heard(*indexes: int) -> dict[int, list[HeardSegment]]:
    return {i: [HeardSegment(start=i * 30.0, end=i * 30.0 + 2, text=f"words of {i}")] for i in indexes}


def test_a_plan_is_stored_once(run: Run) -> None:
    assert store_plan(run.pk, duration=9.0, windows=[PlannedWindow(start=0, end=9, span=0, batch=0)], warnings=[])
    assert run.windows.count() == 8


def test_batches_come_in_order_and_stay_in_their_span(run: Run) -> None:
    assert [w.index for w in batches_left(run.pk, 0)[0]] == [0, 1]
    commit_windows(run.pk, heard(0, 1))
    assert [w.index for w in batches_left(run.pk, 0)[0]] == [2, 3]
    commit_windows(run.pk, heard(2, 3))
    assert batches_left(run.pk, 0) == []
    assert [w.index for w in batches_left(run.pk, 1)[0]] == [4, 5]


def test_a_late_second_commit_changes_nothing(run: Run) -> None:
    assert commit_windows(run.pk, heard(0, 1))
    done = run.windows.get(index=0).done_at
    late = {0: [HeardSegment(start=0, end=1, text="other words")], 1: []}
    assert commit_windows(run.pk, late)
    assert list(Segment.objects.values_list("text", flat=True)) == ["words of 0", "words of 1"]
    assert run.windows.get(index=0).done_at == done


@pytest.mark.parametrize("state", ["queued", "cancelling", "cancelled", "failed", "succeeded"])
def test_a_commit_is_refused_when_the_run_is_not_running(run: Run, state: str) -> None:
    Run.objects.filter(pk=run.pk).update(state=state)
    assert not commit_windows(run.pk, heard(0, 1))
    assert Segment.objects.count() == 0
    assert not store_language(run.pk, "en", 0.9)


def test_a_window_where_nothing_was_said_is_done_too(run: Run) -> None:
    commit_windows(run.pk, {0: [], 1: []})
    assert run.windows.exclude(done_at=None).count() == 2


def test_the_second_death_on_a_window_is_poison(run: Run) -> None:
    batch, _ = batches_left(run.pk, 0)
    hand_over(batch)
    assert not record_engine_death(batch)
    hand_over(batch)
    assert record_engine_death(batch)
    assert list(run.windows.filter(index__lt=2).values_list("attempts", "engine_deaths")) == [(2, 2), (2, 2)]
    assert not run.windows.filter(index__gte=2, engine_deaths__gt=0).exists()
