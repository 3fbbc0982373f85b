"""What templates need: the site's own facts, and fragments rendered once for page, htmx and socket."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Context of every page."""
    return {"demo_model": settings.DEMO_MODEL}
