"""What is known once the recording was decoded: its length and the windows to hear."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import models, transaction

from jobs.live import announce
from jobs.models import Job, Run, Window
from jobs.states import RunState


@dataclass(frozen=True)
class PlannedWindow:
    """Bounds in seconds of the recording; `span` and `batch` count from 0 in the run."""

    start: float
    end: float
    span: int
    batch: int


def store_plan(
    run_id: UUID, *, duration: float, windows: Sequence[PlannedWindow], warnings: Sequence[dict[str, str]]
) -> bool:
    """Fix the plan of a running run; a plan stored by an earlier attempt stays. False: not running any more."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=run_id, state=RunState.RUNNING).first()
        if run is None:
            return False
        Job.objects.filter(pk=run.job_id).update(duration=duration)
        Run.objects.filter(pk=run_id).update(warnings=list(warnings))
        if not run.windows.to_hear().exists():
            first = run.windows.count()  # those whose text was taken over, see `jobs.services.part`
            Window.objects.bulk_create(
                [
                    Window(run=run, index=index, span=w.span, batch=w.batch, start=w.start, end=w.end)
                    for index, w in enumerate(windows, first)
                ]
            )
        announce(run.job_id)
    return True


def store_language(run_id: UUID, language: str, probability: float | None) -> bool:
    """The language this run hears; `probability` (0..1) where it was voted. False: not running any more."""
    with transaction.atomic():
        updated = Run.objects.filter(pk=run_id, state=RunState.RUNNING).update(
            language=language, language_probability=probability
        )
        if updated:
            announce(Run.objects.values_list("job_id", flat=True).get(pk=run_id))
    return bool(updated)


def store_engine(run_id: UUID, sha256: str, mode: str) -> bool:
    """The weights (by their hash) and the mode that hear this run. False: others have begun with it.

    Only what is not known yet is written, so that of two workers who begin at once one learns of the other.
    """
    unknown = models.Q(model_sha256="") | models.Q(mode="")
    agree = models.Q(model_sha256__in=["", sha256], mode__in=["", mode])
    Run.objects.filter(unknown, agree, pk=run_id).update(model_sha256=sha256, mode=mode)
    return Run.objects.filter(pk=run_id, model_sha256=sha256, mode=mode).exists()
