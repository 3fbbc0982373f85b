"""Who knocks, for handlers that stand beside Django: its session and its CSRF rules, asked without its middleware."""

from collections.abc import Awaitable, Callable
from io import BytesIO
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, QueryDict
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.translation import get_language_from_request

from accounts.grants import TokenError
from accounts.models import User
from jobs.services import repeats
from jobs.uploads.refusals import NotOurForm, NotSignedIn, ScopeMissing, Unavailable
from jobs.uploads.threads import in_thread
from jobs.uploads.wire import Scope, header

type Authenticate = Callable[[Scope], Awaitable[User | None]]
"""Verifies the Authorization header of a request and names the person. None refuses; a TokenError too, saying why."""


def request_of(scope: Scope) -> ASGIRequest:
    """The headers of a request or socket as Django sees them; its body stays where it is."""
    schemes = {"ws": "http", "wss": "https"}
    seen = {"method": "GET", **scope, "scheme": schemes.get(scope.get("scheme", "http"), scope.get("scheme"))}
    return ASGIRequest(seen, BytesIO())


def language_of(scope: Scope) -> str:
    """The code of the language this client reads best among ours; English where its request cannot be read."""
    try:
        return get_language_from_request(request_of(scope))
    except UnicodeDecodeError:  # a query string that is not text
        return "en"


def session_user(request: HttpRequest) -> User | None:
    """The signed-in, enabled person of this request's session. Blocks: it asks the database."""
    SessionMiddleware(_view).process_request(request)
    user = get_user(request)
    return user if isinstance(user, User) and user.is_active else None


def from_our_site(request: HttpRequest) -> bool:
    """Django's check of Origin (whole: scheme, host and port) or, over TLS, of Referer where Origin is missing."""
    return _OriginCheck(_view).process_view(request, _view, (), {}) is None


def with_our_token(request: ASGIRequest, field: str | None) -> bool:
    """Django's whole CSRF check; `field` is the form's token, else the X-CSRFToken header counts."""
    request.POST = QueryDict(urlencode({"csrfmiddlewaretoken": field or ""}))
    return _CsrfCheck(_view).process_view(request, _view, (), {}) is None


def prepare_page(request: HttpRequest) -> None:
    """Let templates ask who is there and write forms whose token fits the cookie the browser has."""
    if not hasattr(request, "user"):
        request.user = AnonymousUser()
    CsrfViewMiddleware(_view).process_request(request)


async def who(scope: Scope, request: ASGIRequest, authenticate: Authenticate | None) -> tuple[User, bool]:
    """The person, and whether a session (which other sites could ride on) names them.

    Raises NotSignedIn, ScopeMissing, Unavailable.
    """
    by_session = header(scope, b"authorization") is None
    if by_session:
        user = await in_thread(session_user, request)
    else:
        user = await _bearer(scope, authenticate) if authenticate else None
    if user is None:
        raise NotSignedIn("Sign in first, then upload the file again.")
    request.user = user
    return user, by_session


async def _bearer(scope: Scope, authenticate: Authenticate) -> User | None:
    try:
        return await authenticate(scope)
    except TokenError as error:
        kind = {401: NotSignedIn, 503: Unavailable}.get(error.status, ScopeMissing)
        raise kind(error.sentence, error.code, **error.values) from error


def upload_id_of(scope: Scope, user: User) -> UUID | None:
    """The id that the request's `Idempotency-Key` gives to what it makes. Raises JobError `bad_key`."""
    key = header(scope, b"idempotency-key")
    return None if key is None else repeats.id_for(key.decode("latin-1"), among=user.pk)


def not_ours() -> NotOurForm:
    """The refusal of what another site sent, or of a page that is too old."""
    return NotOurForm("This form is out of date or came from another site. Reload the page and try again.")


def _view(request: HttpRequest) -> HttpResponse:
    """Stands where middleware wants the next layer; never called."""
    return HttpResponse()


class _CsrfCheck(CsrfViewMiddleware):
    def _accept(self, request: HttpRequest) -> None:
        """Django's own marks the request as checked, and every later check of it would pass."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponseForbidden(reason)


class _OriginCheck(_CsrfCheck):
    def _check_token(self, request: HttpRequest) -> None:
        return None
