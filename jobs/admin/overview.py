"""What stands above the administration's index: recordings by state, the queue's age, workers, uploads, disk."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models import Count, Min, Sum
from django.utils import timezone
from django.utils.timesince import timesince

from jobs import words
from jobs.models import Job, Run
from jobs.services import figures
from jobs.services.finish import REFUSALS
from jobs.services.offers import live
from jobs.states import RunState


@dataclass(frozen=True)
class Overview:
    """Sizes in bytes. `oldest`: how long the oldest queued recording has waited, in words; empty: none waits."""

    states: list[tuple[str, str, int]]  # state, its word, recordings in it
    oldest: str
    workers: int
    slots: int
    uploads: int
    free: int
    total: int
    kept: int  # by recordings and unfinished uploads as they came; what is made from them is not counted


@dataclass(frozen=True)
class Disk:
    """Bytes."""

    free: int
    total: int

    @property
    def short(self) -> bool:
        """Whether the scheduler begins nothing new, see `worker.scheduler`."""
        return self.free < settings.DISK_RESERVE_BYTES


def overview() -> Overview:
    """Six queries, however much there is."""
    found = Job.objects.order_by().values_list("current_run__state").annotate(count=Count("pk"))
    counts = dict(found.values_list("current_run__state", "count"))
    workers = live().aggregate(count=Count("pk"), slots=Sum("slots"))
    uploads = figures.unfinished()
    room = disk()
    return Overview(
        states=[(str(state), str(word), counts.get(state, 0)) for state, word in words.STATES.items()],
        oldest=_waiting(),
        workers=workers["count"],
        slots=workers["slots"] or 0,
        uploads=uploads.count,
        free=room.free,
        total=room.total,
        kept=_recordings() + uploads.bytes,
    )


def _waiting() -> str:
    oldest = Run.objects.filter(state=RunState.QUEUED).aggregate(at=Min("created_at"))["at"]
    return timesince(oldest, timezone.now(), depth=1) if oldest else ""


def _recordings() -> int:
    """Of all but those that were refused: their files were not kept."""
    total = Job.objects.aggregate(all=Sum("size"))["all"] or 0
    refused = Job.objects.filter(current_run__reason__in=REFUSALS).aggregate(all=Sum("size"))["all"] or 0
    return int(total - refused)


def disk() -> Disk:
    """That which holds the media; their folder may not be there before the first upload."""
    place = Path(settings.MEDIA_ROOT)
    found = shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists()))
    return Disk(found.free, found.total)
