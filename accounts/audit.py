"""Who did what, when and from where: one row for each thing that people may have to answer for later.

Ids and short codes only: never titles, tokens, transcript text, or what somebody typed into a form. The rows name
people by id and name without pointing at them, so that they outlast the account. A row that cannot be written is
logged and missed; what it is about goes on.
"""

import logging
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.caller import caller
from accounts.models import AuditEvent, User

Kind = AuditEvent.Kind
HOUR = timedelta(hours=1)
logger = logging.getLogger(__name__)


def note(kind: Kind, user: User | None, about: object = "", detail: str = "", *, hourly: bool = False) -> None:
    """Keep that `user` did this. `about`: the id of a recording or token; `detail`: a short code of ours.

    `hourly`: again in the same hour of the clock, from whatever process, it is the same row. Blocks for one INSERT;
    inside a transaction the row is written with it or not at all.
    """
    told = caller.get()
    event = AuditEvent(
        kind=kind,
        person=user.pk if user else None,
        name=user.username if user else "",
        about=str(about)[:64],
        detail=detail[:64],
        address=_address(told.address),
        request_id=told.request_id[:64],
    )
    if hourly:
        event.once = _once(event)
        if not cache.add(f"audit:{event.once}", True, HOUR.total_seconds()):  # most often this very process wrote it
            return
    try:
        with transaction.atomic():  # in a transaction of the caller's a savepoint: a failure must not end that
            AuditEvent.objects.bulk_create([event], ignore_conflicts=hourly)
    except DatabaseError:
        logger.exception("An audit event (%s) could not be written.", kind)


def forget(now: datetime | None = None) -> int:
    """Remove what is older than AUDIT_DAYS; how many."""
    before = (now or timezone.now()) - timedelta(days=settings.AUDIT_DAYS)
    return AuditEvent.objects.filter(at__lt=before).delete()[0]


def note_sign_in(request: HttpRequest, user: User, **_: object) -> None:
    """Receiver of `user_logged_in`."""
    at_provider = str(request.session.get(BACKEND_SESSION_KEY)).startswith("accounts.")
    note(Kind.SIGNED_IN, user, detail="provider" if at_provider else "here")


def note_failed_sign_in(credentials: dict[str, object], **_: object) -> None:
    """Receiver of `user_login_failed`. A name that is nobody's is not kept: people type passwords into its field."""
    sign_in_failed(str(credentials.get("username", "")), "password")


def sign_in_failed(name: str, why: str) -> None:
    """A sign-in that failed. Strangers can make as many as they like: theirs are kept once an hour and address."""
    user = User.objects.filter(username=name).first() if name and "\0" not in name else None
    note(Kind.SIGN_IN_FAILED, user, detail=why, hourly=user is None or why == "throttled")


def note_sign_out(user: User | None, **_: object) -> None:
    """Receiver of `user_logged_out`."""
    if user is not None:
        note(Kind.SIGNED_OUT, user)


def _once(event: AuditEvent) -> str:
    hour = timezone.now().strftime("%Y-%m-%dT%H")
    parts = [event.kind, event.person, event.about, event.detail, "" if event.person else event.address, hour]
    return sha256("\0".join(map(str, parts)).encode()).hexdigest()


def _address(said: str) -> str | None:
    """A server on a Unix socket knows none."""
    try:
        return str(ip_address(said.partition("%")[0]))
    except ValueError:
        return None
