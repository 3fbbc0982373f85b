"""How far a run is, how long it will still take, and its place in the queue: computed from rows, never stored.

A page of recordings costs the same number of queries as one recording: every question is asked for all runs at once.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, Min, Q, Sum
from django.utils import timezone

from jobs.models import Run, RunEvent, Window
from jobs.services.begin import TRANSCRIBING
from jobs.services.offers import live
from jobs.states import RunState

NO_MODEL, NO_WORKER = 0, -1  # instead of a place: no live worker has the run's model, or there is none at all
PLACES_SHOWN = 1000  # a longer queue is said as "more than"
PACE_OVER = timedelta(minutes=5)  # an outage, or other recordings beside it, tell in the time left and are forgotten


@dataclass(frozen=True)
class Progress:
    """`done` and `total` in seconds of speech windows; `left` in seconds of time; None: not known yet."""

    done: float = 0.0
    total: float = 0.0
    left: float | None = None
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
    heard = _seconds(keys, now - PACE_OVER)
    began = _transcribing_since(keys)
    speeds = _offered_speeds(now)
    found = {}
    for run in runs:
        done, total, lately = heard.get(run.pk, (0.0, 0.0, 0.0))
        speed = pace(lately, began.get(run.pk), now) or speeds.get(run.model)
        found[run.pk] = Progress(done=done, total=total, left=time_left(done, total, speed))
    return found


def _of_queued(runs: list[Run], now: datetime) -> dict[UUID, Progress]:
    if not runs:
        return {}
    offered = set(live(now).values_list("model", flat=True))
    places = _places() if offered else {}
    found = {}
    for run in runs:
        place = places.get(run.pk, PLACES_SHOWN + 1) if run.model in offered else NO_MODEL
        found[run.pk] = Progress(place=place if offered else NO_WORKER)
    return found


def _places() -> dict[UUID, int]:
    """Of the first PLACES_SHOWN in the queue, each among those of its model: models have workers of their own."""
    order = Run.objects.filter(state=RunState.QUEUED).order_by(
        F("admitted_at").asc(nulls_last=True), "created_at", "pk"
    )
    ahead: Counter[str] = Counter()
    places = {}
    for key, model in order.values_list("pk", "model")[:PLACES_SHOWN]:
        ahead[model] += 1
        places[key] = ahead[model]
    return places


def _seconds(keys: list[UUID], late: datetime) -> dict[UUID, tuple[float, float, float]]:
    """Of each run: seconds done, all, and done after `late`."""
    length = F("end") - F("start")
    rows = (
        Window.objects.to_hear()
        .filter(run__in=keys)
        .order_by()
        .values("run")
        .annotate(
            total=Sum(length),
            done=Sum(length, filter=Q(done_at__isnull=False), default=0.0),
            lately=Sum(length, filter=Q(done_at__gt=late), default=0.0),
        )
    )
    return {row["run"]: (row["done"], row["total"], row["lately"]) for row in rows}


def _transcribing_since(keys: list[UUID]) -> dict[UUID, datetime]:
    events = RunEvent.objects.filter(run__in=keys, stage=TRANSCRIBING).order_by().values("run")
    return {row["run"]: row["began"] for row in events.annotate(began=Min("at"))}


def _offered_speeds(now: datetime) -> dict[str, float]:
    """What the live workers offer one run of each model: all their slots, shared by the runs under way."""
    workers = live(now).filter(speed__isnull=False).order_by().values("model")
    offered = {row["model"]: row["speed"] for row in workers.annotate(speed=Sum(F("speed") * F("slots")))}
    running = Run.objects.filter(state=RunState.RUNNING).order_by().values("model").annotate(count=Count("pk"))
    sharing = {row["model"]: row["count"] for row in running}
    return {model: speed / max(1, sharing.get(model, 1)) for model, speed in offered.items()}
