"""The brand's two files, the choice of light or dark, and the page for a failure of ours."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language_from_request
from django.views.decorators.csp import csp_override
from django.views.decorators.http import condition, require_GET, require_POST
from django.views.decorators.vary import vary_on_cookie

from transcribe.theme import brand
from transcribe.theme.context import THEME_COOKIE, THEMES, looks

YEAR_SECONDS = 365 * 24 * 3600
KEPT = f"public, max-age={YEAR_SECONDS}, immutable"  # the address changes with the content


def _sheet_tag(request: HttpRequest) -> str:
    return f'"{brand.sheet_address().partition("?")[2]}"'


def _logo_tag(request: HttpRequest) -> str | None:
    address = brand.logo_address()
    return f'"{address.partition("?")[2]}"' if address else None


@login_not_required
@require_GET
@condition(etag_func=_sheet_tag)
def brand_sheet(request: HttpRequest) -> HttpResponse:
    """The operator's accent for both themes."""
    return HttpResponse(brand.sheet(), content_type="text/css; charset=utf-8", headers={"Cache-Control": KEPT})


@login_not_required
@require_GET
@condition(etag_func=_logo_tag)
@csp_override({"default-src": ["'none'"], "style-src": ["'unsafe-inline'"]})
def brand_logo(request: HttpRequest) -> HttpResponse:
    """The operator's logo. Pages show it as an image, where no script in an SVG runs; opened by itself, none may."""
    path = brand.logo()
    kind = brand.LOGO_TYPES.get(path.suffix.lower()) if path else None
    if path is None or kind is None or not path.is_file():
        raise Http404
    return HttpResponse(path.read_bytes(), content_type=kind, headers={"Cache-Control": KEPT})


@login_not_required
@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Light, dark, or what the system says. A cookie, so that the first byte of every page knows it: no flash."""
    there = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    answer = redirect(there if safe else "/")
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        secure, longest = settings.SESSION_COOKIE_SECURE, YEAR_SECONDS
        answer.set_cookie(THEME_COOKIE, chosen, longest, secure=secure, httponly=True, samesite="Lax")
    else:
        answer.delete_cookie(THEME_COOKIE, samesite="Lax")
    return answer


@vary_on_cookie
def server_error(request: HttpRequest) -> HttpResponse:
    """The 500 page."""
    return HttpResponse(bare_page(request, "500.html"), status=500)


def bare_page(request: HttpRequest, template: str) -> str:
    """A page in the reader's language and theme that needs no database, which may be what failed."""
    language = get_language_from_request(request)
    with translation.override(language):
        return render_to_string(template, {**looks(request), "LANGUAGE_CODE": language})
