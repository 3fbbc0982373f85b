"""What production must not start with: said by every `manage.py` command, and by the application itself."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

EXAMPLES = re.compile(
    r"change[-_ ]?(me|this|it)|example|insecure|replace[-_ ]?(me|this|with)|your[-_ ]|secret[-_ ]?key|placeholder|"
    r"only-for|password|dummy|x{8}|1234567",
    re.IGNORECASE,
)
DISTINCT = 10  # different characters; 32 random ones of 16 have about 14
MAKE_ONE = 'Make one: python -c "import secrets; print(secrets.token_urlsafe(48))".'


def check_production(**_: object) -> list[CheckMessage]:
    """Nothing in embedded mode, which is for 127.0.0.1 alone."""
    return [] if settings.EMBEDDED else [*_secrets(), *_addresses(), *_faults()]


def refuse_unsafe() -> None:
    """Raises ImproperlyConfigured, with all that is wrong: a web server runs no checks of its own."""
    found = check_production()
    if found:
        raise ImproperlyConfigured("\n".join(f"{each.msg} {each.hint}" for each in found))


def _secrets() -> Iterator[Error]:
    if guessable(settings.SECRET_KEY):
        yield Error("SECRET_KEY is from an example or can be guessed.", hint=MAKE_ONE, id="transcribe.E001")
    if settings.OIDC_ISSUER and guessable(settings.OIDC_CLIENT_SECRET):
        hint = "Copy the provider's own, or make a new one there."
        yield Error("OIDC_CLIENT_SECRET is from an example or can be guessed.", hint=hint, id="transcribe.E002")
    if settings.METRICS_TOKEN and guessable(settings.METRICS_TOKEN):
        yield Error("METRICS_TOKEN is from an example or can be guessed.", hint=MAKE_ONE, id="transcribe.E008")
    if settings.DEBUG:
        hint = "Its pages show settings and source to everybody: leave DEBUG out."
        yield Error("DEBUG is on in production.", hint=hint, id="transcribe.E003")


def _addresses() -> Iterator[Error]:
    if not settings.ALLOWED_HOSTS:
        hint = "Set ALLOWED_HOSTS to the names that people type, like transcribe.example.org."
        yield Error("ALLOWED_HOSTS names no host.", hint=hint, id="transcribe.E004")
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name the hosts: links in answers are made from what the request says."
        yield Error("ALLOWED_HOSTS allows every name.", hint=hint, id="transcribe.E005")
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if urlsplit(origin).scheme != "https":
            hint = "Pages of production are served by https alone: write https://."
            yield Error(f"CSRF_TRUSTED_ORIGINS has {origin}, which is not https.", hint=hint, id="transcribe.E006")


def _faults() -> Iterator[Error]:
    if settings.FAILPOINTS:
        hint = "It makes processes end in the middle of their work, for tests: leave FAILPOINTS out."
        yield Error("FAILPOINTS is set in production.", hint=hint, id="transcribe.E007")


def guessable(secret: str) -> bool:
    """Whether it is short, of few characters, or looks like an example's."""
    return len(secret) < 32 or len(set(secret)) < DISTINCT or EXAMPLES.search(secret) is not None
