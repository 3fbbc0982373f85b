"""Too many wrong passwords for one name from one address: wait. Counted in Postgres, by all web processes together.

A throttle slows guessing down, it does not replace a long password.
"""

import hashlib
from datetime import timedelta

from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import WrongPasswords

TRIES = 10
WAIT = timedelta(minutes=15)


def throttled(request: HttpRequest, name: str) -> bool:
    """Whether this name and address have used up their tries; asked before a password is looked at."""
    return _counted(_key(request, name)).filter(count__gte=TRIES).exists()


def failed(request: HttpRequest, name: str) -> None:
    """Count one wrong password; the first one starts the clock."""
    key, now = _key(request, name), timezone.now()
    if _counted(key).update(count=F("count") + 1):
        return
    WrongPasswords.objects.filter(ends_at__lte=now).delete()  # everybody's: nothing else sweeps them
    _, first = WrongPasswords.objects.get_or_create(key=key, defaults={"count": 1, "ends_at": now + WAIT})
    if not first:  # another request was faster
        _counted(key).update(count=F("count") + 1)


def succeeded(request: HttpRequest, name: str) -> None:
    """Forget the wrong ones."""
    WrongPasswords.objects.filter(key=_key(request, name)).delete()


def _counted(key: str) -> QuerySet[WrongPasswords]:
    return WrongPasswords.objects.filter(key=key, ends_at__gt=timezone.now())


def _key(request: HttpRequest, name: str) -> str:
    """Hashed: a database may be read by more people than those who may know what was typed here."""
    pair = f"{name.strip().casefold()}\0{request.META.get('REMOTE_ADDR', '')}"
    return hashlib.sha256(pair.encode()).hexdigest()
