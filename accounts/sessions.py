"""Whose browser sessions these are, asked for many at once: open pages look again and again whether theirs lasts."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import User


def users_of(keys: Sequence[str]) -> dict[str, User]:
    """The signed-in, enabled person of each session key; ended and unknown ones are left out.

    The rules of `django.contrib.auth.get_user` in two queries however many keys there are. Nothing is written: a
    session that fails here is ended by the next page it asks for.
    """
    stored = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    sessions = {session.session_key: session.get_decoded() for session in stored}
    people = User.objects.in_bulk({int(found) for data in sessions.values() if (found := data.get(SESSION_KEY))})
    named = {key: (people.get(int(data.get(SESSION_KEY) or 0)), data) for key, data in sessions.items()}
    return {key: user for key, (user, data) in named.items() if user is not None and _holds(user, data)}


def _holds(user: User, data: Mapping[str, Any]) -> bool:
    """A new password, or a sign-in by a way that was switched off since, ends a session."""
    if not user.is_active or data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    valid = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(data.get(HASH_SESSION_KEY, ""), each) for each in valid)
