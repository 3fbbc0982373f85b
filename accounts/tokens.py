"""The one verifier of bearer tokens. Whoever takes one asks here, and here alone is decided whose it is.

Tokens are told apart by the issuer they name, then verified by that issuer's rules and keys only. An issuer is two
functions: `claims` (signature and times; no database) and `holder` (the person, as the database knows them now).
"""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import jwt
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.conf import settings
from django.http import HttpRequest

from accounts import island, personal, provider_bearer, signing
from accounts.grants import BadToken, Bearer, Grant, ScopeMissing, TokenError
from accounts.models import User

LONGEST = 8 << 10  # characters; an identity provider's token with many groups is about 2 kB
type Claims = dict[str, Any]


@dataclass(frozen=True)
class Issuer:
    """`claims` raises BadToken; so does `holder`. Both block."""

    claims: Callable[[str], Claims]
    holder: Callable[[Claims], Bearer]


def _our_claims(raw: str) -> Claims:
    purpose, claims = signing.read(raw)
    return {**claims, "typ": purpose}


def _our_holder(claims: Claims) -> Bearer:
    return island.holder(claims) if claims["typ"] == signing.ISLAND else personal.holder(claims)


def _issuers() -> dict[str, Issuer]:
    ours = {signing.ISSUER: Issuer(_our_claims, _our_holder)}
    theirs = Issuer(provider_bearer.claims, provider_bearer.holder)
    return {settings.OIDC_ISSUER: theirs, **ours} if settings.OIDC_ISSUER else ours


def verify(raw: str) -> Bearer:
    """The holder of a token. Raises BadToken. Blocks: it asks the database."""
    issuer = _issuer_of(raw)
    return issuer.holder(issuer.claims(raw))


def authenticate_request(request: HttpRequest) -> Bearer | None:
    """(user, scopes) for a request with an Authorization header, None without one. Raises BadToken. Blocks."""
    field = request.META.get("HTTP_AUTHORIZATION")
    return None if field is None else verify(_bearer(field))


def require(bearer: Bearer, scope: str) -> None:
    """Raises ScopeMissing."""
    if scope not in bearer.scopes:
        raise ScopeMissing(scope)


async def authenticate(connection: MutableMapping[str, Any], scope: str) -> Bearer:
    """The holder of the token that this ASGI connection carries, who must have `scope`. Raises TokenError."""
    bearer: Bearer = await database_sync_to_async(verify, thread_sensitive=False)(_carried(connection))
    require(bearer, scope)
    return bearer


async def uploader(connection: MutableMapping[str, Any]) -> User:
    """For the upload doors: who may upload with the token that this connection carries. Raises TokenError."""
    return (await authenticate(connection, Grant.UPLOADS_WRITE)).user


async def reader(connection: MutableMapping[str, Any]) -> User:
    """For the events of a recording: who may read with the token that this connection carries. Raises TokenError."""
    return (await authenticate(connection, Grant.JOBS_READ)).user


async def genuine(connection: MutableMapping[str, Any]) -> bool:
    """Whether an ASGI connection carries a token that was signed and has not expired: cheap, no database."""
    try:
        raw = _carried(connection)
        await sync_to_async(_issuer_of(raw).claims, thread_sensitive=False)(raw)
    except TokenError:
        return False
    return True


def _carried(connection: MutableMapping[str, Any]) -> str:
    """Two headers are refused: whoever stands in between might look at the other one."""
    fields = [value for name, value in connection["headers"] if name == b"authorization"]
    if len(fields) != 1:
        raise BadToken
    return _bearer(fields[0].decode("latin-1"))


def _bearer(field: str) -> str:
    scheme, _space, raw = field.partition(" ")
    if scheme.lower() != "bearer" or not raw or len(raw) > LONGEST:
        raise BadToken
    return raw.strip()


def _issuer_of(raw: str) -> Issuer:
    """Only which rules apply: nothing it says is believed yet."""
    try:
        named = jwt.decode(raw, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise BadToken from None
    issuer = _issuers().get(named) if isinstance(named, str) else None
    if issuer is None:
        raise BadToken
    return issuer
