"""The operator's name, logo and accent colour, as settings give them.

The theme's style sheet is built once and knows no operator; what differs is a second, tiny one (`/brand.css`) that sets
the accent for both themes. Addresses of both files carry a hash of their content, so browsers may keep them for good.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.urls import reverse

from transcribe.theme.colours import CLEAR, ink, readable

# The page's own backgrounds, as src/styles.css has them; the accent is text on each.
LIGHT_GROUNDS = ("#fdfdfc", "#f4f4f2")
DARK_GROUNDS = ("#161817", "#1e2120")
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}
_RULES = """:root, [data-theme="light"] {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}
[data-theme="dark"] {{ {dark} }}
"""


def sheet() -> str:
    """The style sheet."""
    return _sheet(settings.BRAND_ACCENT, settings.BRAND_ACCENT_DARK)


def sheet_address() -> str:
    return f"{reverse('brand-sheet')}?{_hash(sheet().encode())}"


def logo() -> Path | None:
    return Path(settings.BRAND_LOGO) if settings.BRAND_LOGO else None


def logo_address() -> str:
    """Empty where there is none; a file that cannot be read is `check`'s to name, and no reason for a broken page."""
    path = logo()
    try:
        return f"{reverse('brand-logo')}?{_file_hash(path, path.stat().st_mtime_ns)}" if path else ""
    except OSError:
        return ""


@lru_cache(maxsize=2)
def _sheet(light: str, dark: str) -> str:
    """Without an accent for dark pages the light one is made light enough."""
    dark = dark or readable(light, DARK_GROUNDS, CLEAR)
    return _RULES.format(light=_variables(light), dark=_variables(dark))


def _variables(colour: str) -> str:
    return f"--color-primary: {colour}; --color-primary-content: {ink(colour)};"


@lru_cache(maxsize=2)
def _file_hash(path: Path, changed: int) -> str:
    """Read again only when the file's time changes."""
    return _hash(path.read_bytes())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
