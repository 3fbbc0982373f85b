"""A run's workflow has begun or entered a stage."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from jobs.live import announce
from jobs.models import Run, RunEvent
from jobs.services.moves import move
from jobs.states import RunState

PREPARING, LISTENING, TRANSCRIBING = "preparing", "listening", "transcribing"
SCANNING, SCANNER_AWAY = "scanning", "scanner_away"  # where a virus scanner looks first


def begin(run_id: UUID, *, attempt: int, worker: str, stage: str = PREPARING) -> bool:
    """Queued to running; True also when it runs already (a retry). False: cancelled or deleted, so stop."""
    if move(run_id, RunState.RUNNING, stage=stage, attempt=attempt, worker=worker, started_at=timezone.now()):
        return True
    if Run.objects.filter(pk=run_id, state=RunState.RUNNING, stage=SCANNER_AWAY).exists():
        return True  # it goes on waiting, and its history does not tell each look
    return enter_stage(run_id, stage, attempt=attempt, worker=worker)


def enter_stage(run_id: UUID, stage: str, *, attempt: int, worker: str, detail: str = "") -> bool:
    """Say what a running run does now. False: it is not running any more, so stop."""
    with transaction.atomic():
        if not Run.objects.filter(pk=run_id, state=RunState.RUNNING).update(stage=stage):
            return False
        RunEvent.objects.create(
            run_id=run_id, state=RunState.RUNNING, stage=stage, attempt=attempt, worker=worker, detail=detail
        )
        announce(Run.objects.values_list("job_id", flat=True).get(pk=run_id))
    return True
