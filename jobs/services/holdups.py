"""What holds recordings up: what waits for each model and what is before it, slots in use, time spent in each stage.

Beside `figures`, for the operators' page "Why is it slow?". One query each, however much there is; ids of runs at most.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db.models import Avg, Count, F, Min, Q, Sum
from django.db.models.functions import Coalesce

from jobs.models import Job, Run, RunEvent, Window
from jobs.states import RunState

LATEST_EVENTS = 5000  # bounds the work of `stage_times`; the time of events has no index, their order has
RECENT = 100  # recordings whose average length stands for one that is not known yet


@dataclass(frozen=True)
class Line:
    """What waits for one model. `known`: seconds of sound where they are known, `unknown`: of how many not."""

    model: str
    waiting: int
    since: datetime | None  # of the oldest
    known: float
    unknown: int
    running: int


@dataclass(frozen=True)
class StageTime:
    """`stage` as `Run.stage`; empty: the wait in the queue. `seconds`: of all recordings together."""

    stage: str
    count: int
    seconds: float

    @property
    def average(self) -> float:
        return self.seconds / self.count


def lines() -> list[Line]:
    """Of all models that a run waits for or is heard with, by name."""
    part = F("span_end") - F("span_start")
    queued = Q(state=RunState.QUEUED)
    length = Coalesce(part, F("job__duration"))
    rows = Run.objects.filter(state__in=(RunState.QUEUED, RunState.RUNNING)).order_by("model").values("model")
    found = rows.annotate(
        waiting=Count("pk", filter=queued),
        since=Min("created_at", filter=queued),
        known=Sum(length, filter=queued, default=0.0),
        unknown=Count("pk", filter=queued & Q(job__duration=None, span_end=None)),
        running=Count("pk", filter=Q(state=RunState.RUNNING)),
    )
    return [Line(**row) for row in found]


def left_to_hear() -> dict[str, float]:
    """Seconds of sound by model, of the runs under way whose plan is made."""
    rows = Window.objects.to_hear().filter(run__state=RunState.RUNNING, done_at=None).order_by()
    return dict(rows.values_list("run__model").annotate(left=Sum(F("end") - F("start"))))


def slots_busy() -> dict[str, int]:
    """By model: spans that were handed to an engine and are not heard. One that died a moment ago still counts."""
    rows = Window.objects.filter(run__state=RunState.RUNNING, done_at=None, attempts__gt=0).order_by()
    return Counter(model for model, _run, _span in rows.values_list("run__model", "run", "span").distinct())


def usual_length() -> float | None:
    """Seconds of sound of a recording, the average of the newest; None where there is none."""
    newest = Job.objects.exclude(duration=None).order_by("-created_at").values("duration")[:RECENT]
    found: float | None = newest.aggregate(average=Avg("duration"))["average"]
    return found


def stage_times(now: datetime, within: timedelta) -> list[StageTime]:
    """Of the stages that ended of late or go on, the one that took longest on the whole first."""
    rows = RunEvent.objects.order_by("-pk").values_list("run_id", "at", "state", "stage")[:LATEST_EVENTS]
    moves: dict[object, list[tuple[datetime, str, str]]] = defaultdict(list)
    for run, at, state, stage in reversed(rows):
        moves[run].append((at, state, stage))
    spent: dict[str, list[float]] = defaultdict(list)
    for events in moves.values():
        for stage, seconds in _stages(events, now, now - within):
            spent[stage].append(seconds)
    found = [StageTime(stage, len(times), sum(times)) for stage, times in spent.items()]
    return sorted(found, key=lambda each: -each.seconds)


def _stages(events: list[tuple[datetime, str, str]], now: datetime, since: datetime) -> Iterable[tuple[str, float]]:
    """Each stage of one run with its seconds, those that ended before `since` left out."""
    open_state = events[-1][1] in (RunState.QUEUED, RunState.RUNNING)
    ends = [*events, (now, "", "")] if open_state else events
    for (began, state, stage), (ended, _state, _stage) in pairwise(ends):
        if ended >= since and state in (RunState.QUEUED, RunState.RUNNING):
            yield ("" if state == RunState.QUEUED else stage), (ended - began).total_seconds()
