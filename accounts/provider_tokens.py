"""Tokens that the identity provider signed. Each kind has rules of its own, so that none can stand in for another."""

from typing import Any

import jwt
from django.conf import settings
from django.utils.crypto import constant_time_compare

from accounts import provider
from accounts.provider import ProviderError

LONGEST = 64 << 10  # characters
CLOCKS_APART = 60  # seconds
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})


class ProviderTokenError(ProviderError):
    """A token of the provider that is not what it should be. The text is for the log."""


def id_token_claims(raw: object, nonce: str, access_token: object, until: float) -> dict[str, Any]:
    """The claims of an ID token made for us and for the sign-in with this nonce. Raises ProviderError. Blocks."""
    claims = _verified(raw, ("jwt",), ["exp", "iat", "iss", "aud", "sub"], until)
    subject(claims)
    if not isinstance(claims.get("nonce"), str) or not constant_time_compare(claims["nonce"], nonce):
        raise ProviderTokenError("ID token: another nonce")
    if "events" in claims:
        raise ProviderTokenError("ID token: it is a logout token")
    bound = claims.get("at_hash")
    if bound is not None and bound != provider.half_hash(str(access_token)):
        raise ProviderTokenError("ID token: another access token")
    return claims


def access_token_claims(raw: object, until: float) -> dict[str, Any]:
    """The claims of an access token made for us, for a client we know. Raises ProviderError. Blocks.

    Authentik's ID tokens have the same type, audience and claims, nonce included; only access tokens name the client
    (`azp`) and what was asked for (`scope`). `at_hash` and its like are in ID tokens alone.
    """
    clients = frozenset(settings.OIDC_API_CLIENTS or [settings.OIDC_CLIENT_ID])
    required = ["exp", "iat", "iss", "aud", "sub", "azp", "scope"]
    claims = _verified(raw, ("jwt", "at+jwt"), required, until, clients)
    subject(claims)
    if not isinstance(claims["scope"], str) or {"at_hash", "c_hash", "events"} & claims.keys():
        raise ProviderTokenError("access token: it is another kind of token")
    return claims


def logout_claims(raw: object, until: float) -> dict[str, Any]:
    """The claims of a back-channel logout token: at least one of `sub` and `sid`. Raises ProviderError. Blocks."""
    claims = _verified(raw, ("logout+jwt",), ["exp", "iat", "iss", "aud", "jti"], until)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict) or "nonce" in claims:
        raise ProviderTokenError("logout token: it is another kind of token")
    if "sub" in claims:
        subject(claims)
    if not isinstance(claims["iat"], int) or not (claims.get("sub") or session_id(claims)):
        raise ProviderTokenError("logout token: it names nobody")
    return claims


def subject(claims: dict[str, Any]) -> str:
    """`sub` as the standard has it: up to 255 ASCII characters."""
    found = claims.get("sub")
    if not isinstance(found, str) or not 1 <= len(found) <= 255 or not (found.isascii() and found.isprintable()):
        raise ProviderTokenError("no usable sub")
    return found


def session_id(claims: dict[str, Any]) -> str:
    """The provider's name for its own session; empty where it tells none."""
    found = claims.get("sid")
    good = isinstance(found, str) and len(found) <= 255 and found.isascii() and found.isprintable()
    return str(found) if good else ""


def _verified(
    raw: object, kinds: tuple[str, ...], required: list[str], until: float, clients: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """`clients`: whom it may have been made for; nobody but us where none is named."""
    if not isinstance(raw, str) or len(raw) > LONGEST:
        raise ProviderTokenError("no token")
    try:
        header = jwt.get_unverified_header(raw)
        if header.get("alg") not in provider.ALGORITHMS or str(header.get("typ", kinds[0])).lower() not in kinds:
            raise ProviderTokenError("another algorithm or kind of token")
        if "crit" in header or not isinstance(header.get("kid", ""), str):
            raise ProviderTokenError("a header that we do not know")
        key = provider.key_for(header, until)
        claims = _jwt.decode(
            raw,
            key,
            algorithms=[header["alg"]],
            issuer=settings.OIDC_ISSUER,
            audience=settings.OIDC_CLIENT_ID,
            leeway=CLOCKS_APART,
            options={"require": required},
        )
    except (jwt.PyJWTError, ValueError, RecursionError, TypeError, OverflowError) as error:
        raise ProviderTokenError(type(error).__name__) from error
    _check_parties(claims, clients)
    return claims


def _check_parties(claims: dict[str, Any], clients: frozenset[str]) -> None:
    """Made for us alone: who else it was made for could play it to us."""
    ours = settings.OIDC_CLIENT_ID
    if claims["aud"] not in (ours, [ours]) or claims.get("azp", ours) not in list(clients or [ours]):
        raise ProviderTokenError("made for somebody else")
    if not all(isinstance(claims[name], int | float) for name in ("exp", "iat")):
        raise ProviderTokenError("times that are no numbers")
