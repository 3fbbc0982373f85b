"""`GET /v1/models`, which clients ask to see whether the address is right."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.grants import Grant, TokenError
from accounts.tokens import authenticate_request, require
from jobs.errors import JobError, NotFound
from jobs.openai.answers import refusal
from jobs.services.offers import offers
from jobs.uploads.refusals import NotSignedIn, WrongMethod


class Failed(JobError):
    """An error of ours that nobody foresaw."""

    code, status = "server_error", 500


type View = Callable[..., dict[str, object]]


def for_tokens(view: View) -> Callable[..., HttpResponse]:
    """A view that answers with a dict, opened by a bearer token with `jobs:read`; refusals in OpenAI's form."""

    @login_not_required
    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: object, **named: object) -> HttpResponse:
        try:
            if request.method not in ("GET", "HEAD"):
                raise WrongMethod("Ask for models with GET.")
            _check(request)
            return JsonResponse(view(request, *args, **named))
        except JobError as error:
            return refused(error)

    return answer


def refused(error: JobError) -> HttpResponse:
    """In OpenAI's form."""
    allowed = {"Allow": "GET, HEAD"} if error.status == 405 else {}
    return JsonResponse(refusal(error), status=error.status, headers=allowed)


@login_not_required
@csrf_exempt
def not_there(request: HttpRequest) -> HttpResponse:
    """Clients of theirs get their form for an address that is not offered here, too."""
    return refused(NotFound("There is no such address. See docs/api.md for those there are."))


@for_tokens
def models(request: HttpRequest) -> dict[str, object]:
    """Those that live workers offer, the default first."""
    return {"object": "list", "data": [_model(offer.model) for offer in offers()]}


@for_tokens
def model(request: HttpRequest, name: str) -> dict[str, object]:
    """One of them."""
    if name not in {offer.model for offer in offers()}:
        raise NotFound("This model is not offered now.", code="model_not_found")
    return _model(name)


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "transcribe"}


def _check(request: HttpRequest) -> None:
    try:
        bearer = authenticate_request(request)
        if bearer is not None:
            return require(bearer, Grant.JOBS_READ)
    except TokenError as error:
        refused = NotSignedIn(error.sentence, error.code, **error.values)
        refused.status = error.status
        raise refused from None
    raise NotSignedIn("Send a personal token as the API key. Make one on your account page.")
