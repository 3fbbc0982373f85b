"""Another run of a recording that has ended, made once for each request."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from jobs.errors import Conflict
from jobs.models import Job, Run
from jobs.services.finish import INFECTED
from jobs.services.locks import lock_runs
from jobs.states import FINAL


def another(job: Job, run_id: UUID | None, make: Callable[[Job], Run]) -> Run:
    """What `make` makes of the recording, whose row it is given locked; or the run `run_id`, when that was made before.

    One transaction. Conflict while a run is under way or when the file was not kept.
    """
    with transaction.atomic():
        lock_runs(job.pk)
        # Its run is read after the lock, never joined to it: who waited for the lock gets the new row of the recording,
        # but the join still looks among the runs of before and finds none, which would pass for "never begun".
        locked = Job.objects.select_for_update().get(pk=job.pk)
        made = locked.runs.filter(pk=run_id).first() if run_id else None
        if made is not None:
            return made
        _require_ended(locked)
        return make(locked)


def was_infected(job: Job) -> bool:
    """Whether a virus was found in it, in whatever run."""
    return job.runs.filter(reason=INFECTED).exists()


def _require_ended(job: Job) -> None:
    last = job.current_run
    if last is not None and last.state not in FINAL:
        raise Conflict("This recording is being transcribed already. Cancel that first, or wait for it.")
    if not job.path.exists():
        if was_infected(job):
            raise Conflict("The virus scanner removed this recording. Upload a clean copy.", code=INFECTED)
        raise Conflict("The recording itself was not kept. Upload the file again.")
