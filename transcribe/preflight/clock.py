"""This machine's clock against the database's and the identity provider's.

Tokens are judged by it, and workers tell by theirs when they were last seen. (Temporal tells no time of its own.)
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from django.conf import settings
from django.db import connection
from django.utils import timezone

from transcribe.preflight.findings import Finding, failed, ok, warning

NOTED, TOO_FAR = timedelta(seconds=2), timedelta(seconds=10)
FIX = "Let both machines follow a time server: chrony or systemd-timesyncd."
SECONDS = 5.0


def database() -> Iterator[Finding]:
    yield judged("the database's", database_skew())


def provider() -> Iterator[Finding]:
    skew = provider_skew() if settings.OIDC_ISSUER else None
    if skew is not None:
        yield judged("the identity provider's", skew)


def judged(whose: str, skew: timedelta) -> Finding:
    """`skew`: how far this machine is ahead, at least."""
    seconds = skew.total_seconds()
    said = f"This machine's clock is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} {whose}."
    if abs(skew) > TOO_FAR:
        return failed(said, FIX)
    return warning(said, FIX) if abs(skew) > NOTED else ok(f"This machine's clock agrees with {whose}.")


def database_skew() -> timedelta:
    """Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # so that opening the connection is not counted
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        return beyond(cursor.fetchone()[0], before, timezone.now())


def provider_skew() -> timedelta | None:
    """By the date of its answer, which has whole seconds; None where it gives none."""
    before = timezone.now()
    try:
        answer = httpx.get(settings.OIDC_ISSUER, timeout=SECONDS, follow_redirects=False)
        there = parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return None  # whether it answers is said elsewhere
    return beyond(there, before, timezone.now() - timedelta(seconds=1))


def beyond(there: datetime, before: datetime, after: datetime) -> timedelta:
    """How far ours is ahead of `there`, which was read some time from `before` to `after`; none in between."""
    if min(before, after) <= there <= max(before, after):
        return timedelta()
    return min(before, after) - there if there < min(before, after) else max(before, after) - there
