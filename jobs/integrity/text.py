"""Windows, segments and words of runs: in their bounds, in order, none twice, none lost."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Max, Min, Q, QuerySet, Window
from django.db.models.functions import Lag

from jobs.integrity.checks import Check, Keys
from jobs.models import Segment
from jobs.models import Window as Piece
from jobs.states import RunState

ROUNDING = 0.002  # seconds: bounds are rounded to thousandths
OVERLAP = 0.1  # seconds that segments may share
BEYOND = 1.0  # seconds past an end: lengths from headers and the last frame are not exact
LONGEST_WINDOW = 30.0 + ROUNDING  # seconds; an engine hears no more at once
AGAIN = "Run the recording again: the text of this transcription cannot be trusted. Keep the log for a bug report."
# Anything that is no list of [start, end, text, probability] within its segment
WORDS_OUTSIDE = """
    SELECT DISTINCT run_id FROM jobs_segment s WHERE run_id = ANY(%s) AND words <> '[]' AND (
        jsonb_typeof(words) <> 'array' OR EXISTS (
            SELECT FROM jsonb_array_elements(CASE jsonb_typeof(words) WHEN 'array' THEN words ELSE '[]' END) w
            WHERE CASE WHEN jsonb_typeof(w->0) = 'number' AND jsonb_typeof(w->1) = 'number'
                       THEN (w->>0)::float < s."start" - %s OR (w->>1)::float > s."end" + %s
                            OR (w->>1)::float < (w->>0)::float - %s
                       ELSE true END))
"""


def undone_with_text(keys: Keys) -> Iterable[UUID]:
    return _distinct(_segments(keys).filter(window__done_at=None))


def not_all_heard(keys: Keys) -> Iterable[UUID]:
    return _distinct(_windows(keys).filter(run__state=RunState.SUCCEEDED, done_at=None))


def windows_with_gaps(keys: Keys) -> Iterable[UUID]:
    runs = _windows(keys).values("run").annotate(n=Count("pk"), a=Min("index"), z=Max("index"))
    return runs.exclude(a=0, z=F("n") - 1).values_list("run", flat=True)


def windows_outside(keys: Keys) -> Iterable[UUID]:
    """Of the recording, of 30 s, or across an edge of the part that a run hears again."""
    odd = Q(start__lt=0) | Q(end__lte=F("start")) | Q(end__gt=F("start") + LONGEST_WINDOW)
    late = Q(end__gt=F("run__job__duration") + BEYOND)
    edges = [
        Q(start__lt=F(edge) - ROUNDING, end__gt=F(edge) + ROUNDING) for edge in ("run__span_start", "run__span_end")
    ]
    return _distinct(_windows(keys).filter(odd | late | edges[0] | edges[1]))


def windows_overlapping(keys: Keys) -> Iterable[UUID]:
    return _distinct(_with_end_before(_windows(keys)).filter(start__lt=F("before") - ROUNDING))


def segments_astray(keys: Keys) -> Iterable[UUID]:
    """A segment names its run, and so does its window."""
    ours = Q(run__in=keys) | Q(window__run__in=keys)
    return _distinct(Segment.objects.order_by().filter(ours).exclude(run=F("window__run")))


def segments_with_gaps(keys: Keys) -> Iterable[UUID]:
    windows = _segments(keys).values("run", "window").annotate(n=Count("pk"), a=Min("index"), z=Max("index"))
    return set(windows.exclude(a=0, z=F("n") - 1).values_list("run", flat=True))


def segments_outside(keys: Keys) -> Iterable[UUID]:
    inside = Q(start__gte=F("window__start") - OVERLAP, end__lte=F("window__end") + OVERLAP, end__gte=F("start"))
    return _distinct(_segments(keys).filter(window__run=F("run")).exclude(inside))


def segments_overlapping(keys: Keys) -> Iterable[UUID]:
    return _distinct(_with_end_before(_segments(keys)).filter(start__lt=F("before") - OVERLAP))


def words_outside(keys: Keys) -> Iterable[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(WORDS_OUTSIDE, [list(keys), BEYOND, BEYOND, ROUNDING])
        return [row[0] for row in cursor.fetchall()]


def _windows(keys: Keys) -> QuerySet[Piece]:
    return Piece.objects.order_by().filter(run__in=keys)


def _segments(keys: Keys) -> QuerySet[Segment]:
    return Segment.objects.order_by().filter(run__in=keys)


def _with_end_before(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Each with the end of the one before it in its run."""
    annotated: QuerySet[Any] = rows.annotate(
        before=Window(Lag("end"), partition_by="run", order_by=["start", "end", "pk"])
    )
    return annotated


def _distinct(rows: QuerySet[Any]) -> Iterable[UUID]:
    return set(rows.values_list("run", flat=True))


CHECKS = (
    Check("window_undone", "There is text of a window that is not marked as done.", AGAIN, undone_with_text),
    Check("not_all_heard", "A transcription succeeded with windows that nobody heard.", AGAIN, not_all_heard),
    Check("window_numbers", "The windows of a transcription are not numbered without gaps.", AGAIN, windows_with_gaps),
    Check("window_bounds", "A window lies outside the recording, or is too long or empty.", AGAIN, windows_outside),
    Check("windows_overlap", "Two windows of a transcription overlap.", AGAIN, windows_overlapping),
    Check("segment_astray", "A segment and its window belong to two transcriptions.", AGAIN, segments_astray),
    Check("segment_numbers", "The segments of a window are not numbered without gaps.", AGAIN, segments_with_gaps),
    Check("segment_bounds", "A segment lies outside its window.", AGAIN, segments_outside),
    Check("segments_overlap", "Two segments of a transcription overlap.", AGAIN, segments_overlapping),
    Check("word_bounds", "The words of a segment lie outside of it.", AGAIN, words_outside),
)
