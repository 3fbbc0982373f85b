"""What nobody will ask for again: sessions that have ended by themselves, and audit events past AUDIT_DAYS.

Rows of personal tokens stay, also of dead ones: they are what "token 7" in the audit log and in logs means.
"""

from datetime import datetime

from django.utils import timezone

from accounts import audit
from accounts.models import Session


def sweep(now: datetime | None = None) -> int:
    """How many rows went. Safe to repeat."""
    now = now or timezone.now()
    ended, _rows = Session.objects.filter(expire_date__lt=now).delete()
    return ended + audit.forget(now)
