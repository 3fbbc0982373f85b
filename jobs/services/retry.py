"""Run again: a new run beside the old one, with the same options unless others are given."""

from uuid import UUID

from jobs.models import Job, Run
from jobs.services.another import another
from jobs.services.options import Options, check_options, stored_options
from jobs.services.submit import add_run


def retry(job: Job, options: Options | None = None, *, run_id: UUID | None = None) -> Run:
    """Queue another run of this recording. Conflict while one is under way or when the file was not kept.

    Without `options` those of the last run; JobError as `check_options` when they cannot be had any more. With a
    `run_id` (`jobs.services.repeats`) asking again gives the run that was made the first time.
    """
    return another(job, run_id, lambda locked: add_run(locked, options or _of_last(locked), run_id))


def _of_last(job: Job) -> Options:
    last = job.current_run
    options = stored_options(whole_run(last).options if last else {})
    check_options(options)
    return options


def whole_run(run: Run) -> Run:
    """The run of the whole recording that this one began from: options of a part were meant for that part."""
    while run.parent is not None:
        run = run.parent
    return run
