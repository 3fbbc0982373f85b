"""A session that began at the provider is confirmed there again and again, without anybody noticing.

Only when somebody opens a page: fragments, sockets, scripts, players and uploads would follow the redirect to the
provider and break, so they go on with the session they have.
"""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts import flow, provider
from accounts.oidc_views import ASK_AGAIN_SECONDS, GOOD_UNTIL
from accounts.provider import ProviderError

BACKEND = "accounts.oidc.ProviderBackend"
logger = logging.getLogger(__name__)


def refresh_sign_in(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, behind that of sessions and of people."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return (_refreshed(request) if _due(request) else None) or get_response(request)

    return middleware


def _due(request: HttpRequest) -> bool:
    """Whether this opens a page in a session that the provider has not confirmed for OIDC_REFRESH_SECONDS."""
    if not settings.OIDC_ISSUER or request.method != "GET" or not _opens_a_page(request):
        return False
    if request.session.get(BACKEND_SESSION_KEY) != BACKEND or request.path.startswith(("/oidc/", "/sign-")):
        return False
    return request.session.get(GOOD_UNTIL, 0) < time.time() and request.user.is_authenticated


def _opens_a_page(request: HttpRequest) -> bool:
    """Browsers say so themselves (Sec-Fetch-Dest); older ones ask for HTML first."""
    if "HX-Request" in request.headers:
        return False
    said = request.headers.get("Sec-Fetch-Dest")
    return said == "document" if said else request.headers.get("Accept", "").startswith("text/html")


def _refreshed(request: HttpRequest) -> HttpResponse | None:
    """Through the provider and back to this page; on with the page when the provider cannot be reached right now."""
    try:
        return redirect(flow.begin(request, request.get_full_path(), provider.deadline(2), refresh_of=request.user.pk))
    except ProviderError as error:
        logger.warning("A session could not be refreshed: %s", error)
        request.session[GOOD_UNTIL] = time.time() + ASK_AGAIN_SECONDS
        return None
