"""Whose browser sessions these are, asked for many at once: open pages look again and again whether theirs lasts."""

from collections.abc import Sequence

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import Session, User


def users_of(keys: Sequence[str]) -> dict[str, User]:
    """The signed-in, enabled person of each session key; ended and unknown ones are left out.

    The rules of `django.contrib.auth.get_user` in one query however many keys there are. Nothing is written: a
    session that fails here is ended by the next page it asks for.
    """
    stored = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now()).select_related("user")
    return {row.session_key: row.user for row in stored if row.user is not None and _holds(row, row.user)}


def _holds(session: Session, user: User) -> bool:
    """A new password, or a sign-in by a way that was switched off since, ends a session."""
    data = session.get_decoded()
    if not user.is_active or data.get(SESSION_KEY) != str(user.pk):
        return False
    if data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    valid = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(data.get(HASH_SESSION_KEY, ""), each) for each in valid)
