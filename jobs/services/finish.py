"""A run reaches its end."""

from uuid import UUID

from django.db import transaction

from accounts import audit
from jobs.failpoints import Point, reach
from jobs.models import Job, Run
from jobs.services.files import remove_recording, remove_samples
from jobs.services.moves import move
from jobs.services.quality import report_of
from jobs.states import RunState

INFECTED, NOT_SCANNED = "infected", "not_scanned"
# Refused media: there is nothing to transcribe in it, or it does harm, so the file is not kept either.
REFUSALS = frozenset({"not_media", "no_audio", "corrupt", "too_long", "empty", INFECTED})


def finish(run_id: UUID, *, attempt: int, worker: str) -> bool:
    """Running to succeeded, once every window is done; True also when it succeeded before (a retry)."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None or run.windows.filter(done_at=None).exists():
        return False
    won = run.state == RunState.RUNNING and move(
        run_id, RunState.SUCCEEDED, attempt=attempt, worker=worker, report=report_of(run)
    )
    if won or run.state == RunState.SUCCEEDED:
        reach(Point.SUCCEEDED_LEFT)
        remove_samples(run)
        return True
    return False


def fail(run_id: UUID, *, reason: str, detail: str, worker: str = "") -> bool:
    """Queued or running to failed, with a code and a sentence. The text heard so far stays."""
    with transaction.atomic():
        won = move(run_id, RunState.FAILED, reason=reason, detail=detail, worker=worker)
        if won and reason == INFECTED:
            job = Job.objects.select_related("owner").get(runs=run_id)
            audit.note(audit.Kind.INFECTED, job.owner, job.pk)
    run = Run.objects.filter(pk=run_id).select_related("job").first()
    if run is None:
        return False
    if run.state == RunState.FAILED:
        reach(Point.FAILED_LEFT)
        remove_samples(run)
        if run.reason in REFUSALS:
            remove_recording(run.job)
    return won
