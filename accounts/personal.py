"""Personal tokens: what people make for their scripts, limited to scopes and a time, and taken back at any moment."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts import audit, signing
from accounts.audit import Kind
from accounts.grants import BadToken, Bearer, Grant
from accounts.models import PersonalToken, User

LONGEST_DAYS = 366
AT_ONCE = 50  # live tokens of one person
USE_NOTED_EVERY = timedelta(minutes=1)


class TooMany(Exception):
    """This person has AT_ONCE live tokens already."""


def make(owner: User, name: str, scopes: frozenset[str], days: int) -> tuple[PersonalToken, str]:
    """The row and the token itself, which nobody can show again. Scopes are of Grant; 1 to LONGEST_DAYS days."""
    if not scopes or not scopes <= set(Grant) or not 1 <= days <= LONGEST_DAYS:
        raise ValueError("scopes or days that no token can have")
    if live(owner).count() >= AT_ONCE:
        raise TooMany
    scope = " ".join(sorted(scopes))
    raw, jti, end = signing.sign(signing.PERSONAL, str(owner.pk), timedelta(days=days), {"scope": scope})
    row = PersonalToken.objects.create(owner=owner, name=name, scope=scope, jti_sha256=_hash(jti), expires_at=end)
    audit.note(Kind.TOKEN_MADE, owner, row.pk)
    return row, raw


def live(owner: User) -> Any:
    """The tokens of this person that still work."""
    return owner.tokens.filter(revoked_at=None, expires_at__gt=timezone.now())


def revoke(token: PersonalToken, by: User | None = None) -> None:
    """Dead from the next request on; the row stays as a record. Again changes nothing. `by`: else its owner."""
    if PersonalToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.note(Kind.TOKEN_REVOKED, by or token.owner, token.pk)


def holder(claims: dict[str, Any]) -> Bearer:
    """Whose it is; its row decides, the claims must agree with it. Raises BadToken."""
    now = timezone.now()
    row = (
        PersonalToken.objects.select_related("owner")
        .filter(jti_sha256=_hash(claims["jti"]), revoked_at=None, expires_at__gt=now, owner__is_active=True)
        .first()
    )
    if row is None or str(row.owner_id) != claims["sub"]:
        raise BadToken
    _note_use(row)
    audit.note(Kind.TOKEN_USED, row.owner, row.pk, hourly=True)
    return Bearer(row.owner, row.scopes & frozenset(claims["scope"].split()))


def _note_use(row: PersonalToken) -> None:
    """At most once a minute: a script that asks ten times a second must not write ten times a second."""
    now = timezone.now()
    stale = now - USE_NOTED_EVERY
    if row.last_used_at is None or row.last_used_at < stale:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=stale)
        PersonalToken.objects.filter(unnoted, pk=row.pk).update(last_used_at=now)


def _hash(jti: str) -> str:
    """Random of 256 bits: no salt and no slow hash needed."""
    return sha256(jti.encode()).hexdigest()
