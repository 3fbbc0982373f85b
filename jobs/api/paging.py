"""Pages of recordings by keyset: a page far back costs as much as the first, and new recordings shift nothing.

Ninja's own cursor counts rows of equal time by offset and returns addresses of this host; scripts want the mark alone.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from jobs.errors import JobError
from jobs.models import Job, OwnedQuerySet


def page_of(jobs: OwnedQuerySet, cursor: str | None, limit: int) -> tuple[list[Job], str | None]:
    """Newest first, `limit` of them after the mark, and the mark for the next ones. Raises JobError `bad_cursor`."""
    found = jobs.order_by("-created_at", "-pk")
    if cursor:
        at, key = _read(cursor)
        # the first condition alone is what the index can use; the second settles equal times
        found = found.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=key), created_at__lte=at)
    page = list(found[: limit + 1])
    return page[:limit], _mark(page[limit - 1]) if len(page) > limit else None


def _mark(job: Job) -> str:
    return urlsafe_b64encode(f"{job.created_at.isoformat()} {job.pk}".encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[datetime, UUID]:
    try:
        at, key = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().rsplit(" ", 1)
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(key)
    except (ValueError, OverflowError):  # includes what is not base64 and not UTF-8
        raise JobError("This cursor was not made by this server. Start again without one.", code="bad_cursor") from None
