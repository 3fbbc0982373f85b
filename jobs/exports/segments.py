"""The segments of a run in time order, read in steps."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q

from jobs.models import Run, Segment

STEP = 1000


def segments_of(run: Run, *, words: bool = False) -> Iterator[Segment]:
    """By key instead of a server-side cursor: it works behind a connection pool, and holds no transaction open.

    The times of words are several times as much as the text: read for `words` alone.
    """
    rest = run.segments.order_by("start", "pk")
    rest = rest if words else rest.defer("words")
    found = list(rest[:STEP])
    while found:
        yield from found
        last = found[-1]
        found = list(rest.filter(Q(start__gt=last.start) | Q(start=last.start, pk__gt=last.pk))[:STEP])


def words_of(segment: Segment) -> list[dict[str, Any]]:
    """Times in seconds of the recording; put together, the texts are the segment's. Empty where none are known."""
    return [
        {"start": start, "end": end, "text": text, "probability": probability}
        for start, end, text, probability in segment.words
    ]
