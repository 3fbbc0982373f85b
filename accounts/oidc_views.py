"""Signing in at the identity provider and out again: the pages and addresses it and the browser meet at."""

import logging
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts import audit, flow, provider
from accounts.flow import Flow
from accounts.models import Session, User
from accounts.oidc import BACKEND, ProviderBackend
from accounts.people import Refused
from accounts.provider import ProviderError
from accounts.provider_tokens import logout_claims, session_id
from accounts.sessions import PROVIDER_SESSION

ID_TOKEN, GOOD_UNTIL = "provider_id_token", "provider_good_until"  # keys of the session's data
ASK_AGAIN_SECONDS = 60  # after a refresh that the provider could not answer
SIGN_IN_AGAIN = {"login_required", "interaction_required", "consent_required", "account_selection_required"}
logger = logging.getLogger(__name__)


@login_not_required
@never_cache
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """Off to the provider; `next` is where to go afterwards, on this site only."""
    if not settings.OIDC_ISSUER:
        raise Http404
    wanted = flow.safe_next(request, request.GET.get("next"))
    try:
        return redirect(flow.begin(request, wanted, provider.deadline()))
    except ProviderError as error:
        return _failed(request, _unreachable(error), wanted)


@login_not_required
@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Back from the provider. Whatever it says ends in the right session or in a page that says why not."""
    if not settings.OIDC_ISSUER:
        raise Http404
    begun = flow.take(request)
    try:
        if begun is None:
            raise Refused("unknown_flow", _("This sign-in was not started in this browser, or is too old."), 400)
        if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:
            raise Refused(
                "other_provider", _("The answer came from another provider than the one you signed in at."), 400
            )
        if "error" in request.GET:
            return _declined(request, begun)
        return _signed_in(request, begun)
    except ProviderError as error:
        return _failed(request, _unreachable(error), begun.next if begun else "")
    except Refused as refused:
        return _failed(request, refused, begun.next if begun else "")


def _signed_in(request: HttpRequest, begun: Flow) -> HttpResponse:
    backend = ProviderBackend()
    user = backend.authenticate(request, nonce=begun.nonce, code_verifier=begun.code_verifier)
    if user is None:
        raise Refused("no_code", _("The provider did not say who you are. Try again."), 400)
    if begun.refresh_of not in (None, user.pk):
        logout(request)
        raise Refused(
            "other_person", _("You are now signed in at the provider as somebody else. Sign in again to go on.")
        )
    if request.user != user:  # a refresh keeps the session, its form tokens and its uploads
        login(request, user, backend=BACKEND)
    request.session[PROVIDER_SESSION], request.session[ID_TOKEN] = backend.sid, backend.id_token
    request.session[GOOD_UNTIL] = time.time() + settings.OIDC_REFRESH_SECONDS
    logger.info("User %s signed in at the provider.", user.pk)
    return redirect(flow.safe_next(request, begun.next))


def _declined(request: HttpRequest, begun: Flow) -> HttpResponse:
    """The provider says no. To a refresh: either the person must sign in again, or it cannot tell right now."""
    error = request.GET["error"]
    if begun.refresh_of is not None and error not in SIGN_IN_AGAIN:
        request.session[GOOD_UNTIL] = time.time() + ASK_AGAIN_SECONDS
        return redirect(flow.safe_next(request, begun.next))
    if begun.refresh_of is not None:
        if request.user.pk == begun.refresh_of:
            logout(request)
        return redirect(f"{reverse('sign-in')}?{urlencode({'next': begun.next})}")
    raise Refused("declined", _("The provider did not let you in. Try again, or ask its operator for access."))


def _unreachable(error: ProviderError) -> Refused:
    """What exactly was wrong is for the log: it may quote what an attacker sent."""
    logger.warning("Sign-in at the provider failed: %s", error)
    detail = _("%(name)s does not answer as it should, so you cannot be signed in right now. Try again in a minute.")
    return Refused("provider_failed", detail % {"name": settings.OIDC_PROVIDER_NAME}, 502)


def _failed(request: HttpRequest, refused: Refused, next_path: str) -> HttpResponse:
    """The page that says why not, with a way to try again. The session stays as it is."""
    logger.info("A sign-in was refused: %s", refused.code)
    audit.sign_in_failed("", refused.code)
    again = f"{reverse('sign-in-provider')}?{urlencode({'next': flow.safe_next(request, next_path)})}"
    context = {"detail": refused.detail, "code": refused.code, "again": again}
    return render(request, "accounts/sign_in_failed.html", context, status=refused.status)


def end_session_address(request: HttpRequest) -> str:
    """Where the browser ends its session at the provider; empty for local sessions and when it cannot be had."""
    if not settings.OIDC_ISSUER or request.session.get(BACKEND_SESSION_KEY) != BACKEND:
        return ""
    try:
        endpoint = provider.discovery(provider.deadline(2)).end_session
    except ProviderError as error:
        logger.warning("Signed out here only: %s", error)
        return ""
    if not endpoint:
        return ""
    told = {"client_id": settings.OIDC_CLIENT_ID, "post_logout_redirect_uri": request.build_absolute_uri("/")}
    if hint := request.session.get(ID_TOKEN):
        told["id_token_hint"] = hint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(told)}"


@csrf_exempt  # the provider asks, with a signed token instead of a cookie
@login_not_required
@never_cache
@require_POST
def backchannel_logout(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Back-Channel Logout: ends the sessions that began at the provider's one before it ended.

    Tokens may arrive late, twice and out of order: a session that began after the token was made goes on.
    """
    if not settings.OIDC_ISSUER:
        raise Http404
    try:
        claims = logout_claims(request.POST.get("logout_token"), provider.deadline())
        made = datetime.fromtimestamp(claims["iat"], UTC) + timedelta(seconds=1)  # it is cut to whole seconds
    except (ProviderError, OverflowError, OSError, ValueError) as error:
        logger.warning("A logout of the provider was refused: %s", error)
        return JsonResponse({"error": "invalid_request"}, status=400)
    sessions = Session.objects.filter(user__issuer=settings.OIDC_ISSUER, signed_in_at__lt=made)
    if sid := session_id(claims):
        sessions = sessions.filter(provider_session=sid)
    if "sub" in claims:
        sessions = sessions.filter(user__subject=claims["sub"])
    for user in User.objects.filter(sessions__in=sessions).distinct():
        audit.note(audit.Kind.SIGNED_OUT, user, detail="by_provider")
    ended, _rows = sessions.delete()
    logger.info("The provider ended %s sessions.", ended)
    return HttpResponse(status=200)
