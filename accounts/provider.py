"""The identity provider over the network: every call has an end in time and in size, and follows no redirect.

What it says about itself comes from one discovery document; what it publishes is kept for minutes, in each process.
"""

import asyncio
import base64
import hashlib
import json
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from asgiref.sync import async_to_sync
from django.conf import settings

SECONDS = 5.0  # for all calls of one sign-in together: a person waits for them
ANSWER_LIMIT = 1 << 20  # bytes
KEEP_SECONDS = 600.0
COOL_SECONDS = 30.0  # between two fetches of the keys because a token named an unknown one
FAILED_SECONDS = 5.0  # after a call that failed nobody asks again: forged tokens must not hold a thread each
BESIDE_SECONDS = 2.0  # how long others wait for the answer that one of them is fetching
KEYS_AT_MOST = 100
ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}  # and the kind of key each is verified with


class ProviderError(Exception):
    """It does not answer, or not with what it should. The text is for the log."""


class UnknownKey(ProviderError):
    """It answers, and has no key that could have signed this token."""


@dataclass(frozen=True)
class Discovery:
    authorization: str
    token: str
    jwks: str
    userinfo: str
    end_session: str  # empty: it has none


def deadline(seconds: float | None = None) -> float:
    """The moment, on the monotonic clock, at which calls that are given it give up."""
    return time.monotonic() + min(SECONDS, seconds or SECONDS)


def fetch(url: str, until: float, *, form: Mapping[str, str] | None = None, bearer: str = "") -> dict[str, Any]:
    """The JSON object at `url`, by GET, or by POST of `form`. Raises ProviderError at `until` at the latest. Blocks."""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    try:
        body = async_to_sync(_bounded)(url, until, form, headers)
        content = json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
        raise ProviderError(f"{_named(url)}: {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise ProviderError(f"{_named(url)}: not a JSON object")
    return content


async def _bounded(url: str, until: float, form: Mapping[str, str] | None, headers: dict[str, str]) -> bytes:
    """A limit on the whole: the client's own are for each read, and one byte now and then would never meet them."""
    async with (
        asyncio.timeout(max(0.0, until - time.monotonic())),
        httpx.AsyncClient(verify=_trust(), timeout=SECONDS, follow_redirects=False) as client,
        client.stream("GET" if form is None else "POST", url, data=form, headers=headers) as answer,
    ):
        body = b""
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > ANSWER_LIMIT:
                raise ProviderError(f"{_named(url)}: more than {ANSWER_LIMIT} bytes")
        if answer.status_code != 200:
            raise ProviderError(f"{_named(url)}: status {answer.status_code}")
        return body


@cache
def _trust() -> ssl.SSLContext:
    """Made once: reading the certificates takes longer than a call."""
    return httpx.create_ssl_context()


def _named(url: str) -> str:
    """For the log: without the query, which may hold secrets."""
    return url.partition("?")[0][:200]


class _Kept[Value]:
    """A value that is fetched again when it is older than asked for, by one thread at a time."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Value]] = {}
        self._failed: dict[str, float] = {}
        self._fetching: defaultdict[str, Lock] = defaultdict(Lock)

    def get(self, name: str, age: float, make: Callable[[], Value]) -> Value:
        """Raises ProviderError, at once for FAILED_SECONDS after `make` did."""
        asked = time.monotonic()
        if (value := self._young(name, asked - age)) is not None:
            return value
        lock = self._fetching[name]
        if not lock.acquire(timeout=BESIDE_SECONDS):
            raise ProviderError("somebody else waits for the same answer")
        try:
            beside = self._young(name, asked)
            return self._fresh(name, make) if beside is None else beside
        finally:
            lock.release()

    def _young(self, name: str, since: float) -> Value | None:
        at, value = self._kept.get(name, (float("-inf"), None))
        return value if at > since else None

    def _fresh(self, name: str, make: Callable[[], Value]) -> Value:
        if time.monotonic() - self._failed.get(name, float("-inf")) < FAILED_SECONDS:
            raise ProviderError("it failed a moment ago")
        try:
            value = make()
        except ProviderError:
            self._failed[name] = time.monotonic()
            raise
        self._kept[name] = (time.monotonic(), value)
        return value


_discoveries: _Kept[Discovery] = _Kept()
_keys: _Kept[list[jwt.PyJWK]] = _Kept()
_forced: dict[str, float] = {}


def discovery(until: float, age: float = KEEP_SECONDS) -> Discovery:
    """Where the provider's endpoints are, asked at most `age` seconds ago. Raises ProviderError."""
    issuer = settings.OIDC_ISSUER

    def ask() -> Discovery:
        found = fetch(issuer.rstrip("/") + "/.well-known/openid-configuration", until)
        if found.get("issuer") != issuer:
            raise ProviderError("discovery: another issuer than OIDC_ISSUER")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        optional = ("userinfo_endpoint", "end_session_endpoint")
        ends = [_endpoint(found, name) for name in names]
        return Discovery(*ends, *(_endpoint(found, name) if name in found else "" for name in optional))

    return _discoveries.get(issuer, age, ask)


def _endpoint(found: dict[str, Any], name: str) -> str:
    """An absolute address, with TLS wherever the issuer's own has it."""
    url = found.get(name)
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        good = parts is not None and parts.hostname and parts.scheme in ("https", urlsplit(settings.OIDC_ISSUER).scheme)
    except ValueError:
        good = False
    if not isinstance(url, str) or not good or not url.isprintable() or " " in url:
        raise ProviderError(f"discovery: no usable {name}")
    return url


def key_for(header: Mapping[str, Any], until: float) -> jwt.PyJWK:
    """The key that verifies a token with this header. Raises ProviderError: UnknownKey where it is not there."""
    url = discovery(until).jwks
    found = _matching(_keys.get(url, KEEP_SECONDS, lambda: _fetch_keys(url, until)), header)
    if found is None and time.monotonic() - _forced.get(url, float("-inf")) >= COOL_SECONDS:
        _forced[url] = time.monotonic()
        found = _matching(_keys.get(url, 0, lambda: _fetch_keys(url, until)), header)  # they may have changed
    if found is None:
        raise UnknownKey("keys: none for this token")
    return found


def _matching(keys: list[jwt.PyJWK], header: Mapping[str, Any]) -> jwt.PyJWK | None:
    """By `kid`; a token without one is only clear where there is one key for its algorithm."""
    fitting = [key for key in keys if key.algorithm_name == header.get("alg")]
    if "kid" not in header:
        return fitting[0] if len(fitting) == 1 else None
    return next((key for key in fitting if key.key_id == header["kid"]), None)


def _fetch_keys(url: str, until: float) -> list[jwt.PyJWK]:
    listed = fetch(url, until).get("keys")
    if not isinstance(listed, list):
        raise ProviderError("keys: no list")
    found = [_key(entry) for entry in listed[:KEYS_AT_MOST] if isinstance(entry, dict)]
    return [key for key in found if key is not None]


def _key(entry: dict[str, Any]) -> jwt.PyJWK | None:
    """Public keys that sign by an algorithm of ours; anything else in the set is for others."""
    if entry.get("use", "sig") != "sig" or entry.get("kty") not in ALGORITHMS.values():
        return None
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        return None
    return key if ALGORITHMS.get(key.algorithm_name) == key.key_type else None


def half_hash(token: str) -> str:
    """`at_hash` of OpenID Connect for algorithms that hash with SHA-256."""
    half = hashlib.sha256(token.encode("ascii", "replace")).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()
