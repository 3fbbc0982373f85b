"""How the work stands at one moment, for the page "Why is it slow?": figures, and what each worker does."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from jobs import words
from jobs.admin.overview import disk
from jobs.models import Run, Worker
from jobs.progress import progress_of
from jobs.services import figures, holdups
from jobs.services.figures import Capacity
from jobs.services.holdups import Line, StageTime
from jobs.services.offers import live
from jobs.states import RunState

SHORT, LONG = timedelta(minutes=5), timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Model:
    """A model that a run waits for or a worker offers. `ahead`: seconds of sound before the last that waits begins;
    None: no length is known. `begins`: in so many seconds; None: nobody can say."""

    name: str
    line: Line
    offered: Capacity | None
    busy: int
    ahead: float | None

    @property
    def slots(self) -> int:
        return self.offered.slots if self.offered else 0

    @property
    def begins(self) -> float | None:
        speed = self.offered.speed if self.offered else 0.0
        return None if self.ahead is None or not speed else self.ahead / speed


@dataclass(frozen=True)
class Process:
    """A live worker process, its models, and the runs it works on with what is done there."""

    name: str
    models: Sequence[Worker]
    doing: Sequence[tuple[Run, str]]


@dataclass(frozen=True)
class Failure:
    """`run`: the latest that failed so; its page says what people saw."""

    code: str
    count: int
    run: Run


@dataclass(frozen=True)
class Standing:
    """`pace`, `pace_hour`: minutes of sound heard in a minute, of late. `disk_full`: nothing is begun for that."""

    now: datetime
    queue: figures.Queue
    models: Sequence[Model]
    processes: Sequence[Process]
    stages: Sequence[StageTime]
    failures: Sequence[Failure]
    pace: float
    pace_hour: float
    disk_full: bool

    @property
    def slots(self) -> int:
        return sum(model.slots for model in self.models)

    @property
    def busy(self) -> int:
        return sum(model.busy for model in self.models)

    @property
    def speed(self) -> float:
        return sum(model.offered.speed for model in self.models if model.offered)

    @property
    def running(self) -> int:
        return sum(model.line.running for model in self.models)


def standing() -> Standing:
    """A constant number of queries."""
    now = timezone.now()
    return Standing(
        now=now,
        queue=figures.queue(),
        models=_models(),
        processes=_processes(now),
        stages=holdups.stage_times(now, LONG),
        failures=_failures(now),
        pace=figures.heard_seconds(SHORT) / SHORT.total_seconds(),
        pace_hour=figures.heard_seconds(LONG) / LONG.total_seconds(),
        disk_full=disk().short,
    )


def _models() -> list[Model]:
    lines = {line.model: line for line in holdups.lines()}
    offered = {each.model: each for each in figures.capacity()}
    busy, left, usual = holdups.slots_busy(), holdups.left_to_hear(), holdups.usual_length()
    found = []
    for name in sorted({*lines, *offered}):
        line, slots = lines.get(name, Line(name, 0, None, 0.0, 0, 0)), offered[name].slots if name in offered else 0
        ahead = _ahead(line, left.get(name, 0.0), usual)
        found.append(Model(name, line, offered.get(name), min(slots, busy.get(name, 0)), ahead))
    return found


def _ahead(line: Line, left: float, usual: float | None) -> float | None:
    """Before the last that waits: what is under way, and all others that wait. Lengths not known yet are guessed."""
    if not line.waiting or (usual is None and line.unknown):
        return None
    waiting = line.known + line.unknown * (usual or 0.0)
    return left + waiting * (line.waiting - 1) / line.waiting


def _processes(now: datetime) -> list[Process]:
    workers: dict[str, list[Worker]] = defaultdict(list)
    for worker in live(now).order_by("host", "pid", "model"):
        workers[str(worker)].append(worker)
    runs = Run.objects.in_bulk({key for rows in workers.values() for worker in rows for key in worker.runs})
    progress = progress_of(runs.values(), now)
    said = {
        str(key): (run, words.sentence(run, progress[key], silent=False))
        for key, run in runs.items()
        if run.state == RunState.RUNNING and key in progress
    }
    return [
        Process(name, rows, [said[key] for key in sorted({k for worker in rows for k in worker.runs}) if key in said])
        for name, rows in workers.items()
    ]


def _failures(now: datetime) -> list[Failure]:
    latest = Run.objects.filter(state=RunState.FAILED, finished_at__gte=now - DAY).order_by("reason", "-finished_at")
    runs = {run.reason: run for run in latest.distinct("reason")}
    return [Failure(code, count, runs[code]) for code, count in figures.failures(DAY).items() if code in runs]
