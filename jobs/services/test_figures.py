"""The figures of the metrics and of the administration."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from jobs.models import Job, Run, Upload, Window, Worker
from jobs.services import figures
from jobs.states import RunState

HOUR = timedelta(hours=1)


def test_runs_are_counted_in_every_state(alice: User, make_job: Callable[..., Job]) -> None:
    for state in ("queued", "queued", "failed"):
        make_job(alice, state=state)
    none = dict.fromkeys(RunState, 0)
    assert figures.runs_by_state() == {**none, RunState.QUEUED: 2, RunState.FAILED: 1}


def test_the_age_of_the_queue_is_that_of_its_oldest(alice: User, make_job: Callable[..., Job]) -> None:
    make_job(alice, state="running")
    assert figures.queue() == figures.Queue(0, 0.0)
    make_job(alice, state="queued")
    old = make_job(alice, state="queued").current_run
    assert old is not None
    Run.objects.filter(pk=old.pk).update(created_at=timezone.now() - HOUR)
    found = figures.queue()
    assert found.waiting == 2
    assert found.oldest_seconds >= 3600


def test_sound_counts_once_it_was_heard_and_where_this_run_heard_it(alice: User, make_job: Callable[..., Job]) -> None:
    now = timezone.now()
    run = make_job(alice, state="running").current_run
    assert run is not None
    for index, done_at in enumerate([now, now - 2 * HOUR, None]):
        Window.objects.create(
            run=run, index=index, span=0, batch=0, start=10 * index, end=10 * index + 7, done_at=done_at
        )
    assert figures.heard_seconds(HOUR) == 7
    assert figures.heard_seconds(3 * HOUR) == 14
    Run.objects.filter(pk=run.pk).update(span_start=10, span_end=20)  # the rest was taken over, done at once
    assert (figures.heard_seconds(HOUR), figures.heard_seconds(3 * HOUR)) == (0, 7)
    Run.objects.filter(pk=run.pk).update(state="succeeded", finished_at=now - 2 * HOUR)
    assert figures.heard_seconds(HOUR) == 0


def test_failures_are_named_by_their_codes(alice: User, make_job: Callable[..., Job]) -> None:
    now = timezone.now()
    for reason in ("poison", "not_media", "not_media"):
        make_job(alice, state="failed", reason=reason, finished_at=now)
    make_job(alice, state="failed", reason="lost", finished_at=now - 2 * HOUR)
    assert list(figures.failures(HOUR).items()) == [("not_media", 2), ("poison", 1)]


def test_only_uploads_without_a_recording_are_unfinished(alice: User, make_job: Callable[..., Job]) -> None:
    assert figures.unfinished() == figures.Unfinished(0, 0)
    expires = {"expires_at": timezone.now() + HOUR}
    for offset in (3, 4):
        Upload.objects.create(owner=alice, title="a", length=9, offset=offset, **expires)
    Upload.objects.create(owner=alice, title="a", length=9, offset=9, job=make_job(alice), **expires)
    assert figures.unfinished() == figures.Unfinished(2, 7)


def test_capacity_is_that_of_live_workers_by_model(make_worker: Callable[..., Worker]) -> None:
    make_worker("small", slots=2, speed=3.0)
    make_worker("small", slots=1, speed=4.0)
    make_worker("base", slots=1)
    make_worker("base", slots=8, seen_at=timezone.now() - HOUR)
    assert figures.capacity() == [figures.Capacity("base", 1, 1, 0.0), figures.Capacity("small", 2, 3, 10.0)]
