"""Percent, time left and place in the queue, from rows at a moment of the test's choosing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from jobs.models import Job, Run, RunEvent, Window, Worker
from jobs.progress import NO_MODEL, NO_WORKER, Progress, pace, progress_of, time_left

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
Make = Callable[..., Job]


def run_of(job: Job) -> Run:
    assert job.current_run is not None
    return job.current_run


def plan(run: Run, *, done: int, total: int) -> None:
    Window.objects.bulk_create(
        Window(run=run, index=i, span=0, batch=i, start=30 * i, end=30 * (i + 1), done_at=NOW if i < done else None)
        for i in range(total)
    )


def transcribing_for(run: Run, seconds: float) -> None:
    event = RunEvent.objects.create(run=run, state="running", stage="transcribing")
    RunEvent.objects.filter(pk=event.pk).update(at=NOW - timedelta(seconds=seconds))


def worker(*, speed: float | None, slots: int = 1, silent: int = 0, model: str = "demo") -> None:
    seen = NOW - timedelta(seconds=silent)
    Worker.objects.create(host="h", pid=1, model=model, device="cpu", slots=slots, speed=speed, seen_at=seen)


@pytest.mark.parametrize(
    ("done", "total", "percent"), [(0, 0, None), (0, 90, 0), (45, 90, 50), (89.99, 90, 99), (90, 90, 100)]
)
def test_percent_is_100_only_at_the_end(done: float, total: float, percent: int | None) -> None:
    assert Progress(done=done, total=total).percent == percent


def test_pace_and_time_left_are_unknown_before_anything_was_heard() -> None:
    assert pace(0, NOW, NOW + timedelta(seconds=5)) is None
    assert pace(30, None, NOW) is None
    assert pace(30, NOW, NOW) is None
    assert time_left(0, 90, None) is None
    assert time_left(0, 0, 2.0) is None
    assert time_left(30, 90, 2.0) == 30


def test_a_run_is_judged_by_its_own_pace(alice: User, make_job: Make) -> None:
    run = run_of(make_job(alice, state="running"))
    plan(run, done=2, total=6)
    transcribing_for(run, 20)
    worker(speed=1000)
    found = progress_of([run], NOW)[run.pk]
    assert (found.percent, found.left) == (33, 40)  # 60 s heard in 20 s, 120 s to go


def test_an_outage_is_forgotten_after_a_while(alice: User, make_job: Make) -> None:
    run = run_of(make_job(alice, state="running"))
    plan(run, done=20, total=50)
    worker(speed=None)
    transcribing_for(run, 10 * 3600)
    Window.objects.filter(run=run, index__lt=10).update(done_at=NOW - timedelta(hours=9))
    assert progress_of([run], NOW)[run.pk].left == 900  # 300 s heard in the last 300 s, 900 s to go
    Window.objects.filter(run=run, index__lt=20).update(done_at=NOW - timedelta(hours=9))
    assert progress_of([run], NOW)[run.pk].left is None  # and while it lasts, nothing is promised


def test_before_that_by_the_live_workers_shared_among_the_runs(alice: User, make_job: Make) -> None:
    run = run_of(make_job(alice, state="running"))
    make_job(alice, state="running")
    plan(run, done=0, total=4)
    worker(speed=5, slots=2)
    worker(speed=100, silent=61)
    worker(speed=100, model="other")
    worker(speed=None)
    assert progress_of([run], NOW)[run.pk].left == 24  # 120 s at half of 10 a second


def test_without_a_worker_nothing_is_promised(alice: User, make_job: Make) -> None:
    run = run_of(make_job(alice, state="running"))
    plan(run, done=0, total=4)
    found = progress_of([run], NOW)[run.pk]
    assert (found.left, found.work, found.finish, found.stalled) == (None, None, None, True)


def test_work_and_finish_are_those_of_the_live_workers(alice: User, make_job: Make) -> None:
    run = run_of(make_job(alice, state="running"))
    make_job(alice, state="running")
    plan(run, done=0, total=40)
    Window.objects.filter(run=run, index__gte=20).update(span=1)
    worker(speed=5, slots=4)
    worker(speed=100, model="other", slots=8)
    found = progress_of([run], NOW)[run.pk]
    assert found.work == 120  # 1200 s in two parts, so on two of the four slots
    assert (found.left, found.finish) == (120, NOW + timedelta(seconds=120))  # half of the slots are its own
    Window.objects.filter(run=run, index__gte=20).update(span=0)
    assert progress_of([run], NOW)[run.pk].work == 240  # a single part keeps a single slot busy


def test_more_hypotheses_take_longer(alice: User, make_job: Make) -> None:
    """What workers say of their speed is that of one."""
    run = run_of(make_job(alice, state="running", options={"beam": 5}))
    plan(run, done=0, total=4)
    worker(speed=10)
    found = progress_of([run], NOW)[run.pk]
    assert found.work == found.left == pytest.approx(12 * 1.6)


def test_what_is_not_planned_has_no_estimate(alice: User, make_job: Make) -> None:
    run = run_of(make_job(alice, state="running"))
    worker(speed=5)
    found = progress_of([run], NOW)[run.pk]
    assert (found.work, found.finish, found.stalled) == (None, None, False)


def test_places_count_the_admitted_first_then_whose_turn_it_is(alice: User, bob: User, make_job: Make) -> None:
    worker(speed=None)
    first, second, third = (run_of(make_job(owner)) for owner in (alice, bob, alice))
    Run.objects.filter(pk=third.pk).update(admitted_at=NOW)
    found = progress_of([first, second, third], NOW)
    assert [found[run.pk].place for run in (third, second, first)] == [1, 2, 3]  # alice has one under way


def test_the_only_one_has_a_place_when_it_was_handed_over_too(alice: User, make_job: Make) -> None:
    worker(speed=None)
    run = run_of(make_job(alice))
    Run.objects.filter(pk=run.pk).update(admitted_at=NOW)
    assert progress_of([run], NOW)[run.pk].place == 1
    Run.objects.filter(pk=run.pk).update(state="running")  # begun, since the page read its row
    assert progress_of([run], NOW)[run.pk].place is None


def test_places_tell_the_fair_share(alice: User, bob: User, make_job: Make) -> None:
    """A thousand recordings of one person are before another's second one, and not before the first."""
    worker(speed=None)
    for _ in range(2):
        make_job(alice, state="running", admitted_at=NOW)
    mine = [run_of(make_job(alice)) for _ in range(4)]
    theirs = [run_of(make_job(bob)) for _ in range(3)]
    found = progress_of([*mine, *theirs], NOW)
    order = sorted([*mine, *theirs], key=lambda run: found[run.pk].place or 0)
    names = [f"{'a' if run in mine else 'b'}{(mine if run in mine else theirs).index(run)}" for run in order]
    # Two at once: alice's two end one after the other, and with each end whoever has less under way is next.
    assert names == ["b0", "a0", "b1", "a1", "b2", "a2", "a3"]
    assert sorted(found[run.pk].place or 0 for run in order) == [1, 2, 3, 4, 5, 6, 7]


def test_places_count_the_runs_of_the_same_model(alice: User, make_job: Make) -> None:
    runs = [run_of(make_job(alice)) for _ in range(3)]
    Run.objects.filter(pk=runs[1].pk).update(model="other")
    runs[1].model = "other"
    assert [p.place for p in progress_of(runs, NOW).values()] == [NO_WORKER] * 3
    worker(speed=None)
    assert [p.place for p in progress_of(runs, NOW).values()] == [1, NO_MODEL, 2]
    worker(speed=None, model="other")
    assert [p.place for p in progress_of(runs, NOW).values()] == [1, 1, 2]
    Worker.objects.filter(model="other").update(ended_at=NOW)
    assert [p.place for p in progress_of(runs, NOW).values()] == [1, NO_MODEL, 2]


def test_ended_runs_cost_nothing(alice: User, make_job: Make, django_assert_num_queries: Any) -> None:
    run = run_of(make_job(alice, state="succeeded"))
    with django_assert_num_queries(0):
        assert progress_of([run], NOW) == {}


def test_a_place_beyond_those_counted(alice: User, make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.progress.PLACES_SHOWN", 1)
    worker(speed=None)
    first, second = run_of(make_job(alice)), run_of(make_job(alice))
    assert progress_of([second], NOW)[second.pk].place == 2
    assert progress_of([first], NOW)[first.pk].place == 1
