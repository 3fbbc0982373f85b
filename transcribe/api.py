"""The REST API at `/api/v1/`: routes of `jobs.api`, one shape of refusal, its own description at `openapi.json`."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path, reverse
from django.views import csrf
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI

from jobs.api import documents, facts, problems, recordings, transcripts
from jobs.api.access import PersonRate, TokenRate
from jobs.openai import views as openai
from jobs.uploads.access import not_ours
from transcribe.theme import views

type View = Callable[..., Any]


class TranscribeAPI(NinjaAPI):
    def get_openapi_schema(self, **named: Any) -> Any:
        """Ninja's document with an example for every call and every refusal, and the upload doors beside it."""
        return documents.complete(super().get_openapi_schema(**named))


def build() -> NinjaAPI:
    """The whole API; its documentation page is `docs/api.md`, because ninja's needs inline scripts."""
    made = TranscribeAPI(
        title="Transcribe",
        version="1",
        description=documents.ABOUT,
        docs_url=None,
        urls_namespace="api",
        throttle=[TokenRate(), PersonRate()],
    )
    problems.install(made)
    for router in (recordings.router, transcripts.router, facts.router):
        made.add_router("", router)
    return made


def for_tokens(view: View) -> View:
    """A view of ninja's as our middleware should take it: bearer tokens open it, not sessions, so no CSRF either."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **named: Any) -> Any:
        response = view(request, *args, **named)
        if response.status_code != 405:
            return response
        return problems.wrong_method(request, response["Allow"])

    return login_not_required(csrf_exempt(answer))


@login_not_required
@csrf_exempt
def not_there(request: HttpRequest) -> HttpResponse:
    """Scripts get JSON for a wrong address, too."""
    return problems.problem(request, 404, "not_found", "There is no such address. See docs/api.md for those there are.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: JSON for the upload page's script, a page for people."""
    if request.path == reverse("island-token"):
        refusal = not_ours()
        return problems.problem(request, refusal.status, refusal.code, refusal.detail)
    return csrf.csrf_failure(request, reason)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: JSON for scripts, a page for people."""
    if request.path.startswith(("/api/", "/token/")):
        return problems.problem(request, 500, *problems.EXAMPLES[500])
    if request.path.startswith("/v1/"):
        return openai.refused(openai.Failed(problems.EXAMPLES[500][1]))
    return views.server_error(request)


def _open(pattern: Any) -> URLPattern:
    root = pattern.name == "api-root"  # ninja's own says with a page that there is nothing
    pattern.callback = not_there if root else for_tokens(pattern.callback)
    return pattern  # type: ignore[no-any-return]


_patterns, _app, _namespace = build().urls
urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", ([_open(pattern) for pattern in _patterns], _app, _namespace)),
    re_path("", not_there),
]
