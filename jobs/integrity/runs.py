"""Recordings and their runs: one current run, states that agree with times and history, parts that fit."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from jobs.integrity.checks import Check, Keys
from jobs.models import Job, Run, RunEvent
from jobs.services.part import PART_OF
from jobs.states import OPEN, RunState

CANCEL_LIMIT = timedelta(minutes=5)  # it takes seconds while a worker lives
TELL = "No running part of the service writes this. Run it again; keep both rows and the log for a bug report."
AGAIN = "Run the recording again, and keep the log for a bug report."


def wrong_current(keys: Keys) -> Iterable[UUID]:
    """A part heard again that came to nothing has given the recording its run back, see `jobs.services.moves`."""
    came_to_nothing = Q(parent__isnull=False, state__in=[RunState.FAILED, RunState.CANCELLED])
    newest = Run.objects.filter(~came_to_nothing, job=OuterRef("pk")).order_by("-number").values("pk")[:1]
    jobs = Job.objects.filter(pk__in=keys).annotate(newest=Subquery(newest))
    return jobs.filter(Q(newest=None) | Q(current_run=None) | ~Q(current_run=F("newest"))).values_list("pk", flat=True)


def numbers_with_gaps(keys: Keys) -> Iterable[UUID]:
    runs = (
        Run.objects.filter(job__in=keys)
        .order_by()
        .values("job")
        .annotate(n=Count("pk"), a=Min("number"), z=Max("number"))
    )
    return runs.exclude(a=1, z=F("n")).values_list("job", flat=True)


def two_open(keys: Keys) -> Iterable[UUID]:
    runs = Run.objects.filter(job__in=keys, state__in=OPEN).order_by().values("job").annotate(n=Count("pk"))
    return runs.filter(n__gt=1).values_list("job", flat=True)


def never_rests(keys: Keys) -> Iterable[UUID]:
    """Only that it was forgotten: of the rest retention is wary itself."""
    open_runs = Run.objects.filter(job=OuterRef("pk"), state__in=OPEN)
    return Job.objects.filter(~Exists(open_runs), pk__in=keys, idle_since=None).values_list("pk", flat=True)


def wrong_times(keys: Keys) -> Iterable[UUID]:
    """Which times are set, never which is later: clocks of several machines differ, and are set back."""
    ended = Q(finished_at__isnull=False)
    begun = Q(started_at__isnull=False)
    right = (
        Q(state=RunState.QUEUED) & ~begun & ~ended
        | Q(state__in=[RunState.RUNNING, RunState.CANCELLING]) & begun & ~ended
        | Q(state=RunState.SUCCEEDED) & begun & ended
        | Q(state__in=[RunState.FAILED, RunState.CANCELLED]) & ended
    )
    return _ids(_runs(keys).exclude(right))


def wrong_history(keys: Keys) -> Iterable[UUID]:
    last = RunEvent.objects.filter(run=OuterRef("pk")).order_by("-pk").values("state")[:1]
    runs = _runs(keys).annotate(last=Subquery(last))
    return _ids(runs.filter(Q(last=None) | ~Q(last=F("state"))))


def without_cause(keys: Keys) -> Iterable[UUID]:
    return _ids(_runs(keys).filter(Q(state=RunState.FAILED) & (Q(reason="") | Q(detail=""))))


def wrong_stage(keys: Keys) -> Iterable[UUID]:
    running = Q(state=RunState.RUNNING)
    return _ids(_runs(keys).filter(running & Q(stage="") | ~running & ~Q(stage="")))


def cancelling_long(keys: Keys) -> Iterable[UUID]:
    since = RunEvent.objects.filter(run=OuterRef("pk")).order_by("-pk").values("at")[:1]
    runs = _runs(keys).filter(state=RunState.CANCELLING).annotate(since=Subquery(since))
    return _ids(runs.filter(since__lt=timezone.now() - CANCEL_LIMIT))


def wrong_part(keys: Keys) -> Iterable[UUID]:
    """A span is whole or not there; a parent is an older run of the same recording, at an end with its text."""
    runs = _runs(keys)
    half = Q(span_start__isnull=True, span_end__isnull=False) | Q(span_start__isnull=False, span_end__isnull=True)
    reverse = Q(span_start__gte=F("span_end")) | Q(span_start__lt=0)
    no_span = Q(parent__isnull=False, span_start=None)
    odd_parent = Q(parent__isnull=False) & (
        ~Q(parent__job=F("job")) | Q(parent__number__gte=F("number")) | ~Q(parent__state__in=PART_OF)
    )
    return _ids(runs.filter(half | reverse | no_span | odd_parent))


def _runs(keys: Keys) -> QuerySet[Run]:
    return Run.objects.filter(pk__in=keys)


def _ids(runs: QuerySet[Run]) -> Iterable[UUID]:
    return runs.values_list("pk", flat=True)


OF_RECORDINGS = (
    Check("current_run", "A recording's current transcription is not its newest.", AGAIN, wrong_current),
    Check("run_numbers", "A recording's transcriptions are not numbered without gaps from 1.", TELL, numbers_with_gaps),
    Check(
        "two_open",
        "Two transcriptions of one recording are under way.",
        "Cancel the recording, run it again.",
        two_open,
    ),
    Check(
        "rest",
        "A recording does not say since when nothing is done with it, so no retention would ever delete it.",
        AGAIN,
        never_rests,
    ),
)
OF_RUNS = (
    Check("times", "The state of a transcription and its times do not agree.", TELL, wrong_times),
    Check("history", "The state of a transcription is not that of its last event.", TELL, wrong_history),
    Check("no_cause", "A transcription failed without a cause.", AGAIN, without_cause),
    Check("stage", "A transcription that does not run has a stage, or one that runs has none.", TELL, wrong_stage),
    Check(
        "cancelling", "A transcription is being cancelled for minutes.", "Start a worker: it ends it.", cancelling_long
    ),
    Check("part", "A part heard again does not fit what it was to replace.", AGAIN, wrong_part),
)
