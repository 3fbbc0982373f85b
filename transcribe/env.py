"""Readers of environment variables. A missing or wrong value is named in the error, never guessed.

`NAME_FILE` may hold the path of a file with the value (Docker and systemd secrets).
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str | None = None) -> str:
    """The value of `name`, or of the file that `NAME_FILE` points at; `default` where neither is set."""
    if (path := os.environ.get(f"{name}_FILE")) is not None:
        return _read(name, Path(path))
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set. Set it, or {name}_FILE to the path of a file that holds it.")
    return value


def flag(name: str, default: bool) -> bool:
    """1/true/yes/on or 0/false/no/off; anything else is an error."""
    value = text(name, str(default)).strip().lower()
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise ImproperlyConfigured(f"{name} is {value!r}; write true or false.")


def number(name: str, default: int, minimum: int = 0) -> int:
    """A whole number of at least `minimum`."""
    value = text(name, str(default))
    try:
        found = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}; write a whole number.") from None
    if found < minimum:
        raise ImproperlyConfigured(f"{name} is {found}; it must be at least {minimum}.")
    return found


def names(name: str, default: str = "") -> list[str]:
    """A comma-separated list, blanks dropped."""
    return [item for item in (part.strip() for part in text(name, default).split(",")) if item]


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    """One of `choices`."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; write {' or '.join(choices)}.")
    return value


def address(name: str, default: str = "") -> str:
    """HOST:PORT or the path of a Unix socket."""
    value = text(name, default)
    if value and not value.startswith("/") and not re.fullmatch(r"[^/\s]+:[0-9]{1,5}", value):
        raise ImproperlyConfigured(f"{name} is {value!r}; write HOST:PORT, or the path of a Unix socket.")
    return value


def secret(name: str) -> str:
    """A value that must be set and hard to guess: production refuses to start with a short one."""
    value = text(name)
    if len(value) < 32:
        raise ImproperlyConfigured(f"{name} has {len(value)} characters; use at least 32 random ones.")
    return value


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}.") from None
