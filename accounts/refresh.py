"""A session that began at the provider is confirmed there again and again, without anybody noticing.

Only when somebody opens a page: fragments, sockets, scripts, players and uploads would follow the redirect to the
provider and break, so they go on with the session they have.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import sync_and_async_middleware

from accounts import flow, provider
from accounts.oidc_views import ASK_AGAIN_SECONDS, GOOD_UNTIL
from accounts.provider import ProviderError

BACKEND = "accounts.oidc.ProviderBackend"
logger = logging.getLogger(__name__)


@sync_and_async_middleware
def refresh_sign_in(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware, behind that of sessions and of people. It knows both ways: one that knows only the synchronous one
    pushes all those in front of it into threads, and static files would be read whole."""

    def middleware(request: HttpRequest) -> HttpResponse:
        early = _refreshed(request) if _asks(request) else None
        answer: HttpResponse = early or get_response(request)
        return answer

    async def later(request: HttpRequest) -> HttpResponse:
        early = await sync_to_async(_refreshed)(request) if _asks(request) else None
        answer: HttpResponse = early or await get_response(request)
        return answer

    return later if iscoroutinefunction(get_response) else middleware


def _asks(request: HttpRequest) -> bool:
    """Whether this opens a page where sessions are refreshed. Asks no database."""
    if not settings.OIDC_ISSUER or request.method != "GET" or not _opens_a_page(request):
        return False
    return not request.path.startswith(("/oidc/", "/sign-"))


def _due(request: HttpRequest) -> bool:
    """Whether this session is one that the provider has not confirmed for OIDC_REFRESH_SECONDS."""
    if request.session.get(BACKEND_SESSION_KEY) != BACKEND:
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
    if not _due(request):
        return None
    try:
        return redirect(flow.begin(request, request.get_full_path(), provider.deadline(2), refresh_of=request.user.pk))
    except ProviderError as error:
        logger.warning("A session could not be refreshed: %s", error)
        request.session[GOOD_UNTIL] = time.time() + ASK_AGAIN_SECONDS
        return None
