"""Retention: RETENTION_DAYS after its last run ended a recording is deleted, unless it is kept. 0: none ever is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from accounts import audit
from jobs.models import Job, Run
from jobs.services.delete import delete_by_itself
from jobs.states import OPEN

SOON = timedelta(days=7)  # from then on lists say it too
AT_ONCE = 1000
SLICE_SECONDS = 1.0  # the scheduler has other things to do on the thread that this takes


@dataclass(frozen=True)
class Deleted:
    """`size` in bytes, of the recordings as they were uploaded; `more`: some that are due are still there."""

    recordings: int
    size: int
    more: bool


@dataclass(frozen=True)
class Tally:
    """Recordings that are deleted on a day (UTC), and their bytes; of no day: those that are kept."""

    day: date | None
    recordings: int
    size: int


def deleted_at(job: Job) -> datetime | None:
    """The moment after which the next sweep deletes it; None: never as things are, or not while a run is open."""
    if not settings.RETENTION_DAYS or job.protected or job.idle_since is None:
        return None
    return job.idle_since + timedelta(days=settings.RETENTION_DAYS)


def deleted_soon(job: Job) -> datetime | None:
    """The same where it is near."""
    at = deleted_at(job)
    return at if at is not None and at < timezone.now() + SOON else None


def due(now: datetime, days: int) -> QuerySet[Job]:
    """What may go now, the oldest first; nothing with 0 days."""
    if not days:
        return Job.objects.none()
    # A version that did not know `idle_since` may have begun a run without clearing it.
    open_runs = Run.objects.filter(job=OuterRef("pk"), state__in=OPEN)
    found = Job.objects.filter(~Exists(open_runs), protected=False, idle_since__lte=now - timedelta(days=days))
    return found.order_by("idle_since", "pk")


def delete_due(now: datetime | None = None, seconds: float = SLICE_SECONDS) -> Deleted:
    """Delete what is due, for about so many seconds: call it again where there is `more`.

    Each recording is a transaction of its own, so a crash loses nothing but the audit log's sum of this slice. Safe to
    repeat, and beside itself.
    """
    waiting, end = due(now or timezone.now(), settings.RETENTION_DAYS), time.monotonic() + seconds
    chosen = list(waiting.only("pk", "size")[:AT_ONCE])
    gone, size = 0, 0
    for looked_at, job in enumerate(chosen):
        if looked_at and time.monotonic() >= end:
            return _noted(Deleted(gone, size, more=True))
        if delete_by_itself(job, waiting, "retention"):
            gone, size = gone + 1, size + job.size
    return _noted(Deleted(gone, size, more=len(chosen) == AT_ONCE))


def forecast(days: int, now: datetime) -> Sequence[Tally]:
    """What goes on each day (UTC) if nobody does anything, what is overdue counted as today; first what is kept.

    Recordings with an open run are in none of it.
    """
    resting = Job.objects.filter(idle_since__isnull=False)
    counted = resting.aggregate(kept=Count("pk", filter=Q(protected=True)), size=Sum("size", filter=Q(protected=True)))
    rows = (
        resting.filter(protected=False)
        .annotate(day=TruncDate("idle_since", tzinfo=UTC))
        .order_by("day")
        .values_list("day")
        .annotate(recordings=Count("pk"), bytes=Sum("size"))
    )
    today = now.astimezone(UTC).date()
    by_day: dict[date, tuple[int, int]] = {}
    for rested, count, size in rows:
        day = max(today, rested + timedelta(days=days))
        before = by_day.get(day, (0, 0))
        by_day[day] = before[0] + count, before[1] + size
    kept = Tally(None, counted["kept"], counted["size"] or 0)
    return [kept, *(Tally(day, *found) for day, found in sorted(by_day.items()))]


def _noted(deleted: Deleted) -> Deleted:
    if deleted.recordings:
        detail = f"{deleted.recordings} recordings, {deleted.size} bytes"
        audit.note(audit.Kind.RETENTION, None, f"{settings.RETENTION_DAYS} days", detail)
    return deleted
