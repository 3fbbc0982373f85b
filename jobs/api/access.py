"""Who asks: a bearer token and the scope it needs. How often: a rate for each token and one for each person."""

from hashlib import sha256
from time import time
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.throttling import BaseThrottle

from accounts.grants import Bearer, Grant
from accounts.models import User
from accounts.tokens import authenticate_request, require

MINUTE = 60


class Needs(HttpBearer):
    """Ninja's authentication of a route: `auth=Needs(Grant.JOBS_READ)`. Raises TokenError, which answers 401 or 403."""

    def __init__(self, scope: Grant) -> None:
        super().__init__()
        self._scope = scope

    def __call__(self, request: HttpRequest) -> Bearer | None:
        """None (no token at all) lets ninja raise its AuthenticationError."""
        bearer = authenticate_request(request)
        if bearer is not None:
            require(bearer, self._scope)
        return bearer

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        """Wanted by the base class; `__call__` asks the one verifier instead."""
        raise NotImplementedError


def bearer_of(request: HttpRequest) -> Bearer:
    """Whose token it is and what it may do, in a view behind `Needs`: ninja put it there."""
    return cast(Bearer, vars(request)["auth"])


def person(request: HttpRequest) -> User:
    """Whose token it is, in a view behind `Needs`."""
    return bearer_of(request).user


class Rate(BaseThrottle):
    """Requests in each minute of the clock, counted in the cache; the default cache is each web process's own, so N
    processes allow N times as much. Ninja's own throttle keeps its sums in the one object that all threads share."""

    def allow_request(self, request: HttpRequest) -> bool:
        key = f"api-rate:{self.name(request)}:{int(time()) // MINUTE}"
        cache.add(key, 0, 2 * MINUTE)
        return int(cache.incr(key)) <= self.limit()

    def wait(self) -> float:
        return MINUTE - time() % MINUTE

    def name(self, request: HttpRequest) -> str:
        raise NotImplementedError

    def limit(self) -> int:
        raise NotImplementedError


class PersonRate(Rate):
    """All tokens of a person together."""

    def name(self, request: HttpRequest) -> str:
        return f"person:{person(request).pk}"

    def limit(self) -> int:
        return int(settings.API_REQUESTS_PER_MINUTE)


class TokenRate(Rate):
    """Half of the person's, so that one runaway script leaves room for the others."""

    def name(self, request: HttpRequest) -> str:
        return "token:" + sha256(request.META.get("HTTP_AUTHORIZATION", "").encode()).hexdigest()

    def limit(self) -> int:
        return max(1, int(settings.API_REQUESTS_PER_MINUTE) // 2)
