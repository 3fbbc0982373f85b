"""Settings and secrets: what Django and our own checks say of them, and whether each secret is one."""

import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from django.conf import settings
from django.core import checks

from transcribe.checks import MAKE_ONE, guessable
from transcribe.preflight.findings import Finding, failed, ok, warning

OTHERS = 0o007  # rights of everybody else on this machine


def complaints() -> Iterator[Finding]:
    """The checks of `manage.py check`, with those of a deployment in production."""
    found = [
        each for each in checks.run_checks(include_deployment_checks=not settings.EMBEDDED) if not each.is_silenced()
    ]
    for each in found:
        say = failed if each.is_serious() else warning
        yield say(each.msg, each.hint or "See `manage.py check --deploy`.")
    if settings.EMBEDDED:
        yield warning(
            "This is the embedded stack, for trials and tests.", "Leave TRANSCRIBE_EMBEDDED out in production."
        )
    elif not found:
        yield ok("Nothing in the settings speaks against production.")


def secrets() -> Iterator[Finding]:
    """Hard to guess, each its own, and readable by nobody else where they lie in files."""
    kept = known_secrets()
    weak = [name for name, value in kept.items() if guessable(value)]
    alike = [f"{one} and {other}" for one, other in combinations(kept, 2) if kept[one] == kept[other]]
    open_to_all = list(_readable())
    for name in weak:
        yield (warning if settings.EMBEDDED else failed)(f"{name} can be guessed.", MAKE_ONE)
    for pair in alike:
        yield failed(f"{pair} are the same.", f"Give each its own: who learns one has the other. {MAKE_ONE}")
    for path in open_to_all:
        yield warning(f"Everybody on this machine can read {path}.", "Take that right away: chmod o= FILE.")
    if not weak + alike + open_to_all:
        yield ok(f"Hard to guess, and each its own: {', '.join(kept)}.")


def known_secrets() -> dict[str, str]:
    """By setting; those that are not set are left out."""
    password = str(settings.DATABASES["default"].get("PASSWORD") or "")
    named = {"SECRET_KEY": settings.SECRET_KEY, "OIDC_CLIENT_SECRET": settings.OIDC_CLIENT_SECRET}
    named |= {"METRICS_TOKEN": getattr(settings, "METRICS_TOKEN", ""), "the password of DATABASE_URL": password}
    return {name: value for name, value in named.items() if value}


def _readable() -> Iterator[Path]:
    for name in ("SECRET_KEY", "DATABASE_URL", "OIDC_CLIENT_SECRET", "METRICS_TOKEN"):
        path = Path(os.environ.get(f"{name}_FILE", ""))
        if path.is_file() and path.stat().st_mode & OTHERS:
            yield path
