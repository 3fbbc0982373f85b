"""Our own JWTs: signed and read back. Each purpose has a key of its own, so that none can stand in for another.

HS256 with keys derived from SECRET_KEY: whoever signs is whoever verifies, so no public key exists that could be
mistaken for a secret one. The header may say nothing but algorithm and type: no `kid`, `jku`, `jwk`, `crit`.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.grants import BadToken

ALGORITHM = "HS256"
ISSUER = "urn:transcribe"
AUDIENCE = "urn:transcribe:api"
ISLAND, PERSONAL = "island+jwt", "personal+jwt"  # the `typ` of a token is its purpose
CLOCKS_APART = timedelta(seconds=5)  # between two web machines
CLAIMS = {"iss": str, "aud": str, "sub": str, "jti": str, "scope": str, "exp": int, "iat": int}


def sign(purpose: str, subject: str, lifetime: timedelta, claims: Mapping[str, object]) -> tuple[str, str, datetime]:
    """A token, its new `jti`, and when it ends. `claims` has at least `scope`."""
    now = timezone.now().replace(microsecond=0)
    jti, end = secrets.token_urlsafe(32), now + lifetime
    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "jti": jti, "iat": now, "exp": end, **claims}
    return jwt.encode(payload, _key(purpose), ALGORITHM, headers={"typ": purpose}), jti, end


def read(raw: str) -> tuple[str, dict[str, Any]]:
    """The purpose and the claims of a token that we signed and that has not expired. Raises BadToken."""
    try:
        header = jwt.get_unverified_header(raw)
        purpose = header.get("typ")
        if purpose not in (ISLAND, PERSONAL) or header != {"alg": ALGORITHM, "typ": purpose}:
            raise BadToken
        claims = _claims(raw, purpose)
    except (jwt.PyJWTError, ValueError, RecursionError):  # the last two: JSON that json itself gives up on
        raise BadToken from None
    if not all(isinstance(claims[name], kind) for name, kind in CLAIMS.items()):
        raise BadToken
    return purpose, claims


def _claims(raw: str, purpose: str) -> dict[str, Any]:
    return jwt.decode(
        raw,
        _key(purpose),
        algorithms=[ALGORITHM],
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=CLOCKS_APART,
        options={"require": list(CLAIMS), "strict_aud": True},
    )


def _key(purpose: str) -> bytes:
    return salted_hmac(f"accounts.signing.{purpose}", "key", secret=settings.SECRET_KEY, algorithm="sha256").digest()
