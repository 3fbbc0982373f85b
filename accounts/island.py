"""The token of the upload page: ten minutes, uploads and a look at one's recordings, dead as soon as its session is.

Pages keep it where any script of ours could read it, so it is short, narrow, and worth nothing without the session.
"""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import signing
from accounts.grants import BadToken, Bearer, Grant
from accounts.models import Session, User
from accounts.sessions import digest

LIFETIME = timedelta(minutes=10)
SCOPES = frozenset({Grant.UPLOADS_WRITE, Grant.JOBS_READ})


def mint(user: User, session: SessionBase) -> tuple[str, datetime]:
    """A token for this signed-in session, and when it ends."""
    claims = {"scope": " ".join(sorted(SCOPES)), "sid": digest(session.session_key or "")}
    raw, _jti, end = signing.sign(signing.ISLAND, str(user.pk), LIFETIME, claims)
    return raw, end


def holder(claims: dict[str, Any]) -> Bearer:
    """Whose it is, asked of the session each time: signing out, a new password, being disabled count at once."""
    row = (
        Session.objects.select_related("user").filter(digest=claims.get("sid"), expire_date__gt=timezone.now()).first()
    )
    user = row.user if row else None
    if row is None or user is None or str(user.pk) != claims["sub"] or not user.is_active or not _current(row, user):
        raise BadToken
    return Bearer(user, SCOPES & frozenset(claims["scope"].split()))


def _current(row: Session, user: User) -> bool:
    """Django's own rule for a session after its person's password changed."""
    return constant_time_compare(str(row.get_decoded().get(HASH_SESSION_KEY, "")), user.get_session_auth_hash())
