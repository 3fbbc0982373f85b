"""What holds recordings up, from real rows."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import User
from jobs.models import Job, Run, RunEvent, Window
from jobs.services import holdups
from jobs.services.holdups import StageTime

HOUR = timedelta(hours=1)


def test_lines_know_what_waits_and_how_long_it_is(alice: User, make_job: Callable[..., Job]) -> None:
    make_job(alice, state="succeeded")
    for duration, fields in ((60.0, {}), (None, {}), (None, {"span_start": 2.0, "span_end": 5.0})):
        job = make_job(alice, state="queued", **fields)
        Job.objects.filter(pk=job.pk).update(duration=duration)
    make_job(alice, state="running")
    (line,) = holdups.lines()
    assert (line.model, line.waiting, line.known, line.unknown, line.running) == ("demo", 3, 63.0, 1, 1)
    assert line.since == Run.objects.filter(state="queued").earliest("created_at").created_at


def test_slots_are_busy_with_spans_that_were_handed_over_and_not_heard(
    alice: User, make_job: Callable[..., Job]
) -> None:
    now = timezone.now()
    for state in ("running", "running", "cancelled"):
        run = make_job(alice, state=state).runs.get()
        for index, (span, attempts, done) in enumerate(
            [(0, 1, now), (0, 1, None), (0, 1, None), (1, 1, None), (2, 0, None)]
        ):
            Window.objects.create(
                run=run, index=index, span=span, batch=index, start=10 * index, end=10 * index + 10,
                attempts=attempts, done_at=done,
            )  # fmt: skip
    assert holdups.slots_busy() == {"demo": 4}
    assert holdups.left_to_hear() == {"demo": 80.0}


def test_the_usual_length_is_that_of_the_newest(alice: User, make_job: Callable[..., Job]) -> None:
    assert holdups.usual_length() is None
    for duration in (10.0, 30.0, None):
        job = make_job(alice)
        Job.objects.filter(pk=job.pk).update(duration=duration)
    assert holdups.usual_length() == 20.0


def test_stages_are_told_by_the_time_they_took(alice: User, make_job: Callable[..., Job]) -> None:
    now = timezone.now()
    done, going, old = (make_job(alice).runs.get() for _ in range(3))
    _moved(old, now, [(9000, "queued", ""), (8000, "failed", "")])
    _moved(done, now, [(500, "queued", ""), (400, "running", "preparing"), (390, "running", "transcribing"),
                       (90, "succeeded", "")])  # fmt: skip
    _moved(going, now, [(4000, "queued", ""), (70, "running", "preparing"), (50, "running", "transcribing")])
    assert holdups.stage_times(now, HOUR) == [
        StageTime("", 2, 4030.0), StageTime("transcribing", 2, 350.0), StageTime("preparing", 2, 30.0),
    ]  # fmt: skip


def _moved(run: Run, now: datetime, moves: list[tuple[int, str, str]]) -> None:
    """Moves so many seconds ago."""
    for ago, state, stage in moves:
        event = RunEvent.objects.create(run=run, state=state, stage=stage)
        RunEvent.objects.filter(pk=event.pk).update(at=now - timedelta(seconds=ago))
