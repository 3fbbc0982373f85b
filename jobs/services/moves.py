"""The one write that moves a run: won or lost, never assumed."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from jobs.live import announce
from jobs.models import Job, Run, RunEvent
from jobs.states import FINAL, RunState, sources


def move(
    run_id: UUID,
    target: RunState,
    *,
    only_from: RunState | None = None,
    stage: str = "",
    attempt: int | None = None,
    worker: str = "",
    reason: str = "",
    detail: str = "",
    **fields: Any,
) -> bool:
    """Move a run to `target` if the table allows it from where it is; True if this call won.

    `only_from` leaves one of the table's sources, where several lead to `target` and mean different things.
    The event and the announcement belong to the same transaction. `fields` are further columns of Run.
    """
    now = timezone.now()
    if target in FINAL:
        fields.setdefault("finished_at", now)
    allowed = sources(target) if only_from is None else sources(target) & {only_from}
    with transaction.atomic():
        won = Run.objects.filter(pk=run_id, state__in=allowed).update(
            state=target, stage=stage, reason=reason, detail=detail, **fields
        )
        if not won:
            return False
        run = Run.objects.only("id", "job_id", "parent_id").get(pk=run_id)
        if run.parent_id and target in (RunState.FAILED, RunState.CANCELLED):  # a part heard again changed nothing
            Job.objects.filter(pk=run.job_id, current_run=run).update(current_run=run.parent_id)
        if target in FINAL:
            Job.objects.filter(pk=run.job_id).update(idle_since=now)
        RunEvent.objects.create(
            run=run, state=target, stage=stage, attempt=attempt, worker=worker, reason=reason, detail=detail
        )
        announce(run.job_id, wake=True)
    return True
