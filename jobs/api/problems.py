"""One shape for every refusal: `code`, `detail`, `request_id`. What ninja, Django and our verbs raise ends here."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError

from accounts.grants import TokenError
from jobs.api.schemas import Problem
from jobs.errors import JobError

NOT_FOUND = "There is no such recording."
EVERYWHERE = (401, 403, 429, 503)
EXAMPLES: dict[int, tuple[str, str]] = {
    400: ("bad_cursor", "This cursor was not made by this server. Start again without one."),
    401: ("bad_token", "This access token is not valid. Sign in again, or make a new token on your account page."),
    403: (
        "scope_missing",
        "This access token does not have the scope jobs:read. Make one that has it on your account page.",
    ),
    404: ("not_found", NOT_FOUND),
    405: ("wrong_method", "This address does not take this method. Use one of these: GET."),
    409: ("conflict", "This recording is being transcribed already. Cancel that first, or wait for it."),
    408: ("too_slow", "Nothing arrived for a while, so the upload was stopped. Send it again."),
    410: ("expired", "This upload was left unfinished for too long. Upload the file again."),
    412: ("wrong_version", "Send the header Tus-Resumable: 1.0.0."),
    413: ("too_large", "The request is too large."),
    415: ("wrong_type", "Send the bytes with Content-Type: application/offset+octet-stream."),
    422: ("bad_request", "limit: Input should be less than or equal to 100."),
    423: ("locked", "This upload is being written by another connection. Try again in a moment."),
    429: ("too_many_requests", "Too many requests. Wait 12 seconds, then go on."),
    503: ("unavailable", "The server cannot store recordings right now. Try again in a minute."),
    507: ("storage_full", "The server has no room for this file, so nothing was kept. Try again later."),
    500: ("server_error", "The server could not answer. Nothing was changed; try again in a minute."),
}


def problems(*statuses: int) -> dict[int, Any]:
    """The refusals of a route, for its `response=`: these and the ones every route has."""
    return dict.fromkeys(sorted({*statuses, *EVERYWHERE}), Problem)


def problem(request: HttpRequest, status: int, code: str, detail: str, **headers: str) -> HttpResponse:
    """A refusal as a response."""
    content = {"code": code, "detail": detail, "request_id": request_id_of(request)}
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store", **headers})


def wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    """405, naming what would do."""
    detail = f"This address does not take this method. Use one of these: {allowed}."
    return problem(request, 405, "wrong_method", detail, Allow=allowed)


def request_id_of(request: HttpRequest) -> str:
    """What the server put into the connection (`transcribe.request_id`); tests without a server have none."""
    return str(getattr(request, "scope", {}).get("request_id", "none"))


def install(api: NinjaAPI) -> None:
    """Ninja asks these for what its views raise. An error nobody foresaw is left to Django and its handler500."""
    api.add_exception_handler(JobError, _refused)
    api.add_exception_handler(TokenError, _bad_token)
    api.add_exception_handler(AuthenticationError, _no_token)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(Throttled, _throttled)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(Http404, _not_found)


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, error.status, error.code, str(error.detail))


def _bad_token(request: HttpRequest, error: Any) -> HttpResponse:
    hints = {
        401: {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        403: {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
        503: {"Retry-After": "5"},
    }
    return problem(request, error.status, error.code, str(error.detail), **hints[error.status])


def _no_token(request: HttpRequest, error: Any) -> HttpResponse:
    detail = "Send an access token: Authorization: Bearer <token>. Make one on your account page."
    return problem(request, 401, "no_token", detail, **{"WWW-Authenticate": "Bearer"})


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    """The first thing that is wrong, named by its field."""
    first = error.errors[0]
    field = ".".join(str(part) for part in first["loc"][1:] if part != "options") or "body"
    return problem(request, 422, "bad_request", f"{field}: {first['msg']}.")


def _throttled(request: HttpRequest, error: Any) -> HttpResponse:
    seconds = max(1, round(error.wait or 1))
    detail = f"Too many requests. Wait {seconds} seconds, then go on."
    return problem(request, 429, "too_many_requests", detail, **{"Retry-After": str(seconds)})


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    """Ninja's own: a body that is not JSON."""
    return problem(request, error.status_code, "bad_request", f"{error}.")


def _not_found(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 404, "not_found", NOT_FOUND)
