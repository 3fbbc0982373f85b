"""What an operator may get wrong about the brand, said by every `manage.py` command at its start."""

import os

from django.conf import settings
from django.core.checks import CheckMessage, Error

from transcribe.theme import brand
from transcribe.theme.colours import READABLE, is_colour, readable, worst

LOGO_LIMIT = 256 << 10  # bytes: it is on every page


def check_brand(**kwargs: object) -> list[CheckMessage]:
    """Colours that cannot be read on our pages, and a logo that cannot be shown."""
    light = _colour("BRAND_ACCENT", settings.BRAND_ACCENT, brand.LIGHT_GROUNDS, "light")
    dark = settings.BRAND_ACCENT_DARK
    return light + (_colour("BRAND_ACCENT_DARK", dark, brand.DARK_GROUNDS, "dark") if dark else []) + _logo()


def _colour(name: str, value: str, grounds: tuple[str, ...], pages: str) -> list[CheckMessage]:
    if not is_colour(value):
        return [Error(f"{name} is {value!r}.", hint="Write it as #rrggbb, like #2a6455.", id="theme.E001")]
    found = worst(value, grounds)
    if found >= READABLE:
        return []
    said = f"{name} {value} is hard to read on {pages} pages: a contrast of {found:.1f}, and {READABLE} is the least."
    return [Error(said, hint=f"The nearest one that can be read is {readable(value, grounds)}.", id="theme.E002")]


def _logo() -> list[CheckMessage]:
    path = brand.logo()
    if path is None:
        return []
    if path.suffix.lower() not in brand.LOGO_TYPES:
        hint = f"Use a file that ends in one of: {', '.join(brand.LOGO_TYPES)}."
        return [Error(f"BRAND_LOGO {path} is of a kind that is not shown.", hint=hint, id="theme.E003")]
    if not (path.is_file() and os.access(path, os.R_OK)):
        hint = "Give the path of a file that this account may read."
        return [Error(f"BRAND_LOGO {path} cannot be read.", hint=hint, id="theme.E004")]
    if path.stat().st_size > LOGO_LIMIT:
        hint = f"Use one of at most {LOGO_LIMIT >> 10} kB: it is on every page."
        return [Error(f"BRAND_LOGO {path} is too large.", hint=hint, id="theme.E005")]
    return []
