"""The segments of a run in time order, read in steps."""

from collections.abc import Iterator

from django.db.models import Q

from jobs.models import Run, Segment

STEP = 1000


def segments_of(run: Run) -> Iterator[Segment]:
    """By key instead of a server-side cursor: it works behind a connection pool, and holds no transaction open."""
    rest = run.segments.order_by("start", "pk")
    found = list(rest[:STEP])
    while found:
        yield from found
        last = found[-1]
        found = list(rest.filter(Q(start__gt=last.start) | Q(start=last.start, pk__gt=last.pk))[:STEP])
