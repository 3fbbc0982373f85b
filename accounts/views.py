"""Coming in and going out: the local password form, one-time links, and the way out."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.forms import SignInForm
from accounts.links import holder


class SignIn(LoginView):
    """The page everyone lands on who is not signed in; the form is there only where local login is on."""

    template_name = "accounts/sign_in.html"
    form_class = SignInForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "local_login": settings.LOCAL_LOGIN}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Checked here too: a form that is not shown must not work either."""
        if not settings.LOCAL_LOGIN:
            raise Http404
        return super().post(request, *args, **kwargs)


sign_in = SignIn.as_view()
sign_out = method_decorator(login_not_required, name="dispatch")(LogoutView).as_view()


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
