"""Transcripts: as a file in each format, or as pages of segments."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from ninja import Query, Router

from accounts import audit
from jobs import exports, partials
from jobs.api.access import person
from jobs.api.problems import problems
from jobs.api.recordings import LARGEST_RUN, READ, mine, run_of
from jobs.api.rendering import report_out, segment_out
from jobs.api.schemas import ReportOut, TranscriptPage
from jobs.errors import JobError
from jobs.models import Run
from jobs.states import FINAL, RunState

router = Router(tags=["Transcripts"])
RunNumber = Annotated[int | None, Query(description="Of the run; left out: the current one.", ge=1, le=LARGEST_RUN)]


@router.get(
    "/jobs/{uuid:job_id}/download",
    auth=READ,
    response={200: str, 304: None, **problems(400, 404, 422)},
    summary="Download a transcript",
)
def download(
    request: HttpRequest,
    job_id: UUID,
    format: Annotated[str, Query(description="One of `formats` in `GET /api/v1/limits`.", max_length=20)] = "txt",
    run: RunNumber = None,
) -> HttpResponseBase:
    """The file, also while the run goes on: as far as it is written. A finished one has an ETag."""
    found = run_of(mine(request, job_id), run)
    if format not in exports.FORMATS:
        known = ", ".join(exports.FORMATS)
        raise JobError("There is no such format. Choose one of these: %(known)s.", code="bad_format", known=known)
    tag = _tag(found, format)
    if tag and (unchanged := _unchanged(request, tag)):
        return unchanged
    audit.note(audit.Kind.DOWNLOADED, person(request), job_id, format)
    response = exports.respond(request, found.job, found, format)
    if tag:
        response["ETag"], response["Cache-Control"] = tag, "private, no-cache"
    return response


@router.get(
    "/jobs/{uuid:job_id}/transcript",
    auth=READ,
    response={200: TranscriptPage, 304: None, **problems(400, 404, 422)},
    summary="A page of a transcript",
)
def transcript(
    request: HttpRequest,
    response: HttpResponse,
    job_id: UUID,
    run: RunNumber = None,
    after: Annotated[str, Query(description="`next` of the page before.", max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    words: Annotated[bool, Query(description="With the times of the words.")] = False,
) -> TranscriptPage | HttpResponseBase:
    """Segments in the order of time. While the run goes on, later segments can come before earlier ones are written."""
    found = run_of(mine(request, job_id), run)
    tag = _tag(found, f"{after}-{limit}{'-words' if words else ''}")
    if tag and (unchanged := _unchanged(request, tag)):
        return unchanged
    try:
        part = partials.transcript_part(found, after, limit)
    except (ValueError, OverflowError):
        raise JobError("This mark was not made by this server. Start again without one.", code="bad_cursor") from None
    if tag:
        response["ETag"] = tag
    audit.note(audit.Kind.DOWNLOADED, person(request), job_id, "pages", hourly=True)
    response["Cache-Control"] = "private, no-cache"
    return TranscriptPage(
        run=found.number,
        state=RunState(found.state),
        segments=[segment_out(segment, with_words=words) for segment in part.segments],
        next=part.rest.removeprefix("after=") or None,
    )


@router.get(
    "/jobs/{uuid:job_id}/report", auth=READ, response={200: ReportOut, **problems(404, 422)}, summary="What stands out"
)
def report(request: HttpRequest, job_id: UUID, run: RunNumber = None) -> ReportOut:
    """Moments of a transcript to look at again: loops cut, guesses, speech without text, other languages."""
    return report_out(run_of(mine(request, job_id), run))


def _tag(run: Run, what: str) -> str | None:
    """An ETag where the text is final: a run's words never change after its end."""
    return f'"{run.pk}-{what}"' if run.state in FINAL and '"' not in what else None


def _unchanged(request: HttpRequest, tag: str) -> HttpResponse | None:
    """304 where the script has it already."""
    found = get_conditional_response(request, etag=tag, response=HttpResponse(headers={"ETag": tag}))
    return found if found is not None and found.status_code != 200 else None
