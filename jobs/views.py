"""The pages: ask `visible_to`, call a verb, render. LoginRequiredMiddleware keeps everyone else out."""

from collections.abc import Callable
from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import audit
from accounts.models import User
from jobs import exports, listing, partials, samples, words
from jobs.errors import JobError
from jobs.island import island_settings
from jobs.listening import speech_strip
from jobs.listing import Wish, find
from jobs.models import Job, Run
from jobs.services.cancel import cancel as cancel_run
from jobs.services.delete import delete as delete_job
from jobs.services.keep import give_free
from jobs.services.keep import keep as keep_job
from jobs.services.options import FIELDS, Options, read_options
from jobs.services.part import hear_part
from jobs.services.retry import retry, whole_run
from jobs.states import FINAL

PAGE = 50
SPEEDS = ("0.5", "0.75", "1", "1.25", "1.5", "1.75", "2")


@require_GET
def recordings(request: HttpRequest) -> HttpResponse:
    """The dashboard: newest first, a page of 50, by state and by name."""
    wish = Wish.read(request.GET.get("q", ""), request.GET.get("state", ""))
    mine = Job.objects.visible_to(request.user)
    filters = listing.filters(mine, wish)
    chosen = next(each for each in filters if each.chosen)
    paginator = Paginator(find(mine, wish), PAGE)
    paginator.count = chosen.count  # known already: one query less
    shown = paginator.get_page(request.GET.get("page"))
    empty = not wish.search and not filters[0].count
    context = {
        "page": shown,
        "rows": partials.rows(list(shown.object_list)),
        "search": wish.search,
        "state": wish.state,
        "filters": filters,
        "chosen": chosen,
        "empty": empty,
        "island": island_settings(request, partials.upload_options() if empty else None),
    }
    return render(request, "jobs/recordings.html", context)


@require_GET
def upload(request: HttpRequest) -> HttpResponse:
    """The island, and the plain form; the bytes go to the upload doors, which read them as a stream."""
    options = partials.upload_options()
    island = island_settings(request, options)
    context = {"island": island, "options": options, "limit": settings.UPLOAD_LIMIT_BYTES}
    return render(request, "jobs/upload.html", context)


@require_POST
def sample(request: HttpRequest, name: str) -> HttpResponse:
    """A recording of this person's own, made from one that ships."""
    if name not in samples.SAMPLES:
        raise Http404
    try:
        options = read_options(request.POST)
        return redirect("job", samples.submit_sample(cast(User, request.user), name, options).pk)
    except JobError as error:
        messages.error(request, error.detail)
        return redirect("recordings")


@require_GET
def job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The recording's page with the beginning of its transcript; the page fetches the rest by itself."""
    found = _mine(request, job_id)
    run = found.current_run
    last = partials.last_segment(run)  # read first: what is stored from here on comes over the socket
    part = _part(run, request.GET.get("after", ""), partials.SEGMENTS_AT_ONCE)
    context = {**partials.job_context(found), "part": part, "last": last, "strip": speech_strip(run), "speeds": SPEEDS}
    return render(request, "jobs/job.html", context)


@require_GET
def transcript(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """More text of a run: in time order `after` a mark, or what was stored after the id `newer`."""
    found = _mine(request, job_id)
    try:  # the run is named because the page that asks may be older than the current one
        run = get_object_or_404(found.runs, pk=UUID(request.GET.get("run", "")))
        newer = int(request.GET.get("newer", "0"))
    except ValueError:
        raise Http404 from None
    mark = request.GET.get("after", "")
    part = partials.missed_part(run, newer) if "newer" in request.GET else _part(run, mark, partials.SEGMENTS_AFTER)
    return render(request, "jobs/_more.html", {"job": found, "run": run, "part": part})


@require_POST
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Stop the current run; asking twice is fine."""
    return _act(request, job_id, cancel_run)


@require_POST
def again(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Another run: with the options of the form, or with the same ones where it holds none."""

    def act(found: Job) -> None:
        asked = any(name in request.POST for name in FIELDS)
        retry(found, read_options(request.POST) if asked else None)

    return _act(request, job_id, act)


@require_POST
def part(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Hear a part again: that of an entry of the report (`part`), or what the form says (`from`, `to`, options)."""

    def act(found: Job) -> None:
        entry = request.POST.get("part", "")
        start, end, language = [*entry.split("-"), "", "", ""][:3]
        if not entry:
            start, end = request.POST.get("from", ""), request.POST.get("to", "")
        options = _part_options(request, found, language)
        hear_part(found, words.seconds_of(start), words.seconds_of(end), options)

    return _act(request, job_id, act)


def _part_options(request: HttpRequest, job: Job, language: str) -> Options | None:
    if any(name in request.POST for name in FIELDS):
        return read_options(request.POST)
    run = job.current_run
    return read_options({**whole_run(run).options, "language": language}) if language and run is not None else None


@require_POST
def keep(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Keep it from retention, or give it free again (`kept=no`); saying it twice is fine."""
    verb = give_free if request.POST.get("kept") == "no" else keep_job
    return _act(request, job_id, lambda found: verb(found, cast(User, request.user)))


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Says what will be deleted, then deletes it."""
    found = _mine(request, job_id)
    if request.method == "POST":
        delete_job(found, cast(User, request.user))
        messages.success(request, _("The recording and everything made from it were deleted."))
        return redirect("recordings")
    run = found.current_run
    context = {"job": found, "runs": found.runs.count(), "open": run is not None and run.state not in FINAL}
    return render(request, "jobs/delete.html", context)


@require_GET
def download(request: HttpRequest, job_id: UUID, format_name: str) -> HttpResponseBase:
    """The transcript as a file: what is there, also while the run goes on."""
    found = _mine(request, job_id)
    if found.current_run is None or format_name not in exports.FORMATS:
        raise Http404
    audit.note(audit.Kind.DOWNLOADED, cast(User, request.user), found.pk, format_name)
    return exports.respond(request, found, found.current_run, format_name)


def _mine(request: HttpRequest, job_id: UUID) -> Job:
    """Not yours and not there are the same 404."""
    return get_object_or_404(Job.objects.visible_to(request.user).select_related("current_run"), pk=job_id)


def _act(request: HttpRequest, job_id: UUID, verb: Callable[[Job], object]) -> HttpResponse:
    """Then back to the page the button was on: the list says where it is, the recording's own page says nothing."""
    found = _mine(request, job_id)
    try:
        verb(found)
    except JobError as error:
        messages.error(request, error.detail)
    return redirect(_back(request) or reverse("job", args=[found.pk]))


def _back(request: HttpRequest) -> str:
    """A path of this site, or nothing."""
    path = request.POST.get("next", "")
    safe = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if safe else ""


def _part(run: Run | None, after: str, limit: int) -> partials.Part:
    try:
        return partials.transcript_part(run, after, limit)
    except (ValueError, OverflowError):
        raise Http404 from None
