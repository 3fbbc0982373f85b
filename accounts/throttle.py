"""Too many wrong passwords for one name from one address: wait. Counted in the cache, no model.

The default cache is each web process's own memory, so with N processes N times as many tries are possible; a shared
cache makes it exact. A throttle slows guessing down, it does not replace a long password.
"""

import hashlib

from django.core.cache import cache
from django.http import HttpRequest

TRIES = 10
WAIT_SECONDS = 15 * 60


def throttled(request: HttpRequest, name: str) -> bool:
    """Whether this name and address have used up their tries; asked before a password is looked at."""
    return int(cache.get(_key(request, name), 0)) >= TRIES


def failed(request: HttpRequest, name: str) -> None:
    """Count one wrong password; the first one starts the clock."""
    key = _key(request, name)
    if not cache.add(key, 1, WAIT_SECONDS):
        try:
            cache.incr(key)
        except ValueError:  # ran out between the two calls
            cache.add(key, 1, WAIT_SECONDS)


def succeeded(request: HttpRequest, name: str) -> None:
    """Forget the wrong ones."""
    cache.delete(_key(request, name))


def _key(request: HttpRequest, name: str) -> str:
    """Hashed: a name may hold what a cache key must not, and people type passwords into the wrong field."""
    pair = f"{name.strip().casefold()}\0{request.META.get('REMOTE_ADDR', '')}"
    return "sign-in:" + hashlib.sha256(pair.encode()).hexdigest()
