"""Run again: a new run beside the old one, with the same options unless others are given."""

from uuid import UUID

from django.db import transaction

from jobs.errors import Conflict
from jobs.models import Job, Run
from jobs.services.finish import INFECTED
from jobs.services.options import Options, check_options, stored_options
from jobs.services.submit import add_run
from jobs.states import FINAL


def retry(job: Job, options: Options | None = None, *, run_id: UUID | None = None) -> Run:
    """Queue another run of this recording. Conflict while one is under way or when the file was not kept.

    Without `options` those of the last run; JobError as `check_options` when they cannot be had any more. With a
    `run_id` (`jobs.services.repeats`) asking again gives the run that was made the first time.
    """
    with transaction.atomic():
        locked = lock(job)
        made = locked.runs.filter(pk=run_id).first() if run_id else None
        if made is not None:
            return made
        require_ended(locked)
        if options is None:
            last = locked.current_run
            options = stored_options(whole_run(last).options if last else {})
            check_options(options)
        return add_run(locked, options, run_id)


def lock(job: Job) -> Job:
    """The row with its current run, for this transaction alone."""
    return Job.objects.select_for_update(of=("self",)).select_related("current_run").get(pk=job.pk)


def require_ended(job: Job) -> None:
    """Conflict while a run is under way, or when the file was not kept."""
    last = job.current_run
    if last is not None and last.state not in FINAL:
        raise Conflict("This recording is being transcribed already. Cancel that first, or wait for it.")
    if not job.path.exists():
        if was_infected(job):
            raise Conflict("The virus scanner removed this recording. Upload a clean copy.", code=INFECTED)
        raise Conflict("The recording itself was not kept. Upload the file again.")


def was_infected(job: Job) -> bool:
    """Whether a virus was found in it, in whatever run."""
    return job.runs.filter(reason=INFECTED).exists()


def whole_run(run: Run) -> Run:
    """The run of the whole recording that this one began from: options of a part were meant for that part."""
    while run.parent is not None:
        run = run.parent
    return run
