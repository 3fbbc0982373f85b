"""A complete upload becomes a recording with its first run: one transaction, one verb for every door."""

import os
from pathlib import Path
from uuid import UUID

from django.db import transaction

from jobs.errors import Conflict
from jobs.live import announce
from jobs.models import Job, Run, RunEvent, Upload
from jobs.services.offers import default_model
from jobs.services.options import Options
from jobs.states import RunState


def submit(upload_id: UUID, *, sha256: str, options: Options) -> Job:
    """Make the job of an upload whose bytes are on disk (flushed); the same job if it was made before.

    Raises Conflict when the upload is gone (expired or aborted meanwhile).
    """
    with transaction.atomic():
        upload = Upload.objects.select_for_update().filter(pk=upload_id).first()
        if upload is None:
            raise Conflict("This upload is no longer there. Upload the file again.")
        if upload.job is not None:
            return upload.job
        job = Job.objects.create(owner_id=upload.owner_id, title=upload.title, size=upload.offset, sha256=sha256)
        add_run(job, options)
        upload.job = job
        upload.save(update_fields=["job"])
        # Renamed before the commit: a crash between the two leaves a folder without a row, which the sweep removes.
        # The other order would leave a job that points to nothing.
        move_in(upload.path, job.path)
    return job


def add_run(job: Job, options: Options) -> Run:
    """A queued run, which *is* the request to start: the scheduler finds it. Call inside a transaction."""
    number = job.runs.count() + 1
    model = options.model or default_model()
    run = Run.objects.create(job=job, number=number, options=options.as_json(), model=model)
    Job.objects.filter(pk=job.pk).update(current_run=run)
    job.current_run = run
    RunEvent.objects.create(run=run, state=RunState.QUEUED)
    announce(job.pk, wake=True)
    return run


def move_in(source: Path, target: Path) -> None:
    """Rename into a folder of its own, for good; media is one file system, so this copies nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    for folder in (target.parent, target.parent.parent):  # a power cut must not take the rename back
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
