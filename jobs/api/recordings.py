"""Recordings: list, look, cancel, run again, delete. The same verbs as the pages."""

from math import nan
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Header, Query, Router
from ninja.responses import Status

from accounts.grants import Grant
from jobs.api.access import Needs, person
from jobs.api.paging import page_of
from jobs.api.problems import problems
from jobs.api.rendering import job_out, jobs_out, run_detail, run_out
from jobs.api.schemas import JobOut, JobPage, OptionsIn, RunDetail, RunIn, RunOut
from jobs.errors import NotFound
from jobs.models import Job, Run
from jobs.services.cancel import cancel
from jobs.services.delete import delete
from jobs.services.keep import give_free, keep
from jobs.services.options import FIELDS, read_options
from jobs.services.part import hear_part
from jobs.services.repeats import id_for
from jobs.services.retry import retry, whole_run
from jobs.states import RunState

router = Router(tags=["Recordings"])
READ, WRITE = Needs(Grant.JOBS_READ), Needs(Grant.JOBS_WRITE)
MOST = 100
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Asked again under the same key, the answer is the same run.",
        max_length=255,
        pattern="^[ -~]+$",
    ),
]
LARGEST_RUN = (1 << 31) - 1  # what the column can hold


def mine(request: HttpRequest, job_id: UUID) -> Job:
    """Not yours and not there are the same."""
    found = Job.objects.visible_to(person(request)).select_related("current_run__parent").filter(pk=job_id).first()
    if found is None:
        raise NotFound("There is no such recording.")
    return found


def run_of(job: Job, number: int | None) -> Run:
    """The run of this number, the current one for None."""
    run = job.current_run if number is None else job.runs.filter(number=number).first()
    if run is None:
        raise NotFound("This recording has no such run.")
    run.job = job
    return run


@router.get("/jobs", auth=READ, response={200: JobPage, **problems(400, 422)}, summary="List recordings")
def list_jobs(
    request: HttpRequest,
    state: Annotated[
        list[RunState] | None,
        Query(description="Of the current run; may be given more than once.", examples=[["queued", "running"]]),
    ] = None,
    q: Annotated[str, Query(description="Part of the name.", max_length=255, pattern="^[^\\x00]*$")] = "",
    sha256: Annotated[str, Query(description="Of the file.", pattern="^([0-9a-f]{64})?$")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    cursor: Annotated[str, Query(description="`next` of the page before.", max_length=200)] = "",
) -> JobPage:
    """Newest first, a page at a time."""
    jobs = Job.objects.visible_to(person(request)).select_related("current_run__parent")
    if state:
        jobs = jobs.filter(current_run__state__in=state)
    if q:
        jobs = jobs.filter(title__icontains=q)
    if sha256:
        jobs = jobs.filter(sha256=sha256)
    found, following = page_of(jobs, cursor, limit)
    return JobPage(jobs=jobs_out(found), next=following)


@router.get("/jobs/{uuid:job_id}", auth=READ, response={200: JobOut, **problems(404)}, summary="One recording")
def get_job(request: HttpRequest, job_id: UUID) -> JobOut:
    """With its current run, percent, time left and place in the queue."""
    return job_out(mine(request, job_id))


@router.delete("/jobs/{uuid:job_id}", auth=WRITE, response={204: None, **problems(404)}, summary="Delete a recording")
def delete_job(request: HttpRequest, job_id: UUID) -> Status[None]:
    """The file, all its transcripts and its history, for good. A run under way stops."""
    delete(mine(request, job_id), person(request))
    return Status(204, None)


@router.put("/jobs/{uuid:job_id}/kept", auth=WRITE, response={200: JobOut, **problems(404)}, summary="Keep a recording")
def keep_job(request: HttpRequest, job_id: UUID) -> JobOut:
    """It is not deleted when its time is over (`retention_days` of the limits). Again changes nothing."""
    keep(mine(request, job_id), person(request))
    return job_out(mine(request, job_id))


@router.delete(
    "/jobs/{uuid:job_id}/kept", auth=WRITE, response={200: JobOut, **problems(404)}, summary="Keep it no longer"
)
def give_job_free(request: HttpRequest, job_id: UUID) -> JobOut:
    """Its days begin anew. Again changes nothing."""
    give_free(mine(request, job_id), person(request))
    return job_out(mine(request, job_id))


@router.post(
    "/jobs/{uuid:job_id}/cancel", auth=WRITE, response={202: JobOut, **problems(404, 409)}, summary="Cancel its run"
)
def cancel_job(request: HttpRequest, job_id: UUID) -> Status[JobOut]:
    """The text heard so far stays. Again changes nothing; 409 where the run has ended by itself."""
    cancel(mine(request, job_id))
    return Status(202, job_out(mine(request, job_id)))


@router.post(
    "/jobs/{uuid:job_id}/retry",
    auth=WRITE,
    response={201: RunOut, **problems(400, 404, 409, 422)},
    summary="Run again",
)
def retry_job(
    request: HttpRequest, job_id: UUID, idempotency_key: Key = None, options: OptionsIn | None = None
) -> Status[RunOut]:
    """A new run beside the old ones; without a body with the options of the last one."""
    chosen = None if options is None else read_options(options.model_dump())
    run_id = None if idempotency_key is None else id_for(idempotency_key, among=job_id)
    return Status(201, run_out(retry(mine(request, job_id), chosen, run_id=run_id)))


@router.post(
    "/jobs/{uuid:job_id}/runs",
    auth=WRITE,
    response={201: RunOut, **problems(400, 404, 409, 422)},
    summary="Run again, all of it or a part",
)
def create_run(
    request: HttpRequest, job_id: UUID, idempotency_key: Key = None, options: RunIn | None = None
) -> Status[RunOut]:
    """With `from` and `to` only that part is heard anew; the other text is copied. Without a body as `retry`."""
    if options is None or (options.start is None and options.end is None):
        return retry_job(request, job_id, idempotency_key, options)
    job = mine(request, job_id)
    given = options.model_dump(include=set(FIELDS), exclude_unset=True)
    chosen = None if job.current_run is None else read_options({**whole_run(job.current_run).options, **given})
    run_id = None if idempotency_key is None else id_for(idempotency_key, among=job_id)
    start, end = (nan if each is None else each for each in (options.start, options.end))
    return Status(201, run_out(hear_part(job, start, end, chosen, run_id=run_id)))


@router.get("/jobs/{uuid:job_id}/runs", auth=READ, response={200: list[RunOut], **problems(404)}, summary="Its runs")
def list_runs(request: HttpRequest, job_id: UUID) -> list[RunOut]:
    """Oldest first."""
    return [run_out(run) for run in mine(request, job_id).runs.select_related("parent").order_by("number")]


@router.get(
    "/jobs/{uuid:job_id}/runs/{int:number}", auth=READ, response={200: RunDetail, **problems(404)}, summary="One run"
)
def get_run(request: HttpRequest, job_id: UUID, number: int) -> RunDetail:
    """With its history: every stage, attempt and cause."""
    if number > LARGEST_RUN:
        raise NotFound("This recording has no such run.")
    return run_detail(run_of(mine(request, job_id), number))
