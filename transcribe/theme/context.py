"""What every page's frame needs besides its own content."""

from django.conf import settings
from django.http import HttpRequest

from transcribe.theme import brand

THEME_COOKIE = f"{settings.COOKIE_PREFIX}theme"
THEMES = ("light", "dark")  # anything else: as the system says


def site(request: HttpRequest) -> dict[str, object]:
    """Context of every page. `here`: where a choice of language or looks leads back to."""
    here = request.get_full_path() if request.method == "GET" else "/"
    return {**looks(request), "demo_model": settings.DEMO_MODEL, "here": here}


def looks(request: HttpRequest) -> dict[str, str]:
    """The brand and the theme; it asks no database."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "brand": settings.BRAND_NAME,
        "brand_sheet": brand.sheet_address(),
        "brand_logo": brand.logo_address(),
        "theme": chosen if chosen in THEMES else "",
    }
