"""What the scheduler writes: which runs were handed to Temporal, and which need another workflow."""

from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jobs.live import announce
from jobs.models import Run, RunEvent
from jobs.states import RunState

RESTARTS_ALLOWED = 1


def admit(run_id: UUID) -> bool:
    """Mark a queued run as handed to Temporal; it stays queued until its first activity begins."""
    return bool(
        Run.objects.filter(pk=run_id, state=RunState.QUEUED, admitted_at=None).update(admitted_at=timezone.now())
    )


def restart(run_id: UUID, reason: str) -> bool:
    """Count the new workflow of an open run whose last one is gone. False: it ended, or was counted already.

    The done windows stay done: the new workflow goes on at the first one missing.
    """
    with transaction.atomic():
        won = Run.objects.filter(
            pk=run_id, state__in=[RunState.QUEUED, RunState.RUNNING], restarts__lt=RESTARTS_ALLOWED
        ).update(restarts=F("restarts") + 1)
        if not won:
            return False
        run = Run.objects.get(pk=run_id)
        RunEvent.objects.create(run=run, state=run.state, stage=run.stage, reason=reason)
        announce(run.job_id)
    return True
