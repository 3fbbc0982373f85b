"""The identity provider: it answers, calls itself what OIDC_ISSUER says, signs with a key, and knows us."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from django.conf import settings
from django.urls import reverse
from mozilla_django_oidc.utils import generate_code_challenge

from accounts import provider as ours
from accounts.provider import ProviderError, deadline, discovery, fetch
from transcribe.preflight.findings import Finding, failed, ok, warning

SIGNING = "id_token_signing_alg_values_supported"
SECONDS = 5.0
VERIFIER = "preflight" * 6  # nothing is ever made of this question, so it need not be a secret


def provider() -> Iterator[Finding]:
    if not settings.OIDC_ISSUER:
        yield ok("None is set: people sign in with passwords of this installation.")
        return
    until = deadline()
    try:
        found = fetch(settings.OIDC_ISSUER.rstrip("/") + "/.well-known/openid-configuration", until)
        if (named := found.get("issuer")) != settings.OIDC_ISSUER:
            yield failed(
                f"The provider calls itself {named}.", "Set OIDC_ISSUER to exactly that, final slash included."
            )
            return
        ends = discovery(until, age=0)
        keys = fetch(ends.jwks, until).get("keys")
    except ProviderError as error:
        fix = "Start it, or correct OIDC_ISSUER; a private authority's certificate belongs into SSL_CERT_FILE."
        yield failed(f"The provider does not answer as it should: {error}.", fix)
        return
    yield from _complaints(found, keys, ends)


def _complaints(found: Mapping[str, Any], keys: object, ends: ours.Discovery) -> Iterator[Finding]:
    wrong = [*_signing(found, keys), *_addresses(ends.authorization), *_client(ends.token)]
    yield from wrong or [ok(f"{settings.OIDC_ISSUER} answers, and knows this installation.")]


def _signing(found: Mapping[str, Any], keys: object) -> Iterator[Finding]:
    if not set(ours.ALGORITHMS) & set(found.get(SIGNING, ours.ALGORITHMS)) or not keys:
        yield failed("The provider signs without a key of its own.", "Choose a signing key (RS256) for it there.")


def _addresses(authorization: str) -> Iterator[Finding]:
    """Whether it would send people back to us, for each name that people type."""
    hosts = [host for host in settings.ALLOWED_HOSTS if not host.startswith((".", "*"))]
    for host in () if settings.EMBEDDED else hosts:
        address = f"https://{host}{reverse('oidc_authentication_callback')}"
        answer = _asked("GET", authorization, params=_question(address))
        if answer is None or answer.status_code >= 500:
            yield warning("The provider's sign-in page does not answer.", "Look at the provider's log.")
        elif answer.status_code >= 400:
            fix = "Write it into the provider's list of redirect addresses, letter by letter; see OIDC_CLIENT_ID, too."
            yield failed(f"The provider does not send people back to {address}.", fix)


def _question(address: str) -> dict[str, str]:
    """A sign-in that must not ask anybody anything."""
    asked = {"response_type": "code", "scope": "openid", "prompt": "none", "state": "preflight", "nonce": "preflight"}
    asked |= {"code_challenge": generate_code_challenge(VERIFIER, "S256"), "code_challenge_method": "S256"}
    return asked | {"client_id": settings.OIDC_CLIENT_ID, "redirect_uri": address}


def _client(token: str) -> Iterator[Finding]:
    """Whether it takes our secret: a code that nobody was given is refused after a look at that (RFC 6749, 5.2)."""
    form = {"grant_type": "authorization_code", "code": "preflight", "code_verifier": VERIFIER}
    form |= {"client_id": settings.OIDC_CLIENT_ID, "client_secret": settings.OIDC_CLIENT_SECRET}
    answer = _asked("POST", token, data={**form, "redirect_uri": "https://preflight.invalid/"})
    if answer is not None and answer.status_code in (400, 401) and b'"invalid_client"' in answer.content:
        fix = "Copy both from the provider: OIDC_CLIENT_ID and OIDC_CLIENT_SECRET."
        yield failed("The provider does not take our name and secret.", fix)


def _asked(method: str, url: str, **more: Any) -> httpx.Response | None:
    try:
        return httpx.request(method, url, timeout=SECONDS, follow_redirects=False, **more)
    except httpx.HTTPError:
        return None
