"""How the work stands, in numbers, for the metrics and the administration. One query each; no ids, no names."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.utils import timezone

from jobs.models import Run, Upload, Window
from jobs.services.offers import live
from jobs.states import OPEN, RunState


@dataclass(frozen=True)
class Queue:
    """Runs nobody has begun, and how long the oldest of them has waited (0: none waits)."""

    waiting: int
    oldest_seconds: float


@dataclass(frozen=True)
class Unfinished:
    """Uploads on their way in, and the bytes of them that are here."""

    count: int
    bytes: int


@dataclass(frozen=True)
class Capacity:
    """What the live workers offer for one model. `speed`: seconds of sound heard in a second, all slots together."""

    model: str
    workers: int
    slots: int
    speed: float


def runs_by_state() -> dict[RunState, int]:
    """All states, also those that no run is in."""
    found = dict(Run.objects.order_by().values_list("state").annotate(Count("pk")))
    return {state: found.get(state, 0) for state in RunState}


def queue() -> Queue:
    waiting = Run.objects.filter(state=RunState.QUEUED).aggregate(count=Count("pk"), oldest=Min("created_at"))
    since = waiting["oldest"]
    return Queue(waiting["count"], (timezone.now() - since).total_seconds() if since else 0.0)


def heard_seconds(within: timedelta) -> float:
    """Seconds of recordings that were transcribed of late; a part heard again counts again."""
    since = timezone.now() - within
    # `done_at` has no index: the runs that can hold such windows lead to them.
    runs = Run.objects.filter(Q(state__in=OPEN) | Q(finished_at__gte=since)).values("pk")
    windows: QuerySet[Window] = Window.objects.to_hear().filter(run__in=runs, done_at__gte=since)
    return float(windows.aggregate(heard=Sum(F("end") - F("start")))["heard"] or 0.0)


def failures(within: timedelta) -> dict[str, int]:
    """Runs that failed of late by the code of the cause, the most frequent first."""
    failed = Run.objects.filter(state=RunState.FAILED, finished_at__gte=timezone.now() - within)
    return dict(failed.values_list("reason").annotate(count=Count("pk")).order_by("-count", "reason"))


def unfinished() -> Unfinished:
    found = Upload.objects.filter(job=None).aggregate(count=Count("pk"), bytes=Sum("offset"))
    return Unfinished(found["count"], found["bytes"] or 0)


def capacity() -> list[Capacity]:
    """By model."""
    offered = live().order_by("model").values("model")
    found = offered.annotate(workers=Count("pk"), places=Sum("slots"), together=Sum(F("speed") * F("slots")))
    return [Capacity(row["model"], row["workers"], row["places"], row["together"] or 0.0) for row in found]
