"""Cancel: final at once for a queued run, a request to the scheduler for a running one."""

from uuid import UUID

from jobs.errors import Conflict
from jobs.failpoints import Point, reach
from jobs.models import Job, Run
from jobs.services.files import remove_samples
from jobs.services.moves import move
from jobs.states import FINAL, RunState


def cancel(job: Job) -> None:
    """Stop the current run; the text heard so far stays. Cancelling twice is fine; an ended run is a Conflict.

    A queued run may already have its workflow: its first activity finds the row cancelled and stops.
    """
    run = job.current_run
    if run is None:
        raise Conflict("This recording has no transcription to cancel.")
    # From queued alone: the table also leads from cancelling to cancelled, and that step is `finish_cancel`'s, which
    # waits for the workers and removes the samples. A second click must not take it.
    if move(run.pk, RunState.CANCELLED, only_from=RunState.QUEUED, reason="cancelled"):
        return
    if move(run.pk, RunState.CANCELLING, reason="cancelled"):
        return
    state = Run.objects.filter(pk=run.pk).values_list("state", flat=True).first()  # None: deleted meanwhile
    if state in FINAL and state != RunState.CANCELLED:
        raise Conflict("This transcription has ended already.")


def finish_cancel(run_id: UUID) -> bool:
    """Cancelling to cancelled, once nothing works on the run any more."""
    won = move(run_id, RunState.CANCELLED, reason="cancelled")
    run = Run.objects.filter(pk=run_id).first()
    if run is not None and run.state == RunState.CANCELLED:
        reach(Point.CANCELLED_LEFT)
        remove_samples(run)
    return won
