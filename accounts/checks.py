"""Settings of sign-in that cannot be meant, said at every start, with what to do."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning


def sign_in_settings(**_: Any) -> list[CheckMessage]:
    """A provider without TLS elsewhere; a site that nobody can sign in to; groups without a provider."""
    found: list[CheckMessage] = []
    issuer = urlsplit(settings.OIDC_ISSUER)
    if settings.OIDC_ISSUER and (not issuer.hostname or issuer.scheme not in ("http", "https")):
        found.append(Error("OIDC_ISSUER is no web address.", hint="Copy `issuer` from its discovery document."))
    elif issuer.scheme == "http" and not _on_this_machine(issuer.hostname or ""):
        found.append(Error("OIDC_ISSUER is not https.", hint="Passwords and tokens would cross the network readable."))
    if not settings.OIDC_ISSUER and not settings.LOCAL_LOGIN:
        found.append(Warning("Nobody can sign in.", hint="Set OIDC_ISSUER, or LOCAL_LOGIN=true for passwords."))
    named = settings.OIDC_ALLOWED_GROUPS + settings.OIDC_STAFF_GROUPS + settings.OIDC_SUPERUSER_GROUPS
    if named and not settings.OIDC_ISSUER:
        found.append(Warning("OIDC_..._GROUPS name groups of no provider.", hint="Set OIDC_ISSUER too."))
    return found


def _on_this_machine(host: str) -> bool:
    """Names that browsers and systems resolve to loopback: nothing crosses a network."""
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
