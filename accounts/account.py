"""The account page: who you are here, the tokens of your scripts, and the browsers you are signed in with."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, personal
from accounts.agents import browser_name
from accounts.forms import TokenForm
from accounts.models import PersonalToken, User
from accounts.sessions import digest

SHOWN = 50  # tokens, the newest first; dead ones stay in the list as a record until newer ones push them out


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """The page; a POST makes a token, which only the answer to it shows."""
    form = TokenForm(request.POST or None)
    fresh, secret = None, ""
    if request.method == "POST" and form.is_valid():
        try:
            fresh, secret = personal.make(person(request), *form.values())
            form = TokenForm()
        except personal.TooMany:
            form.add_error(None, _("You have too many tokens. Revoke one that you no longer use, then make this one."))
    context = {"form": form, "fresh": fresh, "secret": secret, **_lists(request)}
    return render(request, "accounts/account.html", context, status=400 if form.errors else 200)


@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Ends one of the person's own tokens; again is no error."""
    token = get_object_or_404(PersonalToken, pk=pk, owner=person(request))
    personal.revoke(token)
    messages.success(
        request, _("The token “%(name)s” was revoked. Scripts that use it are refused now.") % {"name": token}
    )
    return redirect("account")


@require_POST
def end_session(request: HttpRequest, name: str) -> HttpResponse:
    """Ends one of the person's other sessions, named by its digest; again is no error."""
    if name == _own(request):
        raise Http404  # the way out of this one is "Sign out", which also clears the browser
    if person(request).sessions.filter(digest=name).delete()[0]:
        audit.note(audit.Kind.SIGNED_OUT, person(request), detail="another_browser")
    messages.success(request, _("That browser is signed out."))
    return redirect("account")


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """Ends every session of the person but this one."""
    if person(request).sessions.exclude(digest=_own(request)).delete()[0]:
        audit.note(audit.Kind.SIGNED_OUT, person(request), detail="other_browsers")
    messages.success(request, _("All other browsers are signed out."))
    return redirect("account")


def person(request: HttpRequest) -> User:
    """Whom LoginRequiredMiddleware has let in."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user


def _lists(request: HttpRequest) -> dict[str, object]:
    user, now = person(request), timezone.now()
    tokens = list(user.tokens.order_by("-pk")[:SHOWN])
    sessions = user.sessions.filter(expire_date__gt=now).order_by("-signed_in_at")[:SHOWN]
    return {
        "tokens": [(token, _token_state(token)) for token in tokens],
        "sessions": [(session, browser_name(session.agent)) for session in sessions],
        "this_session": _own(request),
    }


def _token_state(token: PersonalToken) -> str:
    if token.revoked_at:
        return "revoked"
    return "live" if token.expires_at > timezone.now() else "expired"


def _own(request: HttpRequest) -> str:
    return digest(request.session.session_key or "")
