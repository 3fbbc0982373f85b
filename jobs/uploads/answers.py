"""What the door says: JSON to scripts, a page or a redirect to browsers that sent a plain form."""

from channels.db import database_sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.csp import build_policy

from jobs.errors import JobError
from jobs.models import Job
from jobs.states import RunState
from jobs.uploads.access import prepare_page
from jobs.uploads.wire import Body, Headers, Send, answer, as_json, problem


async def accepted(send: Send, request: ASGIRequest, job: Job, body: Body) -> None:
    """201 with id, url and state; a browser form goes on to the page of the recording."""
    url = reverse("job", args=[job.pk])
    location = (b"location", url.encode())
    if wants_page(request):
        return await answer(send, 303, (b"", b"text/html; charset=utf-8"), [location], body=body)
    content = {"id": str(job.pk), "url": url, "state": str(RunState.QUEUED)}
    await answer(send, 201, as_json(content), [location], body=body)


async def refused(send: Send, request: ASGIRequest, error: JobError, body: Body) -> None:
    """The refusal's own status, with its code and sentence."""
    headers: Headers = [(b"allow", b"POST")] if error.status == 405 else []
    if not wants_page(request):
        with translation.override(translation.get_language_from_request(request)):
            content = as_json(problem(request.scope, error))
        return await answer(send, error.status, content, headers, body=body)
    page = await database_sync_to_async(_page, thread_sensitive=False)(request, error)
    headers.append((b"content-security-policy", build_policy(settings.SECURE_CSP).encode()))
    await answer(send, error.status, (page.encode(), b"text/html; charset=utf-8"), headers, body=body)


def wants_page(request: ASGIRequest) -> bool:
    """Browsers name text/html; scripts name JSON or nothing, and get JSON."""
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def _page(request: ASGIRequest, error: JobError) -> str:
    prepare_page(request)
    with translation.override(translation.get_language_from_request(request)):
        return render_to_string("jobs/upload_refused.html", {"detail": error.detail, "code": error.code}, request)
