"""Windows on their way through an engine: which are left, which were handed over, which killed it, which are done."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jobs.failpoints import Point, reach
from jobs.live import announce
from jobs.models import Run, Segment, Window
from jobs.states import RunState

POISON_DEATHS = 2


@dataclass(frozen=True)
class HeardSegment:
    """One segment as the engine heard it; times in seconds of the recording. Its fields are columns of Segment."""

    start: float
    end: float
    text: str
    average_log_probability: float | None = None
    no_speech_probability: float | None = None
    compression_ratio: float | None = None
    temperature: float | None = None
    words: Sequence[Sequence[float | str]] = ()  # (start, end, text, probability)
    notes: Sequence[str] = ()


def batches_left(run_id: UUID, span: int) -> list[list[Window]]:
    """The batches of the span that have windows not done, whole as planned and in order.

    A batch is committed in one transaction, so its windows are all done or all not done.
    """
    left = Window.objects.filter(run_id=run_id, span=span, done_at=None).order_by("index")
    return [list(batch) for _, batch in groupby(left, key=attrgetter("batch"))]


def hand_over(windows: Sequence[Window]) -> None:
    """Count an attempt for windows about to be heard: the evidence of what was repeated after a crash."""
    Window.objects.filter(pk__in=[w.pk for w in windows]).update(attempts=F("attempts") + 1)


def record_engine_death(windows: Sequence[Window]) -> bool:
    """An engine child died on these windows; True when one of them has now killed it twice (poison)."""
    marked = Window.objects.filter(pk__in=[w.pk for w in windows], done_at=None)
    marked.update(engine_deaths=F("engine_deaths") + 1)
    return marked.filter(engine_deaths__gte=POISON_DEATHS).exists()


def commit_windows(run_id: UUID, heard: Mapping[int, Sequence[HeardSegment]]) -> bool:
    """Store what was heard, by window index, in one transaction; windows done before are left as they are.

    False: the run is not running any more (cancelled, failed, deleted), so the caller stops.
    """
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=run_id, state=RunState.RUNNING).first()
        if run is None:
            return False
        fresh = list(run.windows.filter(index__in=heard.keys(), done_at=None))
        Segment.objects.bulk_create(
            [
                Segment(run=run, window=window, index=index, **asdict(found))
                for window in fresh
                for index, found in enumerate(heard[window.index])
            ]
        )
        Window.objects.filter(pk__in=[w.pk for w in fresh]).update(done_at=timezone.now())
        announce(run.job_id)
        reach(Point.TEXT_WRITTEN)
    return True
