"""Sessions in the database (SESSION_ENGINE), each row knowing whose it is: Django's own hide that in their data."""

from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import Session, User

SIGNED_IN_AT, AGENT, PROVIDER_SESSION = "signed_in_at", "agent", "provider_session"


class SessionStore(DatabaseSessions):
    """Rows of `accounts.Session`; its columns follow the session's data each time it is saved."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        return _described(super().create_model_instance(data), data)

    async def acreate_model_instance(self, data: dict[str, Any]) -> Session:
        return _described(await super().acreate_model_instance(data), data)


def digest(session_key: str) -> str:
    """The name a session has outside: says nothing about its key."""
    return salted_hmac("accounts.sessions", session_key, algorithm="sha256").hexdigest()


def note_sign_in(request: HttpRequest, user: User, **_: object) -> None:
    """Receiver of `user_logged_in`: when and with what browser, for the list on the account page."""
    request.session[SIGNED_IN_AT] = timezone.now().isoformat()
    request.session.set_expiry(None)  # it may be one that began at the provider, see `flow`
    request.session[AGENT] = str(request.META.get("HTTP_USER_AGENT", ""))[:300]


def _described(row: Any, data: dict[str, Any]) -> Session:
    found: Session = row
    found.digest = digest(found.session_key)
    found.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
    found.signed_in_at = datetime.fromisoformat(data[SIGNED_IN_AT]) if SIGNED_IN_AT in data else None
    found.agent = data.get(AGENT, "")
    found.provider_session = data.get(PROVIDER_SESSION, "")
    return found
