"""How far a run is, how long it will still take, and its place in the queue: computed from rows, never stored.

A page of recordings costs the same number of queries as one recording: every question is asked for all runs at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from uuid import UUID

from django.db.models import Count, F, Min, Q, Sum
from django.utils import timezone

from jobs.models import Run, RunEvent, Window
from jobs.services.begin import TRANSCRIBING
from jobs.services.offers import live
from jobs.services.options import stored_options, work_of
from jobs.services.turns import Turns
from jobs.states import RunState

NO_MODEL, NO_WORKER = 0, -1  # instead of a place: no live worker has the run's model, or there is none at all
PLACES_SHOWN = 1000  # a longer queue is said as "more than"
PACE_OVER = timedelta(minutes=5)  # an outage, or other recordings beside it, tell in the time left and are forgotten


@dataclass(frozen=True)
class Progress:
    """`done` and `total` in seconds of speech windows, `left` and `work` in seconds of time; None: not known yet."""

    done: float = 0.0
    total: float = 0.0
    left: float | None = None
    work: float | None = None  # all of it, were the live workers free for it; only while it runs
    finish: datetime | None = None
    stalled: bool = False  # it runs, and no live worker has its model
    place: int | None = None  # 1: next of its model; NO_MODEL or NO_WORKER where it cannot begin; only while queued

    @property
    def percent(self) -> int | None:
        """0..100 and 100 only when every window is done; None before the plan is known."""
        if not self.total:
            return None
        return 100 if self.done >= self.total else min(99, int(100 * self.done / self.total))


def pace(done: float, began: datetime | None, now: datetime) -> float | None:
    """Seconds of recording heard for each second of late: `done` within PACE_OVER, or since transcribing `began` where
    that is less. None while nothing was heard."""
    spent = (now - max(began, now - PACE_OVER)).total_seconds() if began else 0.0
    return done / spent if done > 0 and spent > 0 else None


def time_left(done: float, total: float, speed: float | None) -> float | None:
    """Seconds until the rest is heard at this speed; None where speed or plan are unknown."""
    return max(0.0, total - done) / speed if speed and total else None


def progress_of(runs: Iterable[Run], now: datetime) -> dict[UUID, Progress]:
    """The progress of every open run among these; ended ones have none to show and are left out."""
    open_runs = list(runs)
    working = [run for run in open_runs if run.state in (RunState.RUNNING, RunState.CANCELLING)]
    queued = [run for run in open_runs if run.state == RunState.QUEUED]
    return {**_of_working(working, now), **_of_queued(queued, now)}


def place_of(run: Run | None) -> int | None:
    """As `Progress.place`."""
    return _of_queued([run], timezone.now())[run.pk].place if run is not None and run.state == RunState.QUEUED else None


def _of_working(runs: list[Run], now: datetime) -> dict[UUID, Progress]:
    if not runs:
        return {}
    keys = [run.pk for run in runs]
    heard = _heard(keys, now - PACE_OVER)
    began = _transcribing_since(keys)
    offered = _offered(now)
    sharing = _running_runs() if offered else {}
    nothing = Heard(0.0, 0.0, 0.0, 0, 0)
    return {
        run.pk: _of_one(
            heard.get(run.pk, nothing),
            began.get(run.pk),
            offered.get(run.model),
            stored_options(run.options).beam,
            sharing.get(run.model, 1),
            now,
        )
        for run in runs
    }


def _of_one(
    heard: "Heard", began: datetime | None, offered: "Offered | None", beam: int, sharing: int, now: datetime
) -> Progress:
    if offered is None:
        return Progress(done=heard.done, total=heard.total, stalled=True)
    speed = pace(heard.lately, began, now) or offered.speed(heard.spans_left, beam, sharing)
    left = time_left(heard.done, heard.total, speed)
    return Progress(
        done=heard.done,
        total=heard.total,
        left=left,
        work=time_left(0.0, heard.total, offered.speed(heard.spans, beam)),
        finish=None if left is None else now + timedelta(seconds=left),
    )


@dataclass(frozen=True)
class Heard:
    """Of a run: seconds done, all, and done of late; its spans, and those not done."""

    done: float
    total: float
    lately: float
    spans: int
    spans_left: int


@dataclass(frozen=True)
class Offered:
    """What the live workers of a model have: slots, and seconds of sound heard in a second by all of them; None where
    none of them was measured yet."""

    slots: int | None
    together: float | None

    def speed(self, spans: int, beam: int, sharing: int = 1) -> float | None:
        """For one of `sharing` runs that has so many spans: each keeps one slot busy at a time. What workers say of
        their speed is that of one hypothesis; the run follows `beam`."""
        if not self.slots or self.together is None:
            return None
        slots = min(self.slots / sharing, max(1, spans))
        return self.together * slots / self.slots / work_of(beam)


def _of_queued(runs: list[Run], now: datetime) -> dict[UUID, Progress]:
    if not runs:
        return {}
    slots = dict(live(now).order_by().values_list("model").annotate(Sum("slots")))
    asked = {run.model for run in runs}
    places = _places({model: count for model, count in slots.items() if model in asked})
    beyond = PLACES_SHOWN + 1 if len(places) >= PLACES_SHOWN else None  # None: it began since its row was read
    found = {}
    for run in runs:
        place = places.get(run.pk, beyond) if run.model in slots else NO_MODEL
        found[run.pk] = Progress(place=place if slots else NO_WORKER)
    return found


def _places(slots: dict[str, int]) -> dict[UUID, int]:
    """Of the first PLACES_SHOWN that wait for each of these models: those handed over come first, then turn by turn."""
    if not slots:
        return {}
    turns = Turns()
    return {
        key: place
        for model, count in slots.items()
        for place, key in enumerate(
            islice(chain(turns.handed_over(model), turns.next_of(model, count)), PLACES_SHOWN), start=1
        )
    }


def _heard(keys: list[UUID], late: datetime) -> dict[UUID, Heard]:
    length, missing = F("end") - F("start"), Q(done_at=None)
    rows = (
        Window.objects.to_hear()
        .filter(run__in=keys)
        .order_by()
        .values_list("run")
        .annotate(
            done=Sum(length, filter=~missing, default=0.0),
            total=Sum(length),
            lately=Sum(length, filter=Q(done_at__gt=late), default=0.0),
            spans=Count("span", distinct=True),
            spans_left=Count("span", distinct=True, filter=missing),
        )
    )
    return {row[0]: Heard(*row[1:]) for row in rows}


def _transcribing_since(keys: list[UUID]) -> dict[UUID, datetime]:
    events = RunEvent.objects.filter(run__in=keys, stage=TRANSCRIBING).order_by().values("run")
    return {row["run"]: row["began"] for row in events.annotate(began=Min("at"))}


def _offered(now: datetime) -> dict[str, Offered]:
    """By model."""
    measured = Sum("slots", filter=Q(speed__isnull=False))
    rows = live(now).order_by().values_list("model").annotate(measured=measured, together=Sum(F("speed") * F("slots")))
    return {model: Offered(slots, together) for model, slots, together in rows}


def _running_runs() -> dict[str, int]:
    """How many there are of each model."""
    running = Run.objects.filter(state=RunState.RUNNING).order_by()
    return dict(running.values_list("model").annotate(count=Count("pk")))
