"""Coming in and going out: the local password form, one-time links, and the way out."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts import island
from accounts.caller import caller
from accounts.forms import SignInForm
from accounts.links import holder
from accounts.models import User
from accounts.oidc_views import end_session_address


class SignIn(LoginView):
    """The page everyone lands on who is not signed in; the form is there only where local login is on."""

    template_name = "accounts/sign_in.html"
    form_class = SignInForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        provider = settings.OIDC_PROVIDER_NAME if settings.OIDC_ISSUER else ""
        return {**super().get_context_data(**kwargs), "local_login": settings.LOCAL_LOGIN, "provider": provider}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Checked here too: a form that is not shown must not work either."""
        if not settings.LOCAL_LOGIN:
            raise Http404
        return super().post(request, *args, **kwargs)


sign_in = SignIn.as_view()


@method_decorator(login_not_required, name="dispatch")
class SignOut(LogoutView):
    """The way out, for everything this browser kept of us."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        leave = end_session_address(request)  # asked while there is a session
        answer = super().post(request, *args, **kwargs)
        if leave:
            answer = redirect(leave)
        answer["Clear-Site-Data"] = '"cache", "storage"'  # not "cookies": it would take those of our neighbours too
        return answer


sign_out = SignOut.as_view()


@login_not_required
@never_cache
def administration_sign_in(request: HttpRequest) -> HttpResponse:
    """One door: the administration's own form knows neither the throttle nor LOCAL_LOGIN nor the provider.

    Who is signed in and may not enter is told so by the sign-in page; the provider would send them round in circles.
    """
    to_provider = settings.OIDC_ISSUER and not settings.LOCAL_LOGIN and not request.user.is_authenticated
    target = reverse("sign-in-provider" if to_provider else "sign-in")
    query = request.META.get("QUERY_STRING", "")
    return redirect(f"{target}?{query}" if query else target)


@login_not_required  # a script asks: it is told so, not sent to a page
@never_cache
def island_token(request: HttpRequest) -> JsonResponse:
    """A token for the upload page: `{"token", "expires_at"}`. Needs the session and its X-CSRFToken."""
    if request.method != "POST":
        return _refused(405, "wrong_method", _("Ask for a token with POST."), Allow="POST")
    if not isinstance(request.user, User):
        return _refused(401, "not_signed_in", _("You are signed out. Sign in again to go on."))
    token, end = island.mint(request.user, request.session)
    return JsonResponse({"token": token, "expires_at": end.isoformat()})


def _refused(status: int, code: str, detail: str, **headers: str) -> JsonResponse:
    """In the API's shape; a test's own client has no name for its requests."""
    said = {"code": code, "detail": detail, "request_id": caller.get().request_id or "none"}
    return JsonResponse(said, status=status, headers=headers)


@login_not_required
@never_cache
@require_GET
def sign_in_link(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Signs the holder of a one-time link in; a used or old one leads to the form."""
    if not settings.EMBEDDED:
        raise Http404
    with transaction.atomic():
        user = holder(uid, token)
        if user is not None:
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect(settings.LOGIN_REDIRECT_URL)
    messages.error(request, _("This sign-in link was used already or is older than a day. Sign in with your password."))
    return redirect("sign-in")
